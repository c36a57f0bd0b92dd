//! One contender in a process of its own, and how it is measured.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use config_azure_emulator::Emulator;

const WHO: &str = "LOAD_CONTENDER";
const WORLD: &str = "LOAD_WORLD";
const VAULTS: &str = "https://vault.azure.net";
const HOSTS: [&str; 5] = [
    "contoso.azconfig.io",
    "kv-0.vault.azure.net",
    "kv-1.vault.azure.net",
    "kv-2.vault.azure.net",
    "login.microsoftonline.com",
];

/// How to reach the emulator, and with what.
pub struct World {
    pub who: String,
    pub connection_string: String,
    pub tenant: String,
    pub client_id: String,
    pub client_secret: String,
    pub vault_token: String,
    pub ca: String,
    pub hosts: BTreeMap<String, SocketAddr>,
}

impl World {
    pub fn of(emulator: &Emulator) -> Self {
        let identity = emulator.identity();
        Self {
            who: String::new(),
            connection_string: emulator.store("contoso").connection_string(),
            tenant: identity.tenant_id().to_owned(),
            client_id: identity.client_id().to_owned(),
            client_secret: identity.client_secret().to_owned(),
            vault_token: emulator
                .issuer()
                .issue(VAULTS, Duration::from_secs(3600), emulator.clock().now())
                .0,
            ca: emulator.ca_pem(),
            hosts: HOSTS
                .iter()
                .filter_map(|host| Some(((*host).to_owned(), emulator.address(host)?)))
                .collect(),
        }
    }

    pub fn put_into(&self, command: &mut Command, who: &str) {
        let world = serde_json::json!([
            self.connection_string,
            self.tenant,
            self.client_id,
            self.client_secret,
            self.vault_token,
            self.ca,
            self.hosts
        ]);
        command.env(WHO, who).env(WORLD, world.to_string());
    }

    pub fn from_env() -> Option<Self> {
        let who = std::env::var(WHO).ok()?;
        let world = std::env::var(WORLD).expect("the world");
        let (connection_string, tenant, client_id, client_secret, vault_token, ca, hosts) =
            serde_json::from_str(&world).expect("the world as JSON");
        Some(Self {
            who,
            connection_string,
            tenant,
            client_id,
            client_secret,
            vault_token,
            ca,
            hosts,
        })
    }

    /// The emulator's CA and addresses, the same for both contenders.
    pub fn client(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let ca = reqwest::Certificate::from_pem(self.ca.as_bytes()).expect("the CA");
        self.hosts
            .iter()
            .fold(builder.tls_certs_only([ca]), |builder, (host, address)| {
                builder.resolve(host, *address)
            })
    }
}

/// What one run cost.
pub struct Sample {
    pub wall_ms: f64,
    pub cpu_ms: f64,
    pub peak_mib: f64,
}

impl Sample {
    pub fn parse(output: &str) -> Self {
        let figures: Vec<f64> = output
            .split_whitespace()
            .map(|figure| figure.parse().expect("a figure"))
            .collect();
        Self {
            wall_ms: figures[0],
            cpu_ms: figures[1],
            peak_mib: figures[2],
        }
    }
}

pub fn run(world: &World) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let started = Instant::now();
    let count = runtime.block_on(async {
        match world.who.as_str() {
            "floor" => super::floor::load(world).await,
            _ => super::ours::load(world).await,
        }
    });
    let wall = started.elapsed();
    assert_eq!(count, super::SETTINGS, "every setting has a value");
    println!("{} {} {}", wall.as_secs_f64() * 1e3, cpu_ms(), peak_mib());
}

/// User and system time of this process: fields 14 and 15 of /proc/self/stat, in hundredths of a second.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let (_, rest) = stat.rsplit_once(')').expect("the command's end");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) * 10.0
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the peak");
    line.trim()
        .trim_end_matches(" kB")
        .parse::<f64>()
        .expect("kilobytes")
        / 1024.0
}
