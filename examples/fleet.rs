//! A fleet that starts at once on one vault, in virtual time: how long it takes, and how many requests.
//!
//! `cargo run --release --example fleet -- 1000 50 --svg docs/fleet.svg` starts 1,000 clients with 50 references each on
//! a vault that serves 4,000 reads per 10 s. Without arguments it is a small fleet on a vault that is smaller by as
//! much, so that the shape is the same. The clients are handles of the library on an emulator in memory, and Tokio's
//! clock is paused: minutes pass in seconds, and only the network's latency is made up (10 to 50 ms a request).

use std::error::Error;
use std::time::Duration;

#[path = "fleet/plot.rs"]
mod plot;
#[path = "fleet/simulation.rs"]
mod simulation;

use simulation::{Fleet, Report};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const USAGE: &str =
    "usage: fleet [CLIENTS REFERENCES [READS-PER-10-S]] [--svg FILE] [--seed NUMBER]";

/// What the command line asks for.
struct Arguments {
    clients: usize,
    references: usize,
    limit: Option<u32>,
    svg: Option<String>,
    seed: u64,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (mut numbers, mut svg, mut seed) = (Vec::new(), None, 1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--svg" => svg = Some(words.next().ok_or(USAGE)?),
                "--seed" => seed = words.next().ok_or(USAGE)?.parse()?,
                number => numbers.push(number.parse::<u32>().map_err(|_| USAGE)?),
            }
        }
        let (clients, references, limit) = match numbers[..] {
            [] => (40, 20, None),
            [clients, references] => (clients, references, None),
            [clients, references, limit] => (clients, references, Some(limit)),
            _ => return Err(USAGE.into()),
        };
        if clients == 0 || references == 0 {
            return Err(USAGE.into());
        }
        Ok(Self {
            clients: clients as usize,
            references: references as usize,
            limit,
            svg,
            seed,
        })
    }

    fn fleet(&self) -> Fleet {
        let in_proportion = Fleet::limit_in_proportion(self.clients, self.references);
        Fleet {
            clients: self.clients,
            references: self.references,
            limit: self.limit.unwrap_or(in_proportion),
            retry_after: true,
            refresh: false,
            deadline: Duration::from_secs(300),
            seed: self.seed,
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let fleet = arguments.fleet();
    println!(
        "{} clients × {} references, {} reads per {} s, all started at once\n",
        fleet.clients,
        fleet.references,
        fleet.limit,
        simulation::WINDOW.as_secs()
    );
    println!(
        "| Retry-After | Follows | Half ready (s) | All ready (s) | Too late | Requests | Of the floor | Refused | Meanwhile |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut reports = Vec::new();
    for (retry_after, refresh) in [(true, false), (false, false), (true, true)] {
        let fleet = Fleet {
            retry_after,
            refresh,
            ..fleet.clone()
        };
        let report = in_virtual_time(&fleet)?;
        println!("{}", row(&fleet, &report));
        for failure in report.failures.iter().take(3) {
            eprintln!("{failure}");
        }
        reports.push((fleet, report));
    }
    println!(
        "\nThe floor is {} requests and {:.0} s. Meanwhile: requests of clients that were ready already.",
        fleet.floor(),
        fleet.shortest().as_secs_f64()
    );
    if let (Some(path), Some((fleet, report))) = (&arguments.svg, reports.first()) {
        std::fs::write(path, plot::svg(fleet, report))?;
        println!("\nThe plot of the first line is in {path}.");
    }
    Ok(())
}

fn in_virtual_time(fleet: &Fleet) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(simulation::run(fleet)))
}

fn row(fleet: &Fleet, report: &Report) -> String {
    let total = report.starting.total();
    format!(
        "| {} | {} | {:.1} | {:.1} | {} | {total} | {:.3} | {} | {} |",
        if fleet.retry_after { "yes" } else { "no" },
        if fleet.refresh { "yes" } else { "no" },
        report.median().as_secs_f64(),
        report.last().as_secs_f64(),
        report.failures.len(),
        total as f64 / fleet.floor() as f64,
        report.starting.throttled,
        report.running.total(),
    )
}
