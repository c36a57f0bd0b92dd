//! Encrypted settings: one call of the vault opens many, and nothing that was changed opens at all.

use config_azure_emulator::vault::NewKey;
use config_azure_emulator::{Emulator, Fault, Route};
use futures::future::join_all;
use serde_json::json;

use super::super::encrypted::{ContentKey, Jwe, SettingEncryptor, unseal};
use super::super::{KeyIdentifier, Reference, Resolved, SecretPolicy};
use super::*;
use crate::error::{Error, ErrorKind, SecretErrorKind};

async fn encryptor_with(emulator: &Emulator, key: &str) -> Result<SettingEncryptor, Error> {
    let key = KeyIdentifier::parse(&emulator.vault("kv-orders").key_uri(key)).unwrap();
    let options = KeyVaultOptions::new().credential(emulator.credential());
    SettingEncryptor::with_transport(&key, options, emulator.transport()).await
}

async fn world() -> (Emulator, References, SettingEncryptor) {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    emulator
        .vault("kv-orders")
        .create_key("settings", NewKey::rsa(2048));
    let encryptor = encryptor_with(&emulator, "settings").await.unwrap();
    let references = references(&emulator, KeyVaultOptions::new());
    emulator.log().clear();
    (emulator, references, encryptor)
}

fn encrypted(value: &str) -> ConfigurationSetting {
    ConfigurationSetting::new("db:password", value)
        .with_content_type(SettingEncryptor::CONTENT_TYPE)
}

fn reference(references: &References, value: &str) -> Reference {
    references.parse(&encrypted(value)).unwrap().unwrap()
}

async fn opened(references: &References, value: &str) -> Result<String, SecretErrorKind> {
    let reference = references
        .parse(&encrypted(value))
        .unwrap()
        .map_err(|error| error.kind())?;
    let held = references
        .read(&reference.id)
        .await
        .map_err(|failure| failure.kind)?;
    let opened = references
        .open(&reference, held)
        .map_err(|failure| failure.kind)?;
    Ok(text(&opened).to_owned())
}

#[tokio::test(start_paused = true)]
async fn one_call_opens_them_all() {
    let (emulator, references, encryptor) = world().await;
    let values: Vec<String> = (0..100)
        .map(|number| format!("value-{number} \u{1f512}"))
        .collect();
    let sealed: Vec<String> = values
        .iter()
        .map(|value| encryptor.encrypt(value).unwrap())
        .collect();
    assert_eq!(
        emulator.log().count(Route::any()),
        0,
        "encrypting asks nobody"
    );
    let read = join_all(sealed.iter().map(|value| opened(&references, value))).await;
    for (read, value) in read.into_iter().zip(&values) {
        assert_eq!(read.as_ref(), Ok(value));
    }
    assert_eq!(emulator.log().count(Route::key()), 1);
    // A content key never changes, so that it is not asked for again.
    let first = reference(&references, &sealed[0]);
    assert!(first.id.is_versioned());
    references.read(&first.id).await.unwrap();
    assert_eq!(emulator.log().count(Route::key()), 1);
    // Equal values look different.
    assert_ne!(
        encryptor.encrypt("same").unwrap(),
        encryptor.encrypt("same").unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn content_keys_are_replaced_by_count() {
    let (emulator, references, encryptor) = world().await;
    let encryptor = encryptor.replace_after(10);
    for number in 0..30 {
        let sealed = encryptor.encrypt(&number.to_string()).unwrap();
        assert_eq!(opened(&references, &sealed).await, Ok(number.to_string()));
    }
    assert_eq!(emulator.log().count(Route::key()), 3);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_still_opens_what_its_old_version_closed() {
    let (emulator, references, before) = world().await;
    let old = before.encrypt("old").unwrap();
    emulator.vault("kv-orders").rotate_key("settings");
    let after = encryptor_with(&emulator, "settings").await.unwrap();
    assert_ne!(before.key().version(), after.key().version());
    assert_eq!(opened(&references, &old).await.as_deref(), Ok("old"));
    assert_eq!(
        opened(&references, &after.encrypt("new").unwrap())
            .await
            .as_deref(),
        Ok("new")
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_text_never_opens() {
    let (emulator, references, encryptor) = world().await;
    let sealed = encryptor.encrypt("hunter2").unwrap();
    assert_eq!(opened(&references, &sealed).await.as_deref(), Ok("hunter2"));
    let parts: Vec<&str> = sealed.split('.').collect();
    // One bit of each byte of IV, ciphertext and tag, and of the authenticated header.
    for part in [0, 2, 3, 4] {
        for at in 0..parts[part].len() {
            let mut changed: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
            let old = changed[part].as_bytes()[at];
            let new = if old == b'A' { "B" } else { "A" };
            changed[part].replace_range(at..=at, new);
            let outcome = opened(&references, &changed.join(".")).await;
            assert_ne!(outcome.as_deref(), Ok("hunter2"), "part {part} at {at}");
            assert!(outcome.is_err(), "part {part} at {at}: {outcome:?}");
        }
    }
    // A piece of another value under the same content key.
    let other = encryptor.encrypt("another").unwrap();
    let other: Vec<&str> = other.split('.').collect();
    let mixed = [parts[0], parts[1], parts[2], other[3], other[4]].join(".");
    assert_eq!(
        opened(&references, &mixed).await,
        Err(SecretErrorKind::Undecryptable)
    );
    // An encrypted key that was changed is refused by the vault.
    let before = emulator.log().count(Route::key());
    let first = if parts[1].starts_with('A') { "B" } else { "A" };
    let wrapped = format!("{first}{}", &parts[1][1..]);
    let swapped = [parts[0], &wrapped, parts[2], parts[3], parts[4]].join(".");
    assert_eq!(
        opened(&references, &swapped).await,
        Err(SecretErrorKind::Undecryptable)
    );
    assert_eq!(emulator.log().count(Route::key()), before + 1);
}

fn jwe(header: serde_json::Value) -> String {
    let encode = |bytes: &[u8]| azure_core::base64::encode_url_safe(bytes);
    let header = encode(header.to_string().as_bytes());
    [
        header,
        encode(&[1; 256]),
        encode(&[2; 12]),
        encode(&[3; 20]),
        encode(&[4; 16]),
    ]
    .join(".")
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_is_refused_before_any_request() {
    let (emulator, references, _) = world().await;
    let kid = format!("{}/1a2b", emulator.vault("kv-orders").key_uri("settings"));
    let good = serde_json::json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid });
    assert!(
        references
            .parse(&encrypted(&jwe(good.clone())))
            .unwrap()
            .is_ok()
    );
    let with = |name: &str, value: serde_json::Value| {
        let mut header = good.clone();
        header[name] = value;
        jwe(header)
    };
    let foreign = with(
        "kid",
        "https://kv-orders.evil.example/keys/settings/1a2b".into(),
    );
    assert_eq!(
        opened(&references, &foreign).await,
        Err(SecretErrorKind::ForeignVault)
    );
    let good = jwe(good.clone());
    let table = [
        with("alg", "RSA-OAEP".into()),
        with("alg", "dir".into()),
        with("alg", "none".into()),
        with("enc", "A128GCM".into()),
        with("kid", "settings".into()),
        with(
            "kid",
            emulator.vault("kv-orders").key_uri("settings").into(),
        ),
        with(
            "kid",
            emulator
                .vault("kv-orders")
                .secret_uri("settings/1a2b")
                .into(),
        ),
        with("zip", "DEF".into()),
        with("crit", serde_json::json!(["b64"])),
        good.replacen('.', "..", 1),
        good.rsplit_once('.').unwrap().0.to_owned(),
        format!("{good}."),
        format!("{good}="),
        format!("!{good}"),
        "hunter2".to_owned(),
        String::new(),
        "....".to_owned(),
        "e30.AA.AA.AA.AA".to_owned(),
    ];
    for value in table {
        let error = references.parse(&encrypted(&value)).unwrap().unwrap_err();
        assert_eq!(error.kind(), SecretErrorKind::Undecryptable, "{value}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert_eq!(emulator.log().count(Route::any()), 0);
    let off = super::references(&emulator, KeyVaultOptions::new().decrypt_settings(false));
    assert!(
        off.parse(&encrypted(&good)).is_none(),
        "text like any other"
    );
}

#[tokio::test(start_paused = true)]
async fn the_moods_of_secrets_apply() {
    let (emulator, references, encryptor) = world().await;
    let vault = emulator.vault("kv-orders");
    let sealed = encryptor.encrypt("hunter2").unwrap();
    vault.forbid_key("settings");
    let failure = references
        .read(&reference(&references, &sealed).id)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, SecretErrorKind::Forbidden);
    assert!(failure.hint.unwrap().contains("Crypto User"), "{failure:?}");
    vault.allow_key("settings");
    vault.disable_key("settings");
    assert_eq!(
        opened(&references, &sealed).await,
        Err(SecretErrorKind::Disabled)
    );
    vault.enable_key("settings");
    assert_eq!(opened(&references, &sealed).await.as_deref(), Ok("hunter2"));
    let tagged = encrypted(&sealed).with_tag(SecretPolicy::TAG, "omit");
    assert_eq!(
        references.parse(&tagged).unwrap().unwrap().policy,
        Some(SecretPolicy::Omit)
    );
}

#[tokio::test(start_paused = true)]
async fn an_encryptor_takes_rsa_keys_and_ten_kilobytes() {
    let (emulator, references, encryptor) = world().await;
    let fits = |length: &usize| encryptor.encrypt(&"x".repeat(*length)).is_ok();
    let longest = (0..10_240).collect::<Vec<_>>().partition_point(fits) - 1;
    let most = encryptor.encrypt(&"x".repeat(longest)).unwrap();
    assert!((10_200..=10_240).contains(&most.len()), "{}", most.len());
    assert!(opened(&references, &most).await.is_ok());
    let error = encryptor.encrypt(&"x".repeat(10_240)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    emulator
        .vault("kv-orders")
        .create_key("curve", NewKey::ec("P-256"));
    let error = encryptor_with(&emulator, "curve").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let error = encryptor_with(&emulator, "absent").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reference);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("kv-orders.vault.azure.net/absent") && cause.contains("404"),
        "{cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_encryptor_refuses_a_key_that_will_not_open() {
    let (emulator, _, _) = world().await;
    emulator.vault("kv-orders").disable_key("settings");
    let error = encryptor_with(&emulator, "settings").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reference);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("disabled") && cause.contains("kv-orders.vault.azure.net/settings"),
        "{cause}"
    );
    let id = emulator.vault("kv-orders").key_uri("signing");
    let jwk = |operations: &[&str]| json!({ "kty": "RSA", "key_ops": operations, "n": "AQ", "e": "AQAB", "kid": id });
    for operations in [&["sign", "verify"][..], &["wrapKey"], &[]] {
        let answer = json!({ "key": jwk(operations), "attributes": { "enabled": true } });
        let answer = Fault::status(200).body("application/json", answer.to_string());
        emulator
            .faults()
            .script(Route::key(), Fault::Answer(answer), Some(1));
        let error = encryptor_with(&emulator, "signing").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{operations:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_opened_value_names_its_key_and_is_not_pinned() {
    let (_, references, encryptor) = world().await;
    let reference = reference(&references, &encryptor.encrypt("hunter2").unwrap());
    let held = references.read(&reference.id).await.unwrap();
    let opened = references.open(&reference, held).unwrap();
    assert_eq!(opened.version(), encryptor.key().version());
    assert!(reference.id.is_versioned() && !reference.id.is_pinned());
}

/// The example of RFC 7516, appendix A.1: made by others.
#[test]
fn a_value_that_others_encrypted() {
    let key = [
        177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110,
        91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
    ];
    let sealed = super::super::encrypted::Sealed::from_parts(
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
        "48V1_ALb6US04U3b",
        "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A",
        "XFBoMYUZodetZdvTiFvSkQ",
    );
    let opened = unseal(&sealed, &ContentKey::new(&key).unwrap()).unwrap();
    let text = "The true sign of intelligence is not knowledge but imagination.";
    assert_eq!(opened.value().expose_secret(), text);
    assert!(!format!("{:?}", Resolved::ContentKey(ContentKey::new(&key).unwrap())).contains("177"));
    assert!(Jwe::parse("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AA.AA.AA.AA").is_err());
}
