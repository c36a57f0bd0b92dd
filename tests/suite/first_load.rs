//! The first load: everything or a clear error, and nothing asked twice.

use config::Config;
use config_azure::{
    AppConfiguration, ErrorKind, RefreshOutcome, Secret, SecretErrorKind, SkipReason,
    StartupOptions, from_config,
};
use config_azure_emulator::{Emulator, Route, Setting};
use serde::Deserialize;

use crate::{events, support};

#[derive(Debug, Deserialize)]
struct Settings {
    db: Database,
    smtp: Smtp,
}

#[derive(Debug, Deserialize)]
struct Database {
    host: String,
    port: u16,
    password: Secret,
}

#[derive(Debug, Deserialize)]
struct Smtp {
    password: Secret,
}

#[tokio::test]
async fn settings_and_secrets_over_tls() {
    let emulator = support::world().await;
    for builder in [support::by_key(&emulator), support::by_token(&emulator)] {
        emulator.log().clear();
        let azure = builder.load().await.expect("a load");
        let config = Config::builder()
            .add_source(azure.clone())
            .build()
            .expect("a configuration");
        let settings: Settings = from_config(&config).expect("the settings");
        assert_eq!(settings.db.host, "db.contoso.example");
        assert_eq!(settings.db.port, 5432);
        assert_eq!(
            settings.db.password,
            Secret::from("hunter2-of-the-database")
        );
        assert_eq!(
            settings.smtp.password,
            Secret::from("hunter2-of-the-mailer")
        );
        assert_eq!(azure.loaded().expect("a generation").generation(), 1);
        assert_eq!(emulator.log().count(Route::store_list().status(200)), 1);
        assert_eq!(emulator.log().count(Route::secret().status(200)), 2);
        assert_eq!(emulator.log().count(Route::challenge()), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_async_builder_loads_by_itself() {
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator).build().expect("a handle");
    assert!(azure.loaded().is_none());
    let sync = Config::builder()
        .add_source(azure.clone())
        .build()
        .expect_err("nothing was loaded");
    assert!(sync.to_string().contains("load().await"), "{sync}");
    let config = Config::builder()
        .add_async_source(azure.clone())
        .build()
        .await
        .expect("a configuration");
    assert_eq!(
        from_config::<Settings>(&config)
            .expect("the settings")
            .db
            .port,
        5432
    );
    let again = Config::builder()
        .add_source(azure)
        .build()
        .expect("a configuration");
    assert_eq!(again.cache, config.cache);
}

#[tokio::test(start_paused = true)]
async fn all_bad_references_in_one_error() {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    let vault = emulator.vault("kv-orders");
    vault.set_secret("disabled", "never-to-be-seen");
    vault.disable("disabled");
    vault.set_secret("forbidden", "never-to-be-seen");
    vault.forbid("forbidden");
    for name in ["disabled", "forbidden", "missing"] {
        store.set_reference(&format!("bad:{name}"), "prod", &vault.secret_uri(name));
    }
    store.set_reference(
        "bad:foreign",
        "prod",
        "https://kv-orders.vault.azure.net.evil.example/secrets/x",
    );
    store.put(
        Setting::new("bad:pasted", "a-secret-pasted-by-mistake")
            .label("prod")
            .content_type("application/vnd.microsoft.appconfig.keyvaultref+json"),
    );
    let error = support::in_memory(&emulator)
        .select(config_azure::SettingSelector::all().labels(["", "prod"]))
        .startup(StartupOptions::new().fail_fast())
        .load()
        .await
        .expect_err("bad references");
    assert_eq!(error.kind(), ErrorKind::Reference);
    let failures: Vec<_> = error
        .failures()
        .iter()
        .map(|failure| (failure.key(), failure.kind()))
        .collect();
    assert_eq!(
        failures,
        [
            ("bad:disabled", SecretErrorKind::Disabled),
            ("bad:forbidden", SecretErrorKind::Forbidden),
            ("bad:foreign", SecretErrorKind::ForeignVault),
            ("bad:missing", SecretErrorKind::NotFound),
            ("bad:pasted", SecretErrorKind::InvalidReference),
        ]
    );
    assert!(
        error
            .failures()
            .iter()
            .all(|failure| failure.label() == Some("prod"))
    );
    let text = format!("{error} {error:?}");
    assert!(
        !text.contains("never-to-be") && !text.contains("pasted-by"),
        "{text}"
    );
    assert!(
        emulator
            .log()
            .entries()
            .iter()
            .all(|entry| !entry.host.contains("evil"))
    );
}

#[tokio::test(start_paused = true)]
async fn two_settings_on_one_path_name_each_other() {
    let emulator = support::world_in_memory();
    emulator
        .store("contoso")
        .set("db", "prod", "a leaf where a branch is");
    let error = support::in_memory(&emulator)
        .select(config_azure::SettingSelector::all().labels(["", "prod"]))
        .load()
        .await
        .expect_err("a conflict");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let text = error.to_string();
    assert!(
        text.contains("db:host") && text.contains("'db'") && !text.contains("a leaf where"),
        "{text}"
    );
}

#[test]
fn options_that_cannot_work_are_refused_without_io() {
    let refused = |builder: config_azure::AppConfigurationBuilder| {
        let error = builder.build().expect_err("an option that cannot work");
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("c2VjcmV0"), "{text}");
        text
    };
    let credential = || Emulator::builder().in_memory().credential();
    let new = AppConfiguration::builder;
    refused(new());
    refused(new().endpoint("https://contoso.azconfig.io"));
    refused(new().default_credential());
    assert!(
        refused(
            new()
                .endpoint("http://contoso.azconfig.io")
                .credential(credential())
        )
        .contains("https")
    );
    refused(new().endpoint("https://contoso.azconfig.io").anonymous());
    refused(new().connection_string("Endpoint=https://contoso.azconfig.io;Id=a"));
    refused(
        new().connection_string("Endpoint=https://contoso.azconfig.io;Id=a;Id=b;Secret=c2VjcmV0"),
    );
    refused(new().connection_string("Secret=c2VjcmV0;Endpoint=contoso;Id=a"));
    refused(
        new()
            .endpoint("Endpoint=https://contoso.azconfig.io;Id=a;Secret=c2VjcmV0")
            .default_credential(),
    );
}

#[tokio::test(start_paused = true)]
async fn n6_nothing_reachable_is_a_typed_error_at_the_deadline() {
    let emulator = support::world_in_memory();
    emulator
        .faults()
        .script(Route::any(), config_azure_emulator::Fault::Drop, None);
    let started = tokio::time::Instant::now();
    let error = support::in_memory(&emulator)
        .load()
        .await
        .expect_err("nothing is reachable");
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    let took = started.elapsed().as_secs_f64();
    assert!((99.0..=101.0).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_arrives_late_is_waited_for() {
    let emulator = support::world_in_memory();
    emulator.store("contoso").forbid(true);
    let store = emulator.store("contoso");
    let later = async {
        tokio::time::sleep(std::time::Duration::from_secs(8)).await;
        store.forbid(false);
    };
    let (azure, ()) = tokio::join!(support::in_memory(&emulator).load(), later);
    assert!(azure.is_ok(), "{:?}", azure.err());

    store.forbid(true);
    emulator.log().clear();
    let startup = StartupOptions::new().fail_fast();
    let error = support::in_memory(&emulator)
        .startup(startup)
        .load()
        .await
        .expect_err("forbidden");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(emulator.log().count(Route::store_list()), 1);
}

#[tokio::test(start_paused = true)]
async fn the_environment_turns_the_store_off() {
    let emulator = support::world_in_memory();
    for (value, off) in [
        ("true", true),
        ("TRUE", true),
        ("1", true),
        ("false", false),
        ("", false),
    ] {
        emulator.log().clear();
        let variable = move |name: &str| {
            (name == "AZURE_APP_CONFIGURATION_PROVIDER_DISABLED").then(|| value.to_owned())
        };
        let builder = support::in_memory(&emulator).environment(variable);
        let azure = builder.load().await.expect("a load");
        let outcome = azure.refresh().await.expect("an answer");
        let skipped = matches!(outcome, RefreshOutcome::Skipped(SkipReason::Disabled));
        assert_eq!(skipped, off, "{value:?}: {outcome:?}");
        let config = Config::builder()
            .set_default("title", "from another layer")
            .expect("a default")
            .add_source(azure.clone());
        let config = config.build().expect("a configuration");
        assert_eq!(
            config.get_string("title").expect("a title"),
            "from another layer"
        );
        assert_eq!(config.get_string("db.host").is_err(), off);
        tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
        assert_eq!(emulator.log().entries().is_empty(), off, "{value:?}");
        assert_eq!(azure.status().is_ready(), !off);
        azure.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_long_says_why_within_two_seconds() {
    let hanging = config_azure_emulator::Fault::Hang;
    let throttled = config_azure_emulator::Fault::status(429).retry_after_ms(2_500);
    let forbidden = config_azure_emulator::Fault::status(403);
    for (fault, said) in [
        (hanging, &["contoso.azconfig.io"][..]),
        (
            throttled.into(),
            &["contoso.azconfig.io", "429", "fewer requests"],
        ),
        (
            forbidden.into(),
            &[
                "contoso.azconfig.io",
                "403",
                "App Configuration Data Reader",
            ],
        ),
    ] {
        let (events, _collecting) = events::capture("config_azure=warn");
        let emulator = support::world_in_memory();
        emulator.faults().script(Route::store(), fault, None);
        let loading = support::in_memory(&emulator).load();
        let waited = tokio::time::timeout(std::time::Duration::from_secs(2), loading).await;
        assert!(waited.is_err(), "it goes on");
        let text = events.text();
        assert!(text.contains("WARN"), "{text}");
        assert!(
            said.iter().all(|word| text.contains(word)),
            "{said:?}: {text}"
        );
    }
}

/// An emulator that speaks plain http on this machine, as Microsoft's own does.
#[tokio::test]
async fn an_emulator_on_loopback_needs_neither_tls_nor_a_credential() {
    let emulator = support::world().await;
    let store = emulator.store("contoso");
    store.anonymous(true);
    let address = emulator.address("contoso.azconfig.io").expect("an address");
    let azure = AppConfiguration::builder()
        .endpoint(format!("http://localhost:{}", address.port()))
        .anonymous()
        .select(config_azure::SettingSelector::keys("db:host"))
        .load()
        .await
        .expect("a load");
    let config = Config::builder()
        .add_source(azure)
        .build()
        .expect("a configuration");
    assert_eq!(
        config.get_string("db.host").expect("a host"),
        "db.contoso.example"
    );
    let entries = emulator.log().entries();
    assert!(
        entries
            .iter()
            .all(|entry| entry.authorization_scheme.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn the_load_checks_and_reads_are_spans() {
    let (events, _collecting) = events::capture("config_azure=debug");
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator).load().await.expect("a load");
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    azure.refresh().await.expect("a check");
    let text = events.text();
    for span in [
        "config_azure.load{",
        "config_azure.check{",
        "config_azure.read{",
    ] {
        assert!(text.contains(span), "{span}: {text}");
    }
}

#[test]
fn a_blocking_load_needs_no_runtime_and_refuses_to_block_one() {
    let emulator = Emulator::builder()
        .store("contoso")
        .start_blocking()
        .expect("an emulator on loopback");
    let store = emulator.store("contoso");
    store.set("title", None, "Hello");
    let builder = || {
        AppConfiguration::builder()
            .connection_string(emulator.store("contoso").connection_string())
            .http_client(emulator.client_hook())
    };
    let azure = builder().load_blocking().expect("a load");
    let config = Config::builder()
        .add_source(azure.clone())
        .build()
        .expect("a configuration");
    assert_eq!(config.get_string("title").expect("a title"), "Hello");
    assert!(
        azure.status().running,
        "kept current on the library's own thread"
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let error = runtime
        .block_on(async { builder().load_blocking() })
        .expect_err("inside a runtime");
    assert_eq!(error.kind(), ErrorKind::Runtime);
}
