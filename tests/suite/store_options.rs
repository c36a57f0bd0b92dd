//! The store's options, each through the public builder: what it changes in the requests and in what comes out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, Error, ErrorKind, RefreshOptions, RefreshOutcome,
    SettingSelector, StartupOptions, WarningKind,
};
use config_azure_emulator::{Emulator, Fault, Route, Setting};

use crate::support::{self, secs};

const PRIMARY: &str = "contoso.azconfig.io";
const REPLICA: &str = "contoso-eu.azconfig.io";
const FLAG: &str = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";

/// A store with one replica.
fn pair() -> Emulator {
    support::pin_draws();
    let builder = Emulator::builder().store("contoso");
    let emulator = builder.replica("contoso", "contoso-eu").in_memory();
    emulator.store("contoso").set("title", None, "Hello");
    emulator
}

/// On the first endpoint, refreshed by hand.
fn by_hand(emulator: &Emulator) -> AppConfigurationBuilder {
    support::in_memory(emulator).refresh(RefreshOptions::new().disabled())
}

async fn refused(builder: AppConfigurationBuilder) -> Error {
    builder.load().await.expect_err("more than it may be")
}

/// The hosts that were asked since the last call, in order.
fn asked(emulator: &Emulator) -> Vec<String> {
    let entries = emulator.log().entries();
    emulator.log().clear();
    entries.into_iter().map(|entry| entry.host).collect()
}

fn title(azure: &AppConfiguration) -> String {
    let config = config::Config::builder().add_source(azure.clone());
    let config = config.build().expect("a configuration");
    config.get_string("title").expect("a title")
}

/// However they were given, further endpoints serve where the first does not, within the same load; in the order given.
#[tokio::test(start_paused = true)]
async fn further_endpoints_stand_in_for_the_first() {
    let origins = [PRIMARY, REPLICA].map(|host| format!("https://{host}"));
    let repeated = |emulator: &Emulator| by_hand(emulator).endpoint(&origins[1]);
    let listed = |emulator: &Emulator| {
        AppConfiguration::builder()
            .endpoints(&origins)
            .credential(emulator.credential())
            .transport(emulator.transport())
            .refresh(RefreshOptions::new().disabled())
    };
    let by_key = |emulator: &Emulator| {
        AppConfiguration::builder()
            .connection_string(emulator.store("contoso").connection_string())
            .endpoint(&origins[1])
            .transport(emulator.transport())
            .refresh(RefreshOptions::new().disabled())
    };
    let ways: [&dyn Fn(&Emulator) -> AppConfigurationBuilder; 3] = [&repeated, &listed, &by_key];
    for (at, way) in ways.into_iter().enumerate() {
        let emulator = pair();
        let healthy = way(&emulator).load().await.expect("a load");
        assert_eq!(asked(&emulator), [PRIMARY], "{at}");
        assert_eq!(healthy.loaded().expect("a load").endpoint(), origins[0]);

        let down = Route::any().host(PRIMARY);
        emulator.faults().script(down, Fault::Refuse, None);
        let azure = way(&emulator).load().await.expect("a load elsewhere");
        assert_eq!(title(&azure), "Hello");
        let entries = emulator.log().entries();
        let told = entries[1].header("correlation-context").expect("a header");
        assert!(told.contains("ReplicaCount=1"), "{told}");
        assert!(told.ends_with(",Failover"), "{told}");
        assert_eq!(asked(&emulator), [PRIMARY, REPLICA], "{at}");
        assert_eq!(azure.loaded().expect("a load").endpoint(), origins[1]);
        let status = azure.status().endpoints;
        let known: Vec<_> = status
            .iter()
            .map(|one| (one.endpoint.as_str(), one.discovered, one.failures))
            .collect();
        let both = [
            (origins[0].as_str(), false, 1),
            (origins[1].as_str(), false, 0),
        ];
        assert_eq!(known, both, "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn load_balancing_gives_each_operation_to_the_next_endpoint() {
    for (on, hosts) in [
        (true, [PRIMARY, REPLICA, PRIMARY, REPLICA]),
        (false, [PRIMARY; 4]),
    ] {
        let emulator = pair();
        let builder = by_hand(&emulator).endpoint(format!("https://{REPLICA}"));
        let azure = builder.load_balancing(on).load().await.expect("a load");
        for _ in 0..3 {
            tokio::time::sleep(secs(30)).await;
            let outcome = azure.refresh().await.expect("a check");
            assert!(matches!(outcome, RefreshOutcome::Unchanged), "{outcome:?}");
        }
        let entries = emulator.log().entries();
        for entry in entries {
            let told = entry.header("correlation-context").expect("a header");
            assert_eq!(told.contains("Features=LB"), on, "{told}");
            assert!(!told.contains("Failover"), "a turn is no failover: {told}");
        }
        assert_eq!(asked(&emulator), hosts, "load balancing {on}");
    }
}

/// The bytes of one page, and those of all pages of a load together.
#[tokio::test(start_paused = true)]
async fn limits_bound_a_page_and_a_load() {
    let emulator = pair();
    let store = emulator.store("contoso");
    store.page_size(1);
    for key in ["one", "two", "three"] {
        store.set(key, None, "x".repeat(10_000));
    }
    let load = |page: usize, load: usize| by_hand(&emulator).limits(page, load);
    for (page, whole, fits) in [
        (16 << 10, 64 << 10, true),
        (8 << 10, 64 << 10, false),
        (16 << 10, 24 << 10, false),
        (16 << 10, 40 << 10, true),
    ] {
        emulator.log().clear();
        let began = tokio::time::Instant::now();
        match fits {
            true => drop(load(page, whole).load().await.expect("it fits")),
            false => {
                let error = refused(load(page, whole)).await;
                assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
                assert_eq!(error.endpoint(), Some("https://contoso.azconfig.io"));
                assert!(!error.is_transient());
                assert!(began.elapsed() < secs(1), "waiting does not mend it");
            }
        }
        let entries = emulator.log().entries();
        let pages: BTreeSet<&str> = entries.iter().map(|entry| entry.query.as_str()).collect();
        assert_eq!(pages.len(), entries.len(), "no page is asked for twice");
    }

    // A store that grew beyond is a failed check: what was good stays.
    let azure = load(16 << 10, 40 << 10).load().await.expect("it fits");
    store.set("one", None, "x".repeat(20_000));
    let error = azure.refresh().await.expect_err("too large a page");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(title(&azure), "Hello");
}

/// By default an invalid flag is left out and reported; strictly, it fails the load, and later the check.
#[tokio::test(start_paused = true)]
async fn strict_feature_flags_refuse_what_is_otherwise_left_out() {
    let emulator = pair();
    let store = emulator.store("contoso");
    let flag = |name: &str, json: &str| {
        let key = format!(".appconfig.featureflag/{name}");
        store.put(Setting::new(key, json).content_type(FLAG));
    };
    flag("Beta", r#"{"id":"Beta","enabled":true}"#);
    let flags = || by_hand(&emulator).feature_flags(SettingSelector::all());
    let strict = flags().strict_feature_flags().load().await;
    let strict = strict.expect("every flag is valid");

    flag("Broken", "hunter2 is not json");
    let lenient = flags().load().await.expect("a load");
    let loaded = lenient.loaded().expect("a load");
    let warnings: Vec<_> = loaded
        .warnings()
        .iter()
        .map(|warning| (warning.kind(), warning.key()))
        .collect();
    let broken = Some(".appconfig.featureflag/Broken");
    assert_eq!(warnings, [(WarningKind::InvalidFlag, broken)]);
    assert!(!format!("{:?}", loaded.warnings()).contains("hunter2"));
    let config = config::Config::builder().add_source(lenient.clone());
    let config = config.build().expect("a configuration");
    let valid = config.get_array("feature_management.feature_flags");
    assert_eq!(valid.expect("the flags").len(), 1);

    let refused = [
        refused(flags().strict_feature_flags()).await,
        strict.refresh().await.expect_err("an invalid flag"),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
        assert_eq!(error.key(), broken);
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    assert_eq!(strict.loaded().expect("what was good").generation(), 1);
}

/// The version that was asked for goes with every request, and a cloud that lags behind refuses it by name.
#[tokio::test(start_paused = true)]
async fn the_api_version_goes_with_every_request() {
    let emulator = pair();
    for version in [None, Some("2024-09-01")] {
        let builder = by_hand(&emulator);
        let builder = match version {
            Some(version) => builder.api_version(version),
            None => builder,
        };
        let azure = builder.load().await.expect("a load");
        azure.refresh().await.expect("a check");
        let entries = emulator.log().entries();
        assert_eq!(entries.len(), 2);
        let sent = format!("api-version={}", version.unwrap_or("2023-11-01"));
        assert!(entries.iter().all(|entry| entry.query.contains(&sent)));
        emulator.log().clear();
    }
    emulator.store("contoso").newest_api_version("2023-11-01");
    let error = refused(by_hand(&emulator).api_version("2024-09-01")).await;
    assert_eq!(error.status(), Some(400));
}

/// A custom domain or cloud has an audience of its own.
#[tokio::test(start_paused = true)]
async fn the_audience_is_that_of_the_tokens() {
    let emulator = pair();
    let own = "https://appconfig.contoso.example";
    emulator.store("contoso").audiences(&[own]);
    by_hand(&emulator)
        .audience(own)
        .load()
        .await
        .expect("a load");
    let patience = StartupOptions::new().deadline(secs(2));
    let inferred = by_hand(&emulator).startup(patience);
    let error = refused(inferred).await;
    assert!(error.is_credential(), "{error}");
    assert!(error.to_string().contains("audience"), "{error}");
}

/// A client of the application's own.
#[derive(Debug)]
struct Counting(Arc<dyn HttpClient>, AtomicUsize);

#[async_trait::async_trait]
impl HttpClient for Counting {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.execute_request(request).await
    }
}

/// Whatever client of the Azure SDK is given, nothing goes past it: neither to the store nor to a vault.
#[tokio::test(start_paused = true)]
async fn every_request_goes_through_the_client_that_was_given() {
    let emulator = support::world_in_memory();
    let counting = Arc::new(Counting(emulator.transport(), AtomicUsize::new(0)));
    let builder = by_hand(&emulator).transport(Arc::<Counting>::clone(&counting));
    let azure = builder.load().await.expect("a load");
    tokio::time::sleep(secs(60)).await;
    azure.refresh().await.expect("a check");
    let log = emulator.log();
    assert!(log.count(Route::store()) > 1 && log.count(Route::vault()) > 2);
    assert_eq!(counting.1.load(Ordering::Relaxed), log.entries().len());
}
