//! The plot of one simulation: clients that are ready over time, above the reads of every window.

use std::fmt::Write as _;

use crate::simulation::{Fleet, Report, WINDOW};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 16.0;
/// Top and bottom of the two panels.
const CLIENTS: (f64, f64) = (40.0, 190.0);
const READS: (f64, f64) = (236.0, 386.0);
const HEIGHT: f64 = 430.0;

const STYLE: &str = "text{font:12px sans-serif;fill:#333}.end{text-anchor:end}.middle{text-anchor:middle}\
    .grid{stroke:#ddd}.ready{fill:none;stroke:#0063b1;stroke-width:2}.served{fill:#5b9bd5}.refused{fill:#d9534f}\
    .limit{stroke:#333;stroke-dasharray:5 3}";

/// From values to places.
struct Scale {
    seconds: f64,
    most: f64,
    panel: (f64, f64),
}

impl Scale {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (top, bottom) = self.panel;
        bottom - value / self.most * (bottom - top)
    }
}

/// The plot as a document of its own.
pub fn svg(fleet: &Fleet, report: &Report) -> String {
    let window = WINDOW.as_secs_f64();
    let windows = (report.last().as_secs_f64() / window).floor() + 1.0;
    let seconds = windows * window;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <style>{STYLE}</style>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    let clients = Scale {
        seconds,
        most: fleet.clients as f64,
        panel: CLIENTS,
    };
    title(
        &mut svg,
        &clients,
        &format!(
            "Clients that are ready, of {} with {} references each",
            fleet.clients, fleet.references
        ),
    );
    grid(&mut svg, &clients);
    ready(&mut svg, &clients, report);
    let highest = report
        .windows
        .iter()
        .map(|(served, refused)| served + refused);
    let reads = Scale {
        seconds,
        most: tidy(highest.max().unwrap_or(1).max(fleet.limit as usize)),
        panel: READS,
    };
    title(
        &mut svg,
        &reads,
        &format!(
            "Reads per {window} s: served (blue) and refused (red); the limit is {}",
            fleet.limit
        ),
    );
    grid(&mut svg, &reads);
    bars(&mut svg, &reads, report);
    let y = reads.y(f64::from(fleet.limit));
    let _ = writeln!(
        svg,
        "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
        WIDTH - RIGHT
    );
    let _ = writeln!(
        svg,
        "<text class=\"middle\" x=\"{:.0}\" y=\"{:.0}\">seconds since all of them were started</text>\n</svg>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0
    );
    svg
}

/// The next number whose quarters are round.
fn tidy(most: usize) -> f64 {
    let mut step = 10;
    loop {
        for round in [4 * step, 8 * step, 10 * step, 12 * step, 20 * step] {
            if round >= most {
                return round as f64;
            }
        }
        step *= 10;
    }
}

fn title(svg: &mut String, scale: &Scale, text: &str) {
    let y = scale.panel.0 - 14.0;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{y}\">{text}</text>");
}

fn grid(svg: &mut String, scale: &Scale) {
    for quarter in 0..=4 {
        let value = scale.most * f64::from(quarter) / 4.0;
        let y = scale.y(value);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"end\" x=\"{:.0}\" y=\"{:.1}\">{value:.0}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let step = (scale.seconds / 100.0).ceil() * 10.0;
    let mut at = 0.0;
    while at <= scale.seconds {
        let _ = writeln!(
            svg,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{:.0}\">{at:.0}</text>",
            scale.x(at),
            scale.panel.1 + 16.0
        );
        at += step;
    }
}

/// One point a second is as fine as the eye wants it.
fn ready(svg: &mut String, scale: &Scale, report: &Report) {
    let mut points = String::new();
    for second in 0..=report.last().as_secs() + 1 {
        let count = report.ready.partition_point(|at| at.as_secs() < second);
        let (x, y) = (scale.x(second as f64), scale.y(count as f64));
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    let _ = writeln!(
        svg,
        "<polyline class=\"ready\" points=\"{}\"/>",
        points.trim_end()
    );
}

fn bars(svg: &mut String, scale: &Scale, report: &Report) {
    let window = WINDOW.as_secs_f64();
    let width = scale.x(window) - scale.x(0.0) - 4.0;
    for (number, (served, refused)) in report.windows.iter().enumerate() {
        let x = scale.x(number as f64 * window) + 2.0;
        let (served, all) = (*served as f64, (served + refused) as f64);
        for (class, from, to) in [("served", 0.0, served), ("refused", served, all)] {
            let (y, height) = (scale.y(to), scale.y(from) - scale.y(to));
            if height > 0.0 {
                let _ = writeln!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                );
            }
        }
    }
}
