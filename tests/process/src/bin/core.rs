//! f85: a core of the process is written after a rotation, and the old and the new secret are looked for in it.
//!
//! The services run in another process, and nobody but them has the secrets in one piece: here a secret is known letter by
//! letter. Needs `gcore` (it comes with gdb).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use config::Config;
use config_azure::{AppConfiguration, KeyVaultOptions, Live, RefreshOptions, Secret};
use config_azure_emulator::Emulator;
use serde::Deserialize;

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
const LENGTH: usize = 64;
const MIDDLE: std::ops::Range<usize> = 20..44;

#[derive(Deserialize)]
struct Settings {
    password: Secret,
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("services") => services(),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(measure()),
    }
}

/// One letter of the secret with this number.
fn letter(secret: u64, at: usize) -> u8 {
    let mixed = secret
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(at as u64 + 1)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    b'a' + ((mixed >> 33) % 26) as u8
}

fn is_secret(number: u64, text: &str) -> bool {
    let mut letters = text.bytes().enumerate();
    text.len() == LENGTH && letters.all(|(at, byte)| byte == letter(number, at))
}

fn services() {
    let emulator = Emulator::builder().store("contoso").vault("kv-orders");
    let emulator = emulator.start_blocking().expect("an emulator on loopback");
    let (store, vault) = (emulator.store("contoso"), emulator.vault("kv-orders"));
    store.set_reference("password", None, &vault.secret_uri("password"));
    for line in std::io::stdin().lines() {
        let number: u64 = line.expect("a line").parse().expect("a number");
        let text = (0..LENGTH).map(|at| char::from(letter(number, at)));
        vault.set_secret("password", text.collect::<String>());
        if number == 0 {
            println!("ca {}", emulator.ca_pem().replace('\n', "|"));
            println!("store {}", store.connection_string());
            for host in ["contoso.azconfig.io", "kv-orders.vault.azure.net"] {
                println!(
                    "port {}",
                    emulator.address(host).expect("its address").port()
                );
            }
            let lifetime = std::time::Duration::from_secs(3_600);
            let now = emulator.clock().now();
            let (token, _) = emulator
                .issuer()
                .issue("https://vault.azure.net", lifetime, now);
            println!("token {token}");
        }
        println!("holding");
    }
}

/// The services, told which secret to hold, line by line.
struct Services {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Services {
    fn start() -> Self {
        let this = std::env::current_exe().expect("this binary");
        let mut command = Command::new(this);
        command
            .arg("services")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("the services");
        Self {
            input: process.stdin.take().expect("its input"),
            output: BufReader::new(process.stdout.take().expect("its output")),
            process,
        }
    }

    fn tell(&mut self, number: u64) {
        writeln!(self.input, "{number}").expect("its input");
    }

    fn line(&mut self, start: &str) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output");
        let rest = line.trim_end().strip_prefix(start);
        rest.unwrap_or_else(|| panic!("{line} instead of {start}"))
            .to_owned()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn measure() {
    let mut services = Services::start();
    services.tell(0);
    let ca = services.line("ca ").replace('|', "\n");
    let store = services.line("store ");
    let ports =
        [services.line("port "), services.line("port ")].map(|p| p.parse().expect("a port"));
    let token = services.line("token ");
    services.line("holding");
    let azure = AppConfiguration::builder()
        .connection_string(store)
        .key_vault(
            KeyVaultOptions::new()
                .credential(fixed::credential(token))
                .refresh_interval(SECOND),
        )
        .refresh(RefreshOptions::new().every(SECOND))
        .http_client(move |builder| {
            let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("a certificate");
            let at = |port| ([127, 0, 0, 1], port).into();
            builder
                .tls_certs_only([ca])
                .resolve("contoso.azconfig.io", at(ports[0]))
                .resolve("kv-orders.vault.azure.net", at(ports[1]))
        })
        .load()
        .await
        .expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let mut live: Live<Settings> = azure.live(layers).await.expect("a live value");
    assert!(is_secret(0, live.load().password.expose_secret()));
    println!(
        "while it is held: {} copies of the secret in the core",
        copies(0)
    );
    let mut number = 0;
    for until in [1, 21, 100] {
        while number < until {
            number += 1;
            services.tell(number);
            services.line("holding");
            live.changed().await.expect("a value");
        }
        assert!(is_secret(until, live.load().password.expose_secret()));
        println!(
            "after {until} rotations: {} copies of the first secret, {} of the current one",
            copies(0),
            copies(until)
        );
    }
}

/// Writes a core of this process, and counts how often the middle of a secret stands in it.
fn copies(number: u64) -> usize {
    let id = std::process::id();
    let base = std::env::temp_dir().join("config-azure-core");
    let written = Command::new("gcore")
        .arg("-o")
        .arg(&base)
        .arg(id.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(written.expect("gcore").success(), "gcore");
    let core = format!("{}.{id}", base.display());
    let mut bytes = Vec::new();
    File::open(&core)
        .expect("the core")
        .read_to_end(&mut bytes)
        .expect("the core");
    std::fs::remove_file(&core).expect("the core");
    let here = |window: &&[u8]| {
        window
            .iter()
            .zip(MIDDLE)
            .all(|(byte, at)| *byte == letter(number, at))
    };
    let found = bytes.windows(MIDDLE.len()).filter(here).count();
    // The next core must not show what was found in this one.
    bytes.fill(0);
    std::hint::black_box(&bytes);
    found
}

/// A credential with one token.
mod fixed {
    use std::sync::Arc;

    use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
    use azure_core::time::{Duration, OffsetDateTime};

    #[derive(Debug)]
    struct Fixed(String);

    pub fn credential(token: String) -> Arc<dyn TokenCredential> {
        Arc::new(Fixed(token))
    }

    #[async_trait::async_trait]
    impl TokenCredential for Fixed {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            let end = OffsetDateTime::now_utc() + Duration::hours(1);
            Ok(AccessToken::new(self.0.clone(), end))
        }
    }
}
