//! Identifiers are taken apart strictly, compare as the service does, and print back what they were.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::super::identifier::{Collection, ObjectId};
use super::super::policy::VaultPolicy;
use super::super::{CertificateIdentifier, KeyIdentifier, SecretIdentifier};

fn secret(text: &str) -> SecretIdentifier {
    SecretIdentifier::parse(text).unwrap()
}

#[test]
fn the_parts_of_an_identifier() {
    let table = [
        (
            "https://v.vault.azure.net/secrets/n",
            "https://v.vault.azure.net",
            "n",
            None,
        ),
        (
            "https://v.vault.azure.net/secrets/n/",
            "https://v.vault.azure.net",
            "n",
            None,
        ),
        (
            "https://v.vault.azure.net/secrets/n/1",
            "https://v.vault.azure.net",
            "n",
            Some("1"),
        ),
        (
            "https://v.vault.azure.net/secrets/n/1/",
            "https://v.vault.azure.net",
            "n",
            Some("1"),
        ),
        (
            "HTTPS://V.Vault.Azure.NET/SECRETS/Name/AB",
            "https://v.vault.azure.net",
            "Name",
            Some("AB"),
        ),
        (
            "https://localhost:8443/secrets/n",
            "https://localhost:8443",
            "n",
            None,
        ),
        (
            "https://v.vault.azure.net:443/secrets/n",
            "https://v.vault.azure.net",
            "n",
            None,
        ),
        (
            "https://127.0.0.1:8443/secrets/n",
            "https://127.0.0.1:8443",
            "n",
            None,
        ),
    ];
    for (given, vault, name, version) in table {
        let id = secret(given);
        assert_eq!(
            (id.vault_url(), id.name(), id.version()),
            (vault, name, version),
            "{given}"
        );
        assert_eq!(secret(&id.to_string()), id);
    }
}

#[test]
fn they_compare_without_regard_to_case() {
    let lower = secret("https://v.vault.azure.net/secrets/name/ab");
    let upper = secret("https://V.VAULT.azure.net/Secrets/NAME/AB/");
    let hash = |id: &SecretIdentifier| {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(lower, upper);
    assert_eq!(lower.cmp(&upper), std::cmp::Ordering::Equal);
    assert_eq!(hash(&lower), hash(&upper));
    assert_ne!(lower, secret("https://v.vault.azure.net/secrets/name"));
    // The parts do not run into each other.
    let apart = [
        secret("https://v.vault.azure.net/secrets/ab/c"),
        secret("https://v.vault.azure.net/secrets/a/bc"),
        secret("https://v.vault.azure.net/secrets/abc"),
    ];
    assert_eq!(apart.into_iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn each_type_takes_its_own_collection() {
    let of = |collection: &str| format!("https://v.vault.azure.net/{collection}/n/1");
    assert!(SecretIdentifier::parse(&of("secrets")).is_ok());
    assert!(KeyIdentifier::parse(&of("keys")).is_ok());
    assert!(CertificateIdentifier::parse(&of("certificates")).is_ok());
    assert!(SecretIdentifier::parse(&of("keys")).is_err());
    assert!(SecretIdentifier::parse(&of("certificates")).is_err());
    assert!(KeyIdentifier::parse(&of("secrets")).is_err());
    assert!(CertificateIdentifier::parse(&of("keys")).is_err());
    let certificate = CertificateIdentifier::parse(&of("certificates")).unwrap();
    assert_eq!(certificate.secret(), secret(&of("secrets")));
}

#[test]
fn put_together_from_parts() {
    let id = SecretIdentifier::new("https://V.vault.azure.net/", "n", Some("1")).unwrap();
    assert_eq!(id.to_string(), "https://v.vault.azure.net/secrets/n/1");
    for (vault, name, version) in [
        ("http://v.vault.azure.net", "n", None),
        ("https://v.vault.azure.net/secrets", "n", None),
        ("https://v.vault.azure.net", "", None),
        ("https://v.vault.azure.net", "a/b", None),
        ("https://v.vault.azure.net", "..", None),
        ("https://v.vault.azure.net", "n", Some("")),
        ("https://v.vault.azure.net", "n", Some("../keys/k")),
        ("https://u@v.vault.azure.net", "n", None),
    ] {
        assert!(
            SecretIdentifier::new(vault, name, version).is_err(),
            "{vault} {name} {version:?}"
        );
    }
}

/// Requests would go to another host than the one that is written there, or to none.
#[test]
fn t01_a_host_that_is_read_in_another_way_is_refused() {
    for host in [
        "2",
        "0x7f.1",
        "127.1",
        "v.vault.azure.net.1",
        "xn--",
        "xn--a",
    ] {
        let id = SecretIdentifier::parse(&format!("https://{host}/secrets/n"));
        assert!(id.is_err(), "{host}");
    }
}

#[test]
fn an_error_does_not_repeat_the_text() {
    let error = SecretIdentifier::parse("hunter2-hunter2-hunter2").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

/// One part of a text: in most cases one that is accepted.
fn mostly(good: &'static str, bad: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![9 => good, 1 => bad]
}

proptest! {
    /// Whatever is accepted prints back to itself, and what is admitted has a host that is allowed.
    #[test]
    fn t01_every_accepted_reference_rebuilds_to_itself(
        scheme in mostly("(?i)https://", "http://|"),
        host in mostly("[a-z][a-z0-9-]{0,20}[a-z0-9]", "[a-z0-9-]{0,30}|u@v|xn--[a-z0-9-]{0,6}|(0x)?[0-9]{1,10}"),
        domain in mostly(
            "\\.vault\\.azure\\.(net|cn)|\\.vault\\.usgovcloudapi\\.net|\\.managedhsm\\.azure\\.net",
            "(\\.evil\\.example|\\.vault\\.azure\\.net\\.evil\\.example|)\\.?",
        ),
        port in mostly("|:443", ":[0-9]{1,5}"),
        collection in mostly("(?i)secrets|keys|certificates", "secret|"),
        rest in mostly("/[0-9A-Za-z-]{1,12}(/[0-9a-f]{1,32})?/?", "(/[0-9A-Za-z%.-]{0,12}){0,3}/?([?#][a-z]{0,3})?"),
    ) {
        let text = format!("{scheme}{host}{domain}{port}/{collection}{rest}");
        let Ok((collection, id)) = ObjectId::parse(&text) else { return Ok(()) };
        let printed = match collection {
            Collection::Secrets => SecretIdentifier::from_parts(id.clone()).to_string(),
            Collection::Keys => KeyIdentifier::from_parts(id.clone()).to_string(),
            Collection::Certificates => CertificateIdentifier::from_parts(id.clone()).to_string(),
        };
        let same = text.to_ascii_lowercase().replacen(":443/", "/", 1);
        prop_assert_eq!(same.trim_end_matches('/'), printed.to_ascii_lowercase());
        prop_assert_eq!(ObjectId::parse(&printed), Ok((collection, id.clone())));
        let url: url::Url = printed.parse().unwrap();
        prop_assert_eq!(url.as_str(), printed.as_str());
        prop_assert!(url.username().is_empty() && url.query().is_none() && url.fragment().is_none());
        if VaultPolicy::new().check(collection, &id).is_ok() {
            let host = url.host_str().unwrap();
            let suffixes = [".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net", ".managedhsm.azure.net"];
            prop_assert!(suffixes.iter().any(|suffix| host.ends_with(suffix)), "{}", host);
            prop_assert!(url.port().is_none());
        }
    }

    /// No text at all makes the parser panic, and nothing accepted holds a character that a path could climb by.
    #[test]
    fn t03_any_text_is_parsed_or_refused(text in "\\PC{0,80}|https://v\\.vault\\.azure\\.net/secrets/\\PC{0,20}") {
        if let Ok(id) = SecretIdentifier::parse(&text) {
            let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            prop_assert!(plain(id.name()) && id.version().is_none_or(plain));
        }
    }
}
