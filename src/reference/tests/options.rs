//! Options are checked before anything is sent, and decide which vaults are asked for which audience.

use std::time::Duration;

use super::super::identifier::ObjectId;
use super::super::policy::Admitted;
use super::super::{SecretPolicy, VaultOptions};
use super::*;
use crate::error::{ErrorKind, SecretError, SecretErrorKind};
use config_azure_emulator::Emulator;

fn admitted(options: &KeyVaultOptions, uri: &str) -> Result<Admitted, &'static str> {
    let (collection, id) = ObjectId::parse(uri).unwrap();
    options.validate().unwrap().check(collection, &id)
}

fn cloud(audience: &str) -> Result<Admitted, &'static str> {
    Ok(Admitted {
        audience: audience.into(),
        exact: false,
    })
}

#[test]
fn t01_the_audience_is_that_of_the_cloud() {
    let options = KeyVaultOptions::new().allow_suffix(".vault.contoso.example");
    for (uri, audience) in [
        (
            "https://kv-orders.vault.azure.net/secrets/n",
            "https://vault.azure.net",
        ),
        (
            "https://kv-orders.vault.usgovcloudapi.net/secrets/n",
            "https://vault.usgovcloudapi.net",
        ),
        (
            "https://kv-orders.vault.azure.cn/secrets/n",
            "https://vault.azure.cn",
        ),
        (
            "https://my-hsm.managedhsm.azure.net/keys/n",
            "https://managedhsm.azure.net",
        ),
        (
            "https://my-hsm.managedhsm.usgovcloudapi.net/keys/n",
            "https://managedhsm.usgovcloudapi.net",
        ),
        (
            "https://my-hsm.managedhsm.azure.cn/keys/n",
            "https://managedhsm.azure.cn",
        ),
        (
            "https://kv-orders.vault.contoso.example/secrets/n",
            "https://vault.contoso.example",
        ),
    ] {
        assert_eq!(admitted(&options, uri), cloud(audience), "{uri}");
    }
    assert!(admitted(&options, "https://my-hsm.managedhsm.azure.net/secrets/n").is_err());
    assert!(admitted(&options, "https://a.b.vault.contoso.example/secrets/n").is_err());
}

#[test]
fn t02_a_list_shuts_out_every_other_vault() {
    let options = KeyVaultOptions::new()
        .allow_vault("kv-orders")
        .allow_vault("kv-shared.vault.azure.cn")
        .allow_vault("https://localhost:8443/");
    let ok = |uri| admitted(&options, uri);
    assert_eq!(
        ok("https://KV-Orders.vault.azure.net/secrets/n"),
        cloud("https://vault.azure.net")
    );
    assert_eq!(
        ok("https://kv-orders.managedhsm.azure.net/keys/n"),
        cloud("https://managedhsm.azure.net")
    );
    assert_eq!(
        ok("https://kv-shared.vault.azure.cn/secrets/n"),
        cloud("https://vault.azure.cn")
    );
    let exact = ok("https://localhost:8443/secrets/n").unwrap();
    assert_eq!(
        exact,
        Admitted {
            audience: "https://vault.azure.net".into(),
            exact: true
        }
    );
    for shut_out in [
        "https://kv-orders.vault.azure.cn/secrets/n",
        "https://kv-shared.vault.azure.net/secrets/n",
        "https://kv-other.vault.azure.net/secrets/n",
        "https://localhost/secrets/n",
        "https://localhost:8444/secrets/n",
        "https://127.0.0.1:8443/secrets/n",
    ] {
        assert!(ok(shut_out).is_err(), "{shut_out}");
    }
}

#[test]
fn options_of_one_vault_admit_it_without_shutting_out_others() {
    let options = KeyVaultOptions::new().vault(VaultOptions::new("https://localhost:8443"));
    assert!(
        admitted(&options, "https://localhost:8443/secrets/n")
            .unwrap()
            .exact
    );
    assert!(admitted(&options, "https://kv-orders.vault.azure.net/secrets/n").is_ok());
}

#[test]
fn t02_a_foreign_vault_is_an_error_that_names_it() {
    let references = references(
        &Emulator::builder().in_memory(),
        KeyVaultOptions::new().allow_vault("kv-orders"),
    );
    let error = references
        .parse(&setting("k", "https://kv-evil.vault.azure.net/secrets/n"))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), SecretErrorKind::ForeignVault);
    assert_eq!(error.vault(), Some("kv-evil.vault.azure.net"));
    assert!(!error.is_transient());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = [
        KeyVaultOptions::new().concurrency(0, 32),
        KeyVaultOptions::new().concurrency(16, 0),
        KeyVaultOptions::new().timeout(Duration::ZERO),
        KeyVaultOptions::new().refresh_interval(Duration::from_millis(999)),
        KeyVaultOptions::new().allow_vault(""),
        KeyVaultOptions::new().allow_vault("http://localhost:8443"),
        KeyVaultOptions::new().allow_vault("kv orders"),
        KeyVaultOptions::new().allow_vault("localhost:8443"),
        KeyVaultOptions::new().allow_vault("https://kv-orders.vault.azure.net/secrets/n"),
        KeyVaultOptions::new().allow_vault("https://user@localhost"),
        KeyVaultOptions::new().allow_vault("*.vault.azure.net"),
        KeyVaultOptions::new().allow_suffix("net"),
        KeyVaultOptions::new().allow_suffix(""),
        KeyVaultOptions::new().allow_suffix("vault.contoso.example:8443"),
        KeyVaultOptions::new().allow_suffix("vault.contoso.example/x"),
        KeyVaultOptions::new().vault(VaultOptions::new("")),
        KeyVaultOptions::new()
            .vault(VaultOptions::new("kv-orders").audience("http://vault.azure.net")),
    ];
    for options in refused {
        let error = options.validate().map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{options:?}");
    }
    let keys = KeyVaultOptions::new().resolve_keys(true).validate();
    assert_eq!(keys.is_ok(), cfg!(feature = "keys"));
}

#[test]
fn the_rule_of_the_application_decides_and_may_panic() {
    let emulator = Emulator::builder().in_memory();
    let failure = |kind| SecretError::new(kind);
    let none = references(&emulator, KeyVaultOptions::new());
    assert_eq!(none.decide(&failure(SecretErrorKind::NotFound)), None);
    let rule = references(
        &emulator,
        KeyVaultOptions::new().on_error(|error| match error.kind() {
            SecretErrorKind::NotFound => SecretPolicy::Omit,
            SecretErrorKind::Disabled => panic!("a rule that was not thought through"),
            _ => SecretPolicy::KeepLast,
        }),
    );
    assert_eq!(
        rule.decide(&failure(SecretErrorKind::NotFound)),
        Some(SecretPolicy::Omit)
    );
    assert_eq!(
        rule.decide(&failure(SecretErrorKind::Throttled)),
        Some(SecretPolicy::KeepLast)
    );
    assert_eq!(rule.decide(&failure(SecretErrorKind::Disabled)), None);
}

#[test]
fn intervals_by_key_are_checked_and_named() {
    let second = Duration::from_secs(1);
    let refused = KeyVaultOptions::new().refresh_interval_for("orders:db", second / 2);
    let error = refused.validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("orders:db"), "{error}");

    let options = KeyVaultOptions::new()
        .refresh_interval_for("orders:db", 60 * second)
        .refresh_interval_for("orders:db", second)
        .no_refresh();
    options.validate().unwrap();
    let intervals = &options.intervals;
    assert_eq!(
        intervals.of("orders:db"),
        Some(second),
        "the last one counts"
    );
    assert_eq!(intervals.of("orders:Db"), None, "keys are the store's");
    assert_eq!(
        (intervals.common(), intervals.shortest()),
        (None, Some(second))
    );
    let common = options.refresh_interval(30 * second).intervals;
    assert_eq!(common.of("orders:license"), Some(30 * second));
}
