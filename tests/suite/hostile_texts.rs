//! What somebody wrote into the store by mistake or on purpose, and what of it is repeated: names, made safe, and no value.

use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, Error, ErrorKind, Live, RefreshOptions, SecretErrorKind, SettingSelector,
    StartupOptions,
};
use config_azure_emulator::{Emulator, Fault, Route, Setting};
use serde::Deserialize;

use crate::{events, support};

const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";
const FLAG: &str = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";

/// What people paste where a reference belongs.
const PASTED: [&str; 8] = [
    "canary-5ecret",
    "\"canary-5ecret\"",
    "Endpoint=https://contoso.azconfig.io;Id=a;Secret=canary-5ecret",
    "{\"password\":\"canary-5ecret\"}",
    "{\"uri\":\"canary-5ecret\"}",
    "{\"uri\":\"https://kv-orders.vault.azure.net/canary-5ecret\"}",
    "{\"uri\":\"https://user:canary-5ecret@kv-orders.vault.azure.net/secrets/a\"}",
    "-----BEGIN PRIVATE KEY-----\ncanary-5ecret\n-----END PRIVATE KEY-----",
];

fn pasted(value: &str) -> Setting {
    Setting::new("db:token", value).content_type(REFERENCE)
}

/// Neither the text nor a piece of it, in what an error says or carries.
fn assert_silent(error: &Error) {
    let mut texts = vec![
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ];
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        texts.push(format!("{inner} {inner:?}"));
        cause = inner.source();
    }
    for text in texts {
        assert!(
            !text.contains("canary") && !text.contains("5ecret"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f74_a_raw_secret_where_a_reference_belongs() {
    let (events, _collecting) = events::capture("trace");
    for value in PASTED {
        let emulator = support::world_in_memory();
        // At the start: a typed error that names the setting.
        emulator.store("contoso").put(pasted(value));
        let started = tokio::time::Instant::now();
        let error = support::in_memory(&emulator)
            .load()
            .await
            .expect_err("not a reference");
        assert_eq!(error.kind(), ErrorKind::Reference);
        assert_eq!(error.key(), Some("db:token"));
        assert_eq!(
            error.failures()[0].kind(),
            SecretErrorKind::InvalidReference,
            "{value}"
        );
        assert_eq!(
            started.elapsed(),
            Duration::ZERO,
            "waiting would not mend it"
        );
        assert_silent(&error);
        // Later: the same error, and the last good generation stays.
        emulator
            .store("contoso")
            .put(Setting::new("db:token", "plain"));
        let azure = support::in_memory(&emulator).load().await.expect("a load");
        emulator.store("contoso").put(pasted(value));
        let error = azure.refresh().await.expect_err("not a reference");
        assert_silent(&error);
        assert_eq!(azure.loaded().expect("the last good one").generation(), 1);
        let shown = format!("{:?} {azure:?} {:?}", azure.status(), azure.loaded());
        assert!(!shown.contains("5ecret"), "{shown}");
        // The vault was never asked for what is not its own.
        assert_eq!(emulator.log().count(Route::secret().path("/secrets/a")), 0);
    }
    let told = events.text();
    assert!(told.contains("db:token"), "{told}");
    assert!(
        !told.contains("canary") && !told.contains("5ecret"),
        "{told}"
    );
}

/// Names that try to end a line, to colour a terminal, to turn the reading direction, or to fill a disk.
fn hostile_names() -> Vec<String> {
    vec![
        "a\r\n2026-01-01T00:00:00Z  INFO config_azure: all is well".to_owned(),
        "b\nc".to_owned(),
        "\u{1b}[31m\u{1b}]0;title\u{7}".to_owned(),
        "\u{202e}gnihtyreve\u{2066}x".to_owned(),
        "\u{2028}d\u{85}e".to_owned(),
        "k".repeat(10_000),
    ]
}

fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// One line for each failure and one above, nothing dangerous in any, and none without end.
fn assert_lines(error: &Error) {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1 + error.failures().len(), "{text:?}");
    for line in text.lines() {
        assert!(
            !line.contains(is_dangerous) && line.len() < 2_000,
            "{line:?}"
        );
    }
}

/// Every hostile name where the library may have to say it.
fn fill(emulator: &Emulator) {
    let store = emulator.store("contoso");
    for (at, name) in hostile_names().iter().enumerate() {
        store.set(name, None, "1");
        store.put(Setting::new(format!("json:{name}"), "{").content_type("application/json"));
        store.put(Setting::new(format!("{at}:{name}"), "x").label("prod"));
        store.put(Setting::new(format!(".appconfig.featureflag/{name}"), "{").content_type(FLAG));
    }
}

fn client(emulator: &Emulator) -> config_azure::AppConfigurationBuilder {
    support::in_memory(emulator)
        .select(SettingSelector::all().labels(["", "prod"]))
        .feature_flags(SettingSelector::all())
        .startup(StartupOptions::new().fail_fast())
        .refresh(RefreshOptions::new().sentinel("\u{202e}signal", "\u{2066}label"))
}

#[tokio::test(start_paused = true)]
async fn f75_log_injection() {
    let (events, _collecting) = events::capture("config_azure=trace");
    let emulator = support::world_in_memory();
    fill(&emulator);
    let azure = client(&emulator)
        .load()
        .await
        .expect("odd keys are left out, not fatal");
    let loaded = azure.loaded().expect("a generation");
    assert!(loaded.warnings().len() > 6);
    for warning in loaded.warnings() {
        let text = warning.to_string();
        assert!(
            !text.contains(is_dangerous) && text.len() < 2_000,
            "{text:?}"
        );
    }
    refused_when_built(&emulator);
    refused_by_the_type(&azure).await;
    references_that_fail(&emulator, &azure).await;
    answers_that_fail(&emulator).await;
    let told = events.text();
    assert!(events.count() > 10, "{told}");
    for line in told.lines() {
        let (date, rest) = line.split_once(' ').expect("a date first");
        assert!(
            date.starts_with("20") && date.ends_with('Z'),
            "a line of its own: {line:?}"
        );
        assert!(
            !rest.contains(is_dangerous) && line.len() < 16_000,
            "{line:?}"
        );
    }
}

/// Selectors and sentinels that no setting can have.
fn refused_when_built(emulator: &Emulator) {
    let names = hostile_names();
    for name in names
        .iter()
        .filter(|name| name.contains(char::is_control) || name.len() > 256)
    {
        let sentinel = RefreshOptions::new().sentinel(name.as_str(), "");
        let label = RefreshOptions::new().sentinel("a", name.as_str());
        let base = || support::in_memory(emulator);
        for builder in [
            base().refresh(sentinel),
            base().refresh(label),
            base().select(SettingSelector::keys(name)),
            base().select(SettingSelector::all().label(name)),
            base().select(SettingSelector::all().tag(name, "")),
            base().select(SettingSelector::snapshot(name)),
        ] {
            let error = builder.build().expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
            assert_lines(&error);
        }
    }
}

/// A value that does not fit, under a hostile path.
async fn refused_by_the_type(azure: &AppConfiguration) {
    #[derive(Debug, Deserialize)]
    struct Narrow {
        #[expect(dead_code, reason = "only its type matters")]
        #[serde(flatten)]
        all: std::collections::BTreeMap<String, u8>,
    }
    let layers = Config::builder().add_source(azure.clone());
    let refused: Result<Live<Narrow>, Error> = azure.live(layers).await;
    assert_lines(&refused.expect_err("text and tables are no numbers"));
}

/// References under hostile keys, at a refresh and at a start.
async fn references_that_fail(emulator: &Emulator, azure: &AppConfiguration) {
    let store = emulator.store("contoso");
    for name in hostile_names() {
        store.put(
            Setting::new(&name, "{\"uri\":\"https://evil.example/secrets/a\"}")
                .content_type(REFERENCE),
        );
    }
    for at in 0..40 {
        let missing = emulator
            .vault("kv-orders")
            .secret_uri(&format!("missing-{at}"));
        store.set_reference(&format!("r{at}"), None, &missing);
    }
    // The signal moves, so that the settings are looked at.
    store.put(Setting::new("\u{202e}signal", "1").label("\u{2066}label"));
    assert_lines(&azure.refresh().await.expect_err("bad references"));
    let error = client(emulator).load().await.expect_err("bad references");
    assert!(error.failures().len() >= 40, "{error}");
    assert_lines(&error);
}

/// A gateway's or a service's own words are not repeated.
async fn answers_that_fail(emulator: &Emulator) {
    for status in [400, 401, 403, 409, 500] {
        let answer = Fault::status(status)
            .header(
                "www-authenticate",
                "HMAC-SHA256 error=\"x\", error_description=\"no\"",
            )
            .body(
                "application/problem+json",
                "{\"type\":\"https://azconfig.io/errors/a\\r\\nb\\u001b[31m\",\"title\":\"c\\nd\"}",
            );
        emulator.faults().script(Route::store(), answer, None);
        let options = StartupOptions::new()
            .fail_fast()
            .deadline(Duration::from_secs(3));
        let error = client(emulator)
            .startup(options)
            .load()
            .await
            .expect_err("refused");
        assert_lines(&error);
        emulator.faults().clear();
    }
}
