//! The client process.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use config_azure::{AppConfiguration, RefreshOptions, RefreshOutcome};
use config_azure_emulator::Emulator;

use super::{HOST, PAGES, floor, heap, mebibytes};

const WORLD: &str = "STORE_BENCH_WORLD";

/// How to reach the emulator.
pub struct World {
    connection_string: String,
    ca: String,
    address: SocketAddr,
}

impl World {
    pub fn of(emulator: &Emulator) -> Self {
        Self {
            connection_string: emulator.store("contoso").connection_string(),
            ca: emulator.ca_pem(),
            address: emulator.address(HOST).expect("the store's address"),
        }
    }

    pub fn into_env(self, command: &mut Command) {
        let world = serde_json::json!([self.connection_string, self.ca, self.address]);
        command.env(WORLD, world.to_string());
    }

    pub fn from_env() -> Option<Self> {
        let world = std::env::var(WORLD).ok()?;
        let (connection_string, ca, address) =
            serde_json::from_str(&world).expect("the world as JSON");
        Some(Self {
            connection_string,
            ca,
            address,
        })
    }

    pub fn client(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let ca = reqwest::Certificate::from_pem(self.ca.as_bytes()).expect("the CA");
        builder.tls_certs_only([ca]).resolve(HOST, self.address)
    }
}

pub fn run(world: &World) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(serve(world));
}

/// Does what it is told, line by line, and says how many milliseconds (or MiB) it took.
async fn serve(world: &World) {
    let floor_client = world
        .client(reqwest::ClientBuilder::new())
        .build()
        .expect("a client");
    let mut azure = None;
    for line in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let figure = match line.expect("a line").as_str() {
            "floor" => {
                assert_eq!(floor::walk(&floor_client).await, PAGES);
                milliseconds(start)
            }
            "load" => {
                azure = Some(load(world).await);
                milliseconds(start)
            }
            "check" => {
                let outcome = azure
                    .as_ref()
                    .expect("a load")
                    .refresh()
                    .await
                    .expect("a check");
                assert!(matches!(outcome, RefreshOutcome::Unchanged), "{outcome:?}");
                milliseconds(start)
            }
            "change" => {
                let outcome = azure
                    .as_ref()
                    .expect("a load")
                    .refresh()
                    .await
                    .expect("a refresh");
                assert!(
                    matches!(outcome, RefreshOutcome::Updated { .. }),
                    "{outcome:?}"
                );
                milliseconds(start)
            }
            "memory" => {
                heap::reset_peak();
                azure
                    .as_ref()
                    .expect("a load")
                    .refresh()
                    .await
                    .expect("a refresh");
                mebibytes(heap::peak())
            }
            "allocated" => mebibytes(heap::live()),
            "resident" => resident(),
            other => panic!("{other}?"),
        };
        println!("{figure}");
        std::io::stdout().flush().expect("output");
    }
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

async fn load(world: &World) -> AppConfiguration {
    let (ca, address) = (world.ca.clone(), world.address);
    AppConfiguration::builder()
        .connection_string(&world.connection_string)
        .refresh(RefreshOptions::new().disabled())
        .http_client(move |builder| {
            let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("the CA");
            builder.tls_certs_only([ca]).resolve(HOST, address)
        })
        .load()
        .await
        .expect("a load")
}

/// What Linux holds in memory for this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
}
