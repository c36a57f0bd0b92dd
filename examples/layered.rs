//! Who wins: a file, App Configuration with two labels, and the environment.
//!
//! `cargo run --example layered` needs no Azure: the store is in memory. Layers are `config`'s own, in the order in
//! which they are added, and later ones win. The same field has three spellings, and all of them meet:
//!
//! | in the file | in the store | in the environment |
//! | --- | --- | --- |
//! | `db.host` | `Shop:Db:Host` | `SHOP__DB__HOST` |

use config::{Config, Environment, File};
use config_azure::{AppConfiguration, Current, Live, Secret, SettingSelector};
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    title: String,
    currency: String,
    workers: u16,
    db: Database,
}

#[derive(Deserialize)]
struct Database {
    host: String,
    port: u16,
    pool: u16,
    password: Secret,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let azure = store().await?;
    let settings: Live<Settings> = azure.live(layers(&azure)).await?;
    let now = settings.load();
    println!("{:<12} {:<28} comes from", "field", "value");
    for (path, value) in [
        ("title", now.title.clone()),
        ("currency", now.currency.clone()),
        ("workers", now.workers.to_string()),
        ("db.host", now.db.host.clone()),
        ("db.port", now.db.port.to_string()),
        ("db.pool", now.db.pool.to_string()),
        ("db.password", format!("{:?}", now.db.password)),
    ] {
        println!("{path:<12} {value:<28} {}", origin(&now, path));
    }
    println!("\nIn full, for db.host:");
    if let Some(explanation) = settings.explain("db.host") {
        println!("{explanation}");
    }
    azure.shutdown().await;
    Ok(())
}

/// The three layers. What is deployed with the application comes first, what an operator sets on one machine last.
fn layers(azure: &AppConfiguration) -> config::ConfigBuilder<config::builder::DefaultState> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/layered.toml");
    // A real service leaves `source` out and reads the process environment.
    let environment = [("SHOP__WORKERS", "16"), ("SHOP__DB__POOL", "64")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::builder()
        .add_source(File::with_name(file))
        .add_source(azure.clone())
        .add_source(
            Environment::with_prefix("SHOP")
                .prefix_separator("__")
                .separator("__")
                .source(Some(environment.into_iter().collect())),
        )
}

/// A store as a team may keep it: the same keys without a label for everybody, and with one for production.
async fn store() -> config_azure::Result<AppConfiguration> {
    let (builder, store) = config_azure::in_memory();
    store.set("Shop:Title", "Contoso shop");
    store.set("Shop:Workers", "8");
    store.set("Shop:Db:Host", "db.contoso.test");
    store.set_labeled("Shop:Db:Host", "prod", "db.contoso.example");
    store.set_secret("Shop:Db:Password", "correct horse battery staple");
    builder
        .select(SettingSelector::keys("Shop:*").labels(["", "prod"]))
        .trim_key_prefix("Shop:")
        .load()
        .await
}

fn origin(now: &Current<Settings>, path: &str) -> String {
    let setting = now
        .explain(path)
        .map(|explanation| explanation.setting().clone());
    match (now.layer(path), setting) {
        (Some(layer), Some(over)) => format!("{layer}, over {}", over.key()),
        (Some(layer), None) => layer.to_owned(),
        (None, Some(setting)) => format!("{}, label {}", setting.key(), setting.label()),
        (None, None) => "nowhere".to_owned(),
    }
}
