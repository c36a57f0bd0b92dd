//! A store that the official JavaScript and Python clients wrote, read by this library and compared, value for value,
//! with what their own providers read from it. `.ci/steps/50-interop.sh` sets the stage; without it this is skipped.

mod expected;
mod world;

use config::Config;
use config_azure::{AppConfiguration, KeyCase, KeyVaultOptions, SettingSelector, VaultOptions};
use serde_json::{Map, Value};

use expected::{differences, take_additions};
use world::World;

/// The stores, and the vault that each one's references point to.
const STORES: [(&str, &str); 2] = [("js-data", "kv-js-data"), ("python-data", "kv-python-data")];
const PROVIDERS: [&str; 2] = ["js", "python"];

#[tokio::test(flavor = "multi_thread")]
async fn values_equal_those_of_the_official_providers() {
    let Some(world) = World::from_environment() else {
        println!("skipped: INTEROP_WORLD is not set; run .ci/steps/50-interop.sh through .ci/run");
        return;
    };
    for (store, vault) in STORES {
        let ours = read(&world, store, vault).await;
        for provider in PROVIDERS {
            let (mut theirs, mut ours) = (world.read_by(provider, store), ours.clone());
            if provider == "python" {
                take_additions(&mut theirs);
                take_additions(&mut ours);
            }
            let different = differences(&theirs, &ours);
            assert!(
                different.is_empty(),
                "{store} as the {provider} provider reads it, and as we do:\n{}",
                different.join("\n")
            );
            println!(
                "{store}: {} values as the {provider} provider reads them",
                theirs.len()
            );
        }
    }
}

/// The whole store as one JSON document, by way of `Config::builder()`.
async fn read(world: &World, store: &str, vault: &str) -> Map<String, Value> {
    let dataset = world.dataset();
    let ca = world.ca();
    let vault = VaultOptions::new(world.vault(vault)).credential(world.credential());
    let azure = AppConfiguration::builder()
        .connection_string(world.connection_string(store))
        .select(SettingSelector::keys(format!("{}*", dataset.prefix)).labels(dataset.labels))
        .feature_flags(SettingSelector::all())
        .trim_key_prefix(dataset.prefix)
        .key_case(KeyCase::Preserve)
        .keep_nulls()
        .key_vault(KeyVaultOptions::new().vault(vault))
        .http_client(move |builder| builder.tls_certs_only([ca.clone()]))
        .load()
        .await
        .expect("the store is read");
    let config = Config::builder()
        .add_source(azure)
        .build()
        .expect("one source");
    config_azure::from_config(&config).expect("every value has a JSON form")
}
