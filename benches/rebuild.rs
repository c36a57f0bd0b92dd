//! What a change costs once it has been fetched: tree, layers, typed value.
//!
//! `cargo bench --features _bench --bench rebuild`. The other side of each pair is what an application does without
//! this crate: one flat map of dotted keys through `add_source`, and `try_deserialize`. Both carry an origin for
//! every value. The last lines print the ratios, measured turn by turn so that a busy machine hits both alike.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use config::{Config, ConfigError, Map, Source, Value};
use config_azure::bench::{Layer, Settings};
use criterion::{BatchSize, BenchmarkId, Criterion};
use serde::Deserialize;

/// Ten fields in each section, all of them text in the store.
#[derive(Debug, PartialEq, Deserialize)]
struct Section {
    host: String,
    port: u16,
    user: String,
    password: String,
    max_connections: u32,
    min_connections: u32,
    timeout_seconds: f64,
    use_tls: bool,
    region: String,
    description: String,
}

type Typed = HashMap<String, Section>;

const FIELDS: [(&str, &str); 10] = [
    ("Host", "db-17.internal.contoso.com"),
    ("Port", "5432"),
    ("User", "orders"),
    ("Password", "correct horse battery staple"),
    ("MaxConnections", "32"),
    ("MinConnections", "2"),
    ("TimeoutSeconds", "2.5"),
    ("UseTls", "true"),
    ("Region", "westeurope"),
    ("Description", "the database of one of many services"),
];

fn pairs(keys: usize) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = (0..keys / FIELDS.len())
        .flat_map(|section| {
            FIELDS.map(|(field, value)| (format!("Service{section:05}:{field}"), value.to_owned()))
        })
        .collect();
    pairs.sort();
    pairs
}

/// What people write without this crate: keys in the notation of `config`, names already as the fields are.
#[derive(Debug, Clone)]
struct Flat(Vec<(String, String)>);

impl Flat {
    fn new(pairs: &[(String, String)]) -> Self {
        let dotted = |key: &str| {
            let mut out = String::new();
            for (at, c) in key.char_indices() {
                let starts = at > 0 && !key[..at].ends_with(':');
                if c.is_ascii_uppercase() && starts {
                    out.push('_');
                }
                out.push(if c == ':' {
                    '.'
                } else {
                    c.to_ascii_lowercase()
                });
            }
            out
        };
        Self(
            pairs
                .iter()
                .map(|(key, value)| (dotted(key), value.clone()))
                .collect(),
        )
    }
}

impl Source for Flat {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |(key, value): &(String, String)| {
            let origin = format!("azappconfig://contoso/{key}");
            (key.clone(), Value::new(Some(&origin), value.as_str()))
        };
        Ok(self.0.iter().map(value).collect())
    }
}

fn theirs(flat: &Flat) -> Typed {
    let config = Config::builder()
        .add_source(flat.clone())
        .build()
        .expect("builds");
    config.try_deserialize().expect("fits")
}

fn layered(layer: &Layer) -> Config {
    let builder = Config::builder().add_async_source(layer.clone());
    futures::executor::block_on(builder.build()).expect("builds")
}

fn ours(settings: &Settings) -> Typed {
    let layer = settings.assemble().expect("no conflict");
    config_azure::from_config(&layered(&layer)).expect("fits")
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rebuild");
    for keys in [10, 1_000, 10_000] {
        let pairs = pairs(keys);
        let flat = Flat::new(&pairs);
        let settings = Settings::new(pairs);
        assert_eq!(ours(&settings), theirs(&flat));
        let layer = settings.assemble().expect("no conflict");
        let config = layered(&layer);
        let id = |name| BenchmarkId::new(name, keys);
        group.bench_function(id("flat_try_deserialize"), |b| b.iter(|| theirs(&flat)));
        group.bench_function(id("ours"), |b| b.iter(|| ours(&settings)));
        group.bench_function(id("ours_tree"), |b| b.iter(|| settings.assemble()));
        group.bench_function(id("ours_layers"), |b| b.iter(|| layered(&layer)));
        group.bench_function(id("ours_typed"), |b| {
            b.iter(|| config_azure::from_config::<Typed>(&config).expect("fits"));
        });
        group.bench_function(id("try_deserialize"), |b| {
            b.iter_batched(
                || config.clone(),
                |config| config.try_deserialize::<Typed>().expect("fits"),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// The median of each side, in turns.
fn medians(rounds: usize, mut sides: [&mut dyn FnMut() -> Duration; 2]) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            times.push(side());
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(run());
    start.elapsed()
}

fn print(what: &str, keys: usize, [mine, other]: [Duration; 2], most: f64) {
    let ratio = mine.as_secs_f64() / other.as_secs_f64();
    println!(
        "{what:28} {keys:>6} keys: {mine:>10.1?} against {other:>10.1?} = {ratio:.2} (at most {most})"
    );
}

fn ratios() {
    for keys in [10, 1_000, 10_000] {
        let pairs = pairs(keys);
        let flat = Flat::new(&pairs);
        let settings = Settings::new(pairs);
        let config = layered(&settings.assemble().expect("no conflict"));
        let rounds = 400_000 / keys.max(200);
        let rebuilt = medians(
            rounds,
            [&mut || timed(|| ours(&settings)), &mut || {
                timed(|| theirs(&flat))
            }],
        );
        print("rebuild / flat", keys, rebuilt, 0.7);
        let typed = medians(
            rounds,
            [
                &mut || timed(|| config_azure::from_config::<Typed>(&config).expect("fits")),
                &mut || {
                    let config = config.clone();
                    timed(|| config.try_deserialize::<Typed>().expect("fits"))
                },
            ],
        );
        print("from_config / try_deserialize", keys, typed, 1.0);
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
    ratios();
}
