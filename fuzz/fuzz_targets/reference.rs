//! A Key Vault reference and the identifier in it: what is accepted rebuilds to itself, and no error shows the value.
#![no_main]

use config_azure::{ConfigurationSetting, KeyIdentifier, SecretIdentifier, SecretReference};
use libfuzzer_sys::fuzz_target;

const CONTENT_TYPE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

fuzz_target!(|text: &str| {
    let wrapped = serde_json::json!({ "uri": text }).to_string();
    for value in [text, wrapped.as_str()] {
        let setting = ConfigurationSetting::new("key", value).with_content_type(CONTENT_TYPE);
        match SecretReference::try_from(&setting) {
            Ok(reference) => check(reference.identifier()),
            Err(error) => hides(&format!("{error} {error:?}"), value),
        }
    }
    if let Ok(identifier) = SecretIdentifier::parse(text) {
        check(&identifier);
        let reference = ConfigurationSetting::new("key", wrapped).with_content_type(CONTENT_TYPE);
        let reference = SecretReference::try_from(&reference).expect("the identifier is one");
        assert_eq!(reference.identifier(), &identifier);
    }
    if let Ok(identifier) = KeyIdentifier::parse(text) {
        assert_eq!(
            KeyIdentifier::parse(&identifier.to_string()).ok().as_ref(),
            Some(&identifier)
        );
        plain(
            identifier.vault_url(),
            identifier.name(),
            identifier.version(),
        );
    }
});

fn check(identifier: &SecretIdentifier) {
    assert_eq!(
        SecretIdentifier::parse(&identifier.to_string())
            .ok()
            .as_ref(),
        Some(identifier)
    );
    plain(
        identifier.vault_url(),
        identifier.name(),
        identifier.version(),
    );
}

/// Nothing in the parts can lead a request anywhere but to this object of this host.
fn plain(vault: &str, name: &str, version: Option<&str>) {
    let host = vault.strip_prefix("https://").expect("https");
    let of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    assert!(!host.is_empty() && host.chars().all(of_host), "{vault}");
    let of_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    assert!((1..=127).contains(&name.len()) && of_name(name), "{name}");
    assert!(
        version.is_none_or(|version| !version.is_empty() && of_name(version)),
        "{version:?}"
    );
}

/// A value may be the secret itself, pasted where a reference belongs.
fn hides(error: &str, value: &str) {
    let telling = value.len() >= 8 && value.bytes().any(|byte| byte.is_ascii_digit());
    assert!(!telling || !error.contains(value), "{error}");
}
