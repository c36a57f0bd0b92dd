//! References to keys, through the builder: a typed public key that follows the rotations of the vault.

use config_azure::{KeyVaultOptions, Live};
use config_azure_emulator::vault::NewKey;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{self, secs};

#[derive(Debug, Deserialize, PartialEq)]
struct Jwk {
    kid: String,
    kty: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Debug, Deserialize)]
struct Settings {
    signing_key: Jwk,
}

impl Jwk {
    /// As the vault itself shows it.
    fn of(shown: Option<Value>) -> Self {
        serde_json::from_value(shown.expect("a key")).expect("a key on a curve")
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_arrives_as_a_struct_and_follows_its_rotations() {
    let emulator = support::world_in_memory();
    let vault = emulator.vault("kv-orders");
    vault.create_key("signing", NewKey::ec("P-256"));
    let store = emulator.store("contoso");
    store.set_reference("SigningKey", None, &vault.key_uri("signing"));
    let options = KeyVaultOptions::new().resolve_keys(true);
    let builder = support::in_memory(&emulator).key_vault(options);
    let (azure, mut live): (_, Live<Settings>) = support::live(builder).await;

    let first = live.load();
    assert_eq!(first.signing_key, Jwk::of(vault.public_key("signing")));
    assert_eq!(
        (&*first.signing_key.kty, &*first.signing_key.crv),
        ("EC", "P-256")
    );

    // By itself, within the interval of secrets.
    vault.rotate_key("signing");
    let second = tokio::time::timeout(secs(375), live.changed()).await;
    let second = second.expect("in time").expect("a value");
    assert_eq!(second.signing_key, Jwk::of(vault.public_key("signing")));

    // And at once, for who asks.
    vault.rotate_key("signing");
    tokio::time::sleep(secs(4)).await;
    azure.refresh().await.expect("a check");
    let third = tokio::time::timeout(secs(1), live.changed()).await;
    let third = third.expect("at once").expect("a value");
    assert_eq!(third.signing_key, Jwk::of(vault.public_key("signing")));

    let keys = [&first.signing_key, &second.signing_key, &third.signing_key];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let (one, other) = (keys[one], keys[other]);
        assert!(one.kid != other.kid && one.x != other.x && one.y != other.y);
    }
    assert_eq!(azure.loaded().expect("a generation").generation(), 3);
}
