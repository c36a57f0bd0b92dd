//! What the command does: start a world, furnish it, say where it is, and wait for the end.

mod error;
mod options;
mod report;
mod seed;

use std::io::Read as _;
use std::time::Duration;

use config_azure_emulator::events::{EventSchema, Subscription, Webhook};
use config_azure_emulator::{Emulator, HostKind};
use tokio::sync::oneshot;

pub(crate) use error::ToolError;
use options::Service;
pub(crate) use options::{Command, HELP, Options, parse};

const AUTHORITY: &str = "login.microsoftonline.com";

/// Runs until Ctrl-C, a termination signal or, if asked for, the end of the standard input.
pub(crate) async fn run(options: &Options) -> Result<(), ToolError> {
    let seed = seed::read_vaults(options.vault_seed.as_deref())?;
    let names = Names::of(options, &seed);
    let emulator = start(options, &names).await?;
    apply(options, &names, &emulator);
    seed::vaults(&emulator, seed)?;
    for file in &options.seeds {
        seed::store(
            &emulator,
            file.store_or(&names.stores[0]),
            &file.path,
            options.local_references,
        )?;
    }
    std::fs::write(&options.ca_file, emulator.ca_pem())
        .map_err(|error| ToolError::file("write", &options.ca_file, error))?;
    let report = report::Report::of(&emulator, &names, options);
    if let Some(path) = &options.env_file {
        std::fs::write(path, report.environment())
            .map_err(|error| ToolError::file("write", path, error))?;
    }
    print!(
        "{}",
        if options.json {
            report.json()
        } else {
            report.text()
        }
    );
    let subscriptions = subscribe(options, &emulator).await?;
    wait(options.stop_on_eof).await?;
    drop(subscriptions);
    for file in &options.exports {
        seed::export(&emulator, file.store_or(&names.stores[0]), &file.path)?;
    }
    Ok(())
}

/// The services to start; at least one of each kind.
struct Names {
    stores: Vec<String>,
    vaults: Vec<String>,
}

impl Names {
    fn of(options: &Options, seed: &seed::Vaults) -> Self {
        let names =
            |services: &[Service]| services.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let mut stores = names(&options.stores);
        if stores.is_empty() {
            stores.push("contoso".to_owned());
        }
        let mut vaults = names(&options.vaults);
        vaults.extend(
            seed.keys()
                .filter(|name| !names(&options.vaults).contains(name))
                .cloned(),
        );
        if vaults.is_empty() {
            vaults.push("kv-contoso".to_owned());
        }
        Self { stores, vaults }
    }
}

async fn start(options: &Options, names: &Names) -> Result<Emulator, ToolError> {
    let mut builder = Emulator::builder();
    for name in &names.stores {
        builder = builder.store(name);
    }
    for name in &names.vaults {
        builder = builder.vault(name);
    }
    let suffixed = [
        (&options.stores, "azconfig.io"),
        (&options.vaults, "vault.azure.net"),
    ];
    for (services, suffix) in suffixed {
        for Service { name, port } in services {
            if let Some(port) = port {
                builder = builder.port(&format!("{name}.{suffix}"), *port);
            }
        }
    }
    if let Some(port) = options.identity_port {
        builder = builder.port(AUTHORITY, port);
    }
    Ok(builder.start().await?)
}

fn apply(options: &Options, names: &Names, emulator: &Emulator) {
    for name in &names.stores {
        let store = emulator.store(name);
        store.anonymous(options.anonymous);
        if let Some(size) = options.page_size {
            store.page_size(size);
        }
    }
    for name in &names.vaults {
        emulator
            .vault(name)
            .enforce_validity(!options.serve_expired);
    }
    if let Some(seconds) = options.token_lifetime {
        emulator
            .identity()
            .token_lifetime(Duration::from_secs(seconds));
    }
    if let Some(milliseconds) = options.latency {
        for kind in [HostKind::Store, HostKind::Vault, HostKind::Identity] {
            emulator.latency(kind, Duration::from_millis(milliseconds));
        }
    }
}

async fn subscribe(options: &Options, emulator: &Emulator) -> Result<Vec<Subscription>, ToolError> {
    let grid = options
        .webhooks
        .iter()
        .map(|url| (url, EventSchema::EventGrid));
    let cloud = options
        .cloud_webhooks
        .iter()
        .map(|url| (url, EventSchema::CloudEvents));
    let mut subscriptions = Vec::new();
    for (url, schema) in grid.chain(cloud) {
        let webhook = Webhook::new(url, schema);
        subscriptions.push(emulator.events().subscribe(webhook).await?);
    }
    Ok(subscriptions)
}

async fn wait(stop_on_eof: bool) -> Result<(), ToolError> {
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        terminated = terminated() => Ok(terminated?),
        () = end_of_input(), if stop_on_eof => Ok(()),
    }
}

async fn end_of_input() {
    let (closed, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = Vec::new();
        // An input that cannot be read has ended as well, and who waits no longer needs no word.
        let _ = std::io::stdin().read_to_end(&mut ignored);
        let _ = closed.send(());
    });
    let _ = end.await;
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    std::future::pending().await
}
