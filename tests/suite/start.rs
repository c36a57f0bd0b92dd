//! How a handle starts: turned off, without a runtime, without TLS, slowly, and within its bounds.

use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, ErrorKind, KeyVaultOptions, MapResolver, RefreshOutcome, SettingSelector,
    SkipReason, StartupOptions, VaultOptions,
};
use config_azure_emulator::{Emulator, Fault, Route, Setting};
use tokio::time::Instant;

use crate::{events, support};

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
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(emulator.log().entries().is_empty(), off, "{value:?}");
        assert_eq!(azure.status().is_ready(), !off);
        azure.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_long_says_why_within_two_seconds() {
    let hanging = Fault::Hang;
    let throttled = Fault::status(429).retry_after_ms(2_500);
    let forbidden = Fault::status(403);
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
        let waited = tokio::time::timeout(Duration::from_secs(2), loading).await;
        assert!(waited.is_err(), "it goes on");
        let text = events.text();
        assert!(text.contains("WARN"), "{text}");
        assert!(
            said.iter().all(|word| text.contains(word)),
            "{said:?}: {text}"
        );
    }
}

/// The vault is as good a reason to wait as the store, and is named as clearly.
#[tokio::test(start_paused = true)]
async fn a_vault_that_hangs_is_named_in_the_warning_and_in_the_error() {
    let (events, _collecting) = events::capture("config_azure=warn");
    let emulator = support::world_in_memory();
    let (vault, store) = (emulator.vault("kv-orders"), emulator.store("contoso"));
    for number in 1..=4 {
        let name = format!("license-{number}");
        vault.set_secret(&name, "hunter2");
        store.set_reference(&name, Some("prod"), &vault.secret_uri(&name));
    }
    let kv = "kv-orders.vault.azure.net";
    let faults = emulator.faults();
    faults.script(Route::any().host(kv), Fault::Hang, None);
    let seconds = StartupOptions::new().deadline(Duration::from_secs(5));
    let few = support::in_memory(&emulator).startup(seconds.clone());
    let error = few.load().await.expect_err("no answer").to_string();
    let warning = events.text();
    for said in [&warning, &error] {
        assert!(said.contains("contoso.azconfig.io"), "{said}");
        let named = format!("db:password: no answer yet: {kv}/db-password");
        assert!(said.contains(&named), "{said}");
        assert!(
            !said.contains("more") && !said.contains("kv-shared"),
            "{said}"
        );
    }
    assert!(warning.contains("still waiting"), "{warning}");

    // Three of five are enough for a line.
    let labels = SettingSelector::all().labels(["", "prod"]);
    let many = support::in_memory(&emulator)
        .select(labels)
        .startup(seconds.clone());
    let error = many.load().await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let error = error.to_string();
    assert_eq!(error.matches("no answer yet").count(), 3, "{error}");
    assert!(error.contains("; and 2 more"), "{error}");

    // The store's failure is over, so it is not what the start ended with.
    let unavailable = Fault::status(503).retry_after(4);
    faults.script(Route::store_list(), unavailable, Some(1));
    let startup = seconds.deadline(Duration::from_secs(12));
    let late = support::in_memory(&emulator).startup(startup);
    let error = late.load().await.expect_err("no answer").to_string();
    assert!(
        error.contains("kv-orders.vault.azure.net/db-password"),
        "{error}"
    );
    assert!(!error.contains("503"), "{error}");
}

/// Time does not mend a reference that names nothing, so it is neither tried again nor forgiven.
#[tokio::test(start_paused = true)]
async fn a_malformed_snapshot_reference_fails_at_once() {
    let emulator = support::world_in_memory();
    let reference = r#"application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8"#;
    let setting = Setting::new("release", r#"{"snapshot_nam":"x"}"#).content_type(reference);
    emulator.store("contoso").put(setting);
    for startup in [
        StartupOptions::new(),
        StartupOptions::new().fail_fast(),
        StartupOptions::new().optional(),
    ] {
        emulator.log().clear();
        let began = Instant::now();
        let load = support::in_memory(&emulator).startup(startup).load();
        let error = load.await.expect_err("a reference to nothing");
        assert_eq!(error.kind(), ErrorKind::Reference, "{error}");
        assert_eq!(error.key(), Some("release"));
        assert_eq!(emulator.log().count(Route::store()), 1, "asked once");
        assert!(began.elapsed() < Duration::from_secs(1), "at once");
    }
}

/// What the process ends with comes late, so that a crash loop turns slowly; what a person reads comes at once.
#[tokio::test(start_paused = true)]
async fn a_fatal_error_is_held_back_if_that_is_wanted() {
    let (events, _collecting) = events::capture("config_azure=error");
    let emulator = support::world_in_memory();
    let store = emulator.store("contoso");
    let patient = StartupOptions::new()
        .fail_fast()
        .failure_delay(Duration::from_secs(5));
    let load = |startup| support::in_memory(&emulator).startup(startup).load();

    let began = Instant::now();
    load(patient.clone()).await.expect("a load");
    load(StartupOptions::new()).await.expect("a load");
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "a load is not held back"
    );

    store.forbid(true);
    let began = Instant::now();
    let failing = load(patient.clone());
    tokio::pin!(failing);
    let soon = tokio::time::timeout(Duration::from_secs(1), &mut failing).await;
    assert!(soon.is_err(), "it is held back");
    let said = events.text();
    assert!(
        said.contains("403") && said.contains("contoso.azconfig.io"),
        "{said}"
    );
    let error = failing.await.expect_err("forbidden");
    assert_eq!(
        (error.kind(), began.elapsed()),
        (ErrorKind::Forbidden, Duration::from_secs(5))
    );

    let began = Instant::now();
    let error = load(StartupOptions::new().fail_fast())
        .await
        .expect_err("forbidden");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "at once, unless asked otherwise"
    );
    let emptily = load(patient.clone().optional())
        .await
        .expect("an empty start");
    assert!(!emptily.status().is_ready());
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "an error that is forgiven ends nothing"
    );

    // Not even the delay outlives the handle.
    let azure = support::in_memory(&emulator)
        .startup(patient)
        .build()
        .expect("a handle");
    let (ended, ()) = tokio::join!(azure.refresh(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        azure.shutdown().await;
    });
    assert_eq!(ended.expect_err("an end").kind(), ErrorKind::Closed);
    assert!(began.elapsed() < Duration::from_secs(3));
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
        .select(SettingSelector::keys("db:host"))
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

/// How a handle is set up, as the service is told of it.
#[tokio::test(start_paused = true)]
async fn the_tracing_header_tells_of_key_vault_only_if_it_can_be_read() {
    let emulator = support::world_in_memory();
    let new = KeyVaultOptions::new;
    let own_vault = VaultOptions::new("kv-orders").credential(emulator.credential());
    let resolver = Arc::new(MapResolver::new());
    let both = ",UsesKeyVault,RefreshesKeyVault";
    for (options, token, told) in [
        (new(), false, ""),
        (new(), true, both),
        (new().no_refresh(), true, ",UsesKeyVault"),
        (new().credential(emulator.credential()), false, both),
        (new().vault(own_vault), false, both),
        (new().resolver(resolver), false, both),
    ] {
        emulator.log().clear();
        let builder = AppConfiguration::builder()
            .connection_string(emulator.store("contoso").connection_string())
            .transport(emulator.transport())
            .environment(|name| (name == "DOTNET_ENVIRONMENT").then(|| "Development".to_owned()))
            .select(SettingSelector::keys("db:host"))
            .key_vault(options);
        let builder = match token {
            true => builder.credential(emulator.credential()),
            false => builder,
        };
        builder.load().await.expect("a load");
        let entry = &emulator.log().entries()[0];
        let header = entry.headers.get("correlation-context");
        assert_eq!(
            header.and_then(|value| value.to_str().ok()),
            Some(format!("RequestType=Startup,Env=Dev{told}").as_str())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_load_checks_and_reads_are_spans() {
    let (events, _collecting) = events::capture("config_azure=debug");
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator).load().await.expect("a load");
    tokio::time::sleep(Duration::from_secs(10)).await;
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

#[tokio::test(start_paused = true)]
async fn one_answer_and_one_check_take_no_longer_than_they_may() {
    let secs = Duration::from_secs;
    let emulator = support::world_in_memory();
    let builder = || support::in_memory(&emulator);
    for (answer, load, most) in [(secs(2), secs(60), secs(10)), (secs(30), secs(5), secs(5))] {
        let azure = builder()
            .timeouts(answer, load)
            .load()
            .await
            .expect("a load");
        emulator.faults().script(Route::store(), Fault::Hang, None);
        let started = Instant::now();
        let error = azure.refresh().await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let took = started.elapsed();
        assert!((answer.min(load)..=most).contains(&took), "{took:?}");
        emulator.faults().clear();
    }
    for nothing in [
        builder().timeouts(secs(0), secs(1)),
        builder().timeouts(secs(1), secs(0)),
        builder().limits(0, 1),
        builder().limits(1, 0),
    ] {
        let error = nothing.build().expect_err("nothing");
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }
}
