//! Recognising references in settings: what is one, what is not, and what is said about a bad one.

use super::super::{SecretPolicy, SecretReference};
use super::*;
use crate::error::SecretErrorKind;
use config_azure_emulator::Emulator;

fn raw(value: &str) -> ConfigurationSetting {
    ConfigurationSetting::new("orders:db:password", value)
        .with_label("prod")
        .with_content_type(REFERENCE)
}

fn world(options: KeyVaultOptions) -> References {
    references(&Emulator::builder().in_memory(), options)
}

#[test]
fn f72_f74_a_bad_reference_is_a_typed_error_without_its_value() {
    let canary = "hunter2-S3cr3t-Canary";
    let long = format!(
        r#"{{"uri":"https://kv.vault.azure.net/secrets/{canary}{}"}}"#,
        "x".repeat(10_240)
    );
    let table = [
        canary.to_owned(),
        format!("\"{canary}\""),
        format!("[\"{canary}\"]"),
        format!("{{\"uri\":[\"{canary}\"]}}"),
        format!("{{\"uri\":{{\"a\":\"{canary}\"}}}}"),
        format!("{{\"uri\":\"{canary}\"}}"),
        format!("{{\"secret_uri\":\"https://kv-orders.vault.azure.net/secrets/{canary}\"}}"),
        format!("{{\"URI\":\"https://kv-orders.vault.azure.net/secrets/{canary}\"}}"),
        format!(
            "{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/a\",\"uri\":\"https://kv-orders.vault.azure.net/secrets/{canary}\"}}"
        ),
        format!(
            "{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/a\",\"ur\\u0069\":\"{canary}\"}}"
        ),
        format!("{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/a\"}} {canary}"),
        format!("{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/a\",}} // {canary}"),
        format!("/* {canary} */ {{\"uri\":\"https://kv-orders.vault.azure.net/secrets/a\"}}"),
        format!("{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/{canary}"),
        format!("{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/{canary}\\ud800\"}}"),
        format!("\u{feff}{{\"uri\":\"https://kv-orders.vault.azure.net/secrets/{canary}\"}}"),
        "{\"uri\":null}".to_owned(),
        "{\"uri\":7}".to_owned(),
        "{\"uri\":true}".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        "12345678".to_owned(),
        "-1.5e3".to_owned(),
        "true".to_owned(),
        String::new(),
        "[".repeat(10_000),
        format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500)),
        long,
    ];
    let references = world(KeyVaultOptions::new());
    for value in table {
        let error = references.parse(&raw(&value)).unwrap().unwrap_err();
        assert_eq!(error.kind(), SecretErrorKind::InvalidReference, "{value}");
        assert_eq!(
            (error.key(), error.label()),
            ("orders:db:password", Some("prod"))
        );
        let public = SecretReference::try_from(&raw(&value)).unwrap_err();
        for shown in [
            error.to_string(),
            format!("{error:?}"),
            format!("{public:#?}"),
            public.to_string(),
        ] {
            assert!(
                !shown.contains("hunter2") && !shown.contains("12345678"),
                "{shown}"
            );
        }
    }
    let null = ConfigurationSetting {
        value: None,
        ..raw("")
    };
    assert_eq!(
        references.parse(&null).unwrap().unwrap_err().kind(),
        SecretErrorKind::InvalidReference
    );
}

#[test]
fn other_fields_are_passed_over_as_by_every_provider() {
    let setting = raw(
        r#" {"a":[1,{"uri":2}],"uri":"https://kv-orders.vault.azure.net/secrets/db/","z":null} "#,
    );
    let reference = world(KeyVaultOptions::new())
        .parse(&setting)
        .unwrap()
        .unwrap();
    assert_eq!(
        reference.id,
        secret_id("https://kv-orders.vault.azure.net/secrets/db")
    );
    assert_eq!(
        SecretReference::try_from(&setting)
            .unwrap()
            .identifier()
            .name(),
        "db"
    );
}

#[test]
fn f73_another_content_type_is_not_a_reference() {
    let value = r#"{"uri":"https://kv-orders.vault.azure.net/secrets/db"}"#;
    let references = world(KeyVaultOptions::new());
    for content_type in [
        "",
        "application/json",
        "text/plain",
        "application/vnd.microsoft.appconfig.ff+json",
    ] {
        let setting = ConfigurationSetting::new("key", value).with_content_type(content_type);
        assert!(references.parse(&setting).is_none(), "{content_type}");
        assert!(SecretReference::try_from(&setting).is_err());
    }
    let cased = ConfigurationSetting::new("key", value).with_content_type(
        " Application/VND.Microsoft.AppConfig.KeyVaultRef+JSON ; charset=utf-16",
    );
    assert!(references.parse(&cased).unwrap().is_ok());
}

#[test]
fn keys_and_certificates_are_not_secrets() {
    let references = world(KeyVaultOptions::new());
    for (uri, word) in [
        (
            "https://kv-orders.vault.azure.net/keys/signing/1",
            "a key, not a secret",
        ),
        (
            "https://kv-orders.vault.azure.net/certificates/site",
            "a certificate, not a secret",
        ),
    ] {
        let error = references.parse(&setting("k", uri)).unwrap().unwrap_err();
        assert_eq!(error.kind(), SecretErrorKind::InvalidReference);
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(error.vault(), Some("kv-orders.vault.azure.net"));
        let public = SecretReference::try_from(&setting("k", uri)).unwrap_err();
        assert!(public.to_string().contains(word), "{public}");
    }
}

#[cfg(feature = "keys")]
#[test]
fn keys_are_references_if_asked_for() {
    let references = world(KeyVaultOptions::new().resolve_keys(true));
    let hsm = setting("k", "https://my-hsm.managedhsm.azure.net/keys/signing");
    let reference = references.parse(&hsm).unwrap().unwrap();
    assert!(matches!(reference.id, ReferenceId::Key(_)));
    assert_eq!(
        reference.id.to_string(),
        "https://my-hsm.managedhsm.azure.net/keys/signing"
    );
}

#[test]
fn the_tag_of_a_setting_names_its_policy() {
    let references = world(KeyVaultOptions::new());
    let tagged = |text: &str| {
        let setting = setting("k", "https://kv-orders.vault.azure.net/secrets/db")
            .with_tag("config-azure.policy", text);
        references.parse(&setting).unwrap()
    };
    assert_eq!(tagged("omit").unwrap().policy, Some(SecretPolicy::Omit));
    assert_eq!(
        tagged(" Keep-Last ").unwrap().policy,
        Some(SecretPolicy::KeepLast)
    );
    assert_eq!(tagged("fail").unwrap().policy, Some(SecretPolicy::Fail));
    let error = tagged("ignore").unwrap_err();
    assert_eq!(error.kind(), SecretErrorKind::InvalidReference);
    assert!(error.to_string().contains("config-azure.policy"), "{error}");
    let plain = references.parse(&setting(
        "k",
        "https://kv-orders.vault.azure.net/secrets/db",
    ));
    assert_eq!(plain.unwrap().unwrap().policy, None);
}
