//! The first load: everything or a clear error, and nothing asked twice.

use config::Config;
use config_azure::{
    AppConfiguration, ErrorKind, KeyVaultOptions, ReadLimiter, RefreshOptions, Secret,
    SecretErrorKind, SecretPolicy, SettingSelector, StartupOptions, from_config,
};
use config_azure_emulator::{Emulator, Fault, Route, Setting};
use serde::Deserialize;

use crate::support;

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
    let stored = || {
        let builder = new().endpoint("https://contoso.azconfig.io");
        builder.credential(credential())
    };
    for name in ["100%", "..", "."] {
        refused(stored().select(SettingSelector::snapshot(name)));
    }
    let tagged = stored()
        .api_version("2023-10-01")
        .feature_flags(SettingSelector::all().tag("region", "eu"));
    let said = refused(tagged);
    assert!(said.contains("tag()") && said.contains("api_version()"));
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

/// Nobody but the program can give it a credential.
#[tokio::test(start_paused = true)]
async fn a_reference_without_a_credential_fails_at_once() {
    let emulator = support::world_in_memory();
    for startup in [StartupOptions::new(), StartupOptions::new().optional()] {
        let began = tokio::time::Instant::now();
        let error = AppConfiguration::builder()
            .connection_string(emulator.store("contoso").connection_string())
            .transport(emulator.transport())
            .startup(startup)
            .load()
            .await
            .expect_err("no credential");
        assert!(error.is_credential() && !error.is_transient(), "{error}");
        assert_eq!(error.failures()[0].kind(), SecretErrorKind::NoCredential);
        assert!(error.to_string().contains("default_credential"), "{error}");
        assert!(began.elapsed().as_secs() < 1);
    }
}

/// The tag of a setting goes before the rule of the application, also where there is no identifier to read.
#[tokio::test(start_paused = true)]
async fn the_tag_decides_about_a_reference_that_is_none() {
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    let tagged = |policy: &str, uri: &str| {
        let value = format!(r#"{{"uri":"{uri}"}}"#);
        let setting = Setting::new("extra", &value)
            .content_type("application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8")
            .tag("config-azure.policy", policy);
        store.put(setting);
    };
    let omit = KeyVaultOptions::new().on_error(|_| SecretPolicy::Omit);
    for uri in ["https://vault.contoso.example/secrets/a", "not a reference"] {
        tagged("omit", uri);
        let azure = support::in_memory(&emulator)
            .load()
            .await
            .expect("left out");
        assert!(azure.explain("extra").is_none());
        tagged("fail", uri);
        let strict = support::in_memory(&emulator).key_vault(omit.clone());
        let error = strict.load().await.expect_err("the tag says so");
        assert_eq!(error.failures()[0].key(), "extra");
    }
}

/// Handles with credentials and clients of their own, over TLS.
#[tokio::test]
async fn handles_with_one_limiter_load_within_it() {
    let emulator = support::world().await;
    let vault = emulator.vault("kv-shared");
    for number in 0..20 {
        let name = format!("s-{number}");
        vault.set_secret(&name, "a-value");
        let uri = vault.secret_uri(&name);
        emulator.store("contoso").set_reference(&name, None, &uri);
    }
    let limiter = ReadLimiter::new(2, 3);
    let load = || {
        let options = KeyVaultOptions::new().read_limiter(limiter.clone());
        support::by_token(&emulator)
            .refresh(RefreshOptions::new().disabled())
            .key_vault(options)
            .load()
    };
    let (one, another, third) = tokio::join!(load(), load(), load());
    for azure in [one, another, third] {
        assert_eq!(azure.expect("a load").status().secrets.len(), 22);
    }
    let log = emulator.log();
    assert_eq!(log.count(Route::secret()), 3 * 22);
    let most = log.high_water(Some("kv-shared.vault.azure.net"));
    assert!(most <= 2, "{most} at once");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_spawned_before_the_first_load_is_done() {
    let emulator = support::world_in_memory();
    let before = support::tasks();
    let fault = Fault::Hang;
    let hanging = emulator.faults().script(Route::vault(), fault, None);
    let minute = std::time::Duration::from_secs(60);
    let load = support::in_memory(&emulator).load();
    assert!(tokio::time::timeout(minute, load).await.is_err());
    assert!(emulator.log().count(Route::store_list()) > 0);
    assert_eq!(support::tasks(), before, "after a minute of loading");
    hanging.remove();

    emulator.store("contoso").forbid(true);
    let startup = StartupOptions::new().fail_fast();
    let builder = support::in_memory(&emulator).startup(startup);
    assert!(builder.load().await.is_err());
    assert_eq!(support::tasks(), before, "after a load that failed");

    emulator.store("contoso").forbid(false);
    let azure = support::in_memory(&emulator).load().await.expect("a load");
    assert_eq!(support::tasks(), before + 1);
    azure.shutdown().await;
}
