//! What a request carries, and clocks that are off.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use config_azure_emulator::{Emulator, Fault, Route};

use super::scripted::{Reply, Scripted};
use super::{over, scripted, shown, token};
use crate::error::ErrorKind;
use crate::store::{
    ConnectionString, Endpoint, Selection, SettingSelector, Store, StoreCredential, StoreOptions,
    TracingEnvironment,
};
use crate::time::{FollowingClock, WallClock};
use crate::transport::{Guard, HostPolicy, Limits};

/// The paused clock, moved by so many seconds.
#[derive(Debug)]
struct Off(FollowingClock, i64);

impl WallClock for Off {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.1.unsigned_abs());
        match self.1 < 0 {
            true => self.0.now() - by,
            false => self.0.now() + by,
        }
    }
}

/// A client by access key whose clock is off.
fn signing(emulator: &Emulator, off: i64) -> Store {
    let text = emulator.store("contoso").connection_string();
    let parsed = ConnectionString::parse(&text).unwrap();
    let selectors = [SettingSelector::keys("a b/c%*").labels(["", "ü x"])];
    let options = StoreOptions::new(
        vec![parsed.endpoint],
        StoreCredential::AccessKey(parsed.key),
        Selection::new(&selectors, &[]).unwrap(),
    );
    let guard = Guard::new(emulator.transport(), HostPolicy::new(), Limits::default());
    Store::new(options, guard, Arc::new(Off(FollowingClock::new(), off))).unwrap()
}

fn emulator() -> Emulator {
    let emulator = Emulator::builder().store("contoso").in_memory();
    emulator.store("contoso").set("a b/c%d", "ü x", "1");
    emulator
}

#[tokio::test(start_paused = true)]
async fn signatures_verify_byte_by_byte_and_age() {
    let emulator = emulator();
    let store = signing(&emulator, 0);
    assert_eq!(shown(&store.load(&|_| {}).await.unwrap()), ["a b/c%d=1"]);
    // A retry is signed anew: the first attempt's date would be too old by then.
    tokio::time::advance(Duration::from_secs(20 * 60)).await;
    emulator.faults().script(
        Route::store_list(),
        Fault::status(503).retry_after_ms(2000),
        Some(1),
    );
    store.load(&|_| {}).await.unwrap();
    let dates: Vec<_> = emulator
        .log()
        .entries()
        .iter()
        .map(|entry| entry.header("x-ms-date").unwrap().to_owned())
        .collect();
    assert_ne!(dates[2], dates[3]);
}

#[tokio::test(start_paused = true)]
async fn f46_a_clock_that_is_off_is_corrected_once() {
    for (off, requests) in [
        (0, 2),
        (890, 2),
        (-890, 2),
        (960, 3),
        (-3600, 3),
        (-2 * 86_400, 3),
        (30 * 86_400, 3),
    ] {
        let emulator = emulator();
        let store = signing(&emulator, off);
        store.load(&|_| {}).await.unwrap();
        assert_eq!(emulator.log().count(Route::any()), requests, "{off} s");
        emulator.log().clear();
        store.load(&|_| {}).await.unwrap();
        assert_eq!(emulator.log().count(Route::any()), 2, "{off} s: once");
    }
}

#[tokio::test(start_paused = true)]
async fn f45_a_clock_that_is_put_right_again_is_followed() {
    let emulator = emulator();
    emulator.clock().set_skew(time_hours(1));
    let store = signing(&emulator, 0);
    store.load(&|_| {}).await.unwrap();
    emulator.clock().set_skew(time_hours(0));
    store.load(&|_| {}).await.unwrap();
}

fn time_hours(hours: i64) -> azure_core::time::Duration {
    azure_core::time::Duration::hours(hours)
}

/// No clock is put right by it, and whoever reads the error learns that one is wrong.
#[tokio::test(start_paused = true)]
async fn f49_an_absurd_date_is_ignored() {
    for date in ["Fri, 31 Dec 9999 23:59:59 GMT", "yesterday", ""] {
        for (described, clock) in [
            ("The access token has expired", true),
            ("Invalid access token date", true),
            ("Invalid Credential", false),
            ("Invalid Signature", false),
        ] {
            let told =
                format!("HMAC-SHA256 error=\"invalid_token\" error_description=\"{described}\"");
            let (transport, store) = scripted(&[], move |_| {
                Reply::status(401, &[("date", date), ("www-authenticate", &told)])
            });
            let error = store.load(&|_| {}).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credential);
            assert_eq!(transport.take().len(), 1);
            let hinted = error.to_string().contains("check this machine's clock");
            assert_eq!(hinted, clock, "{described}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f08_an_unknown_key_is_asked_once() {
    let emulator = emulator();
    let store = signing(&emulator, 0);
    emulator.store("contoso").rotate_keys();
    let error = store.load(&|_| {}).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Credential, Some(401))
    );
    assert_eq!(emulator.log().count(Route::any()), 1);
}

#[tokio::test(start_paused = true)]
async fn f07_a_refused_token_is_given_up_and_asked_for_again_once() {
    let emulator = emulator();
    emulator
        .faults()
        .script(Route::store_list(), Fault::status(401), Some(1));
    let told = Arc::new(AtomicUsize::new(0));
    let counter = told.clone();
    let credential = StoreCredential::Token {
        credential: emulator.credential(),
        audience: None,
        rejected: Some(Arc::new(move |scope: &str, token: &str| {
            assert!(!token.is_empty());
            assert_eq!(scope, "https://azconfig.io/.default");
            counter.fetch_add(1, Ordering::Relaxed);
            true
        })),
    };
    let endpoints = [emulator.store("contoso").endpoint()];
    let store = over(emulator.transport(), &credential, &endpoints, &[], |_| {});
    store.load(&|_| {}).await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert_eq!(emulator.log().count(Route::any()), 2);
    emulator.log().clear();
    emulator
        .faults()
        .script(Route::store_list(), Fault::status(401), None);
    assert!(store.load(&|_| {}).await.unwrap_err().is_credential());
    assert_eq!(
        emulator.log().count(Route::any()),
        2,
        "one more, not a loop"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_audience_gets_a_hint() {
    let emulator = emulator();
    let StoreCredential::Token { credential, .. } = token(&emulator) else {
        panic!("a token")
    };
    let credential = StoreCredential::Token {
        credential,
        audience: Some("https://vault.azure.net".into()),
        rejected: None,
    };
    let endpoints = [emulator.store("contoso").endpoint()];
    let store = over(emulator.transport(), &credential, &endpoints, &[], |_| {});
    let error = store.load(&|_| {}).await.unwrap_err();
    assert!(error.is_credential());
    assert!(error.to_string().contains("audience"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn credentials_and_endpoints_that_must_not_meet() {
    let emulator = emulator();
    let refused = |endpoint: &str, credential: StoreCredential| {
        let endpoint = Endpoint::parse(endpoint).unwrap();
        let options = StoreOptions::new(
            vec![endpoint],
            credential,
            Selection::new(&[], &[]).unwrap(),
        );
        let guard = Guard::new(emulator.transport(), HostPolicy::new(), Limits::default());
        Store::new(options, guard, Arc::new(FollowingClock::new())).is_err()
    };
    assert!(refused("http://localhost:8483", token(&emulator)));
    assert!(refused(
        "https://contoso.azconfig.io",
        StoreCredential::Anonymous
    ));
    assert!(!refused(
        "http://localhost:8483",
        StoreCredential::Anonymous
    ));
    assert!(!refused("https://localhost:8483", token(&emulator)));
}

#[tokio::test(start_paused = true)]
async fn headers_of_a_request() {
    let (transport, store) = scripted(&[], |seen| {
        let number = if seen.header("sync-token").is_some() {
            2
        } else {
            1
        };
        let token = format!("id=abc==;sn={number}");
        Reply::list("", &[("sync-token", &token), ("etag", "\"e\"")])
    });
    let walk = store.load(&|_| {}).await.unwrap();
    store.check(&walk, crate::store::Scope::Both).await.unwrap();
    let seen = transport.take();
    let first = &seen[0];
    assert_eq!(
        first.header("accept"),
        Some("application/vnd.microsoft.appconfig.kvset+json, application/problem+json")
    );
    assert!(
        first
            .header("user-agent")
            .unwrap()
            .starts_with("config-azure/")
    );
    assert_eq!(
        first.header("correlation-context"),
        Some("RequestType=Startup")
    );
    assert_eq!(first.header("sync-token"), None);
    assert_eq!(
        seen[1].header("correlation-context"),
        Some("RequestType=Watch")
    );
    assert_eq!(seen[1].header("sync-token"), Some("id=abc=="));
    assert!(store.apply_sync_token("Contoso.azconfig.io", "id=pushed;sn=9"));
    assert!(!store.apply_sync_token("Contoso.azconfig.io", "id=pushed;sn=9"));
    assert!(!store.apply_sync_token("fabrikam.azconfig.io", "id=pushed;sn=10"));
    store.check(&walk, crate::store::Scope::Both).await.unwrap();
    let pushed = &transport.take()[0];
    assert_eq!(pushed.header("sync-token"), Some("id=pushed"));
    assert_eq!(
        pushed.header("correlation-context"),
        Some("RequestType=Watch,PushRefresh")
    );
}

#[tokio::test(start_paused = true)]
async fn tracing_can_be_turned_off() {
    let emulator = emulator();
    let transport = Scripted::new(Some(emulator.transport()), |_| Reply::Pass);
    let endpoints = [emulator.store("contoso").endpoint()];
    let off = TracingEnvironment::read(|name| {
        (name == "AZURE_APP_CONFIGURATION_TRACING_DISABLED").then(|| "True".to_owned())
    });
    let store = over(
        transport.clone(),
        &token(&emulator),
        &endpoints,
        &[],
        |options| options.environment = off,
    );
    store.load(&|_| {}).await.unwrap();
    assert_eq!(transport.take()[0].header("correlation-context"), None);
}

/// What support asks for, as far as it is a plain word.
#[tokio::test(start_paused = true)]
async fn t07_an_error_has_the_services_id_of_the_request() {
    let two = ["x-ms-request-id", "x-ms-correlation-request-id"];
    for (name, id, shown) in [
        (two[0], "7f3e-41", Some("7f3e-41")),
        (two[1], "c0de", Some("c0de")),
        (two[0], "a\u{7}b<script>", Some("abscript")),
        (two[0], "", None),
        ("x-ms-client-request-id", "ours", None),
    ] {
        let (_, store) = scripted(&[], move |_| Reply::status(403, &[(name, id)]));
        let error = store.load(&|_| {}).await.unwrap_err();
        assert_eq!(error.request_id(), shown, "{name}");
        let text = shown.map(|id| format!("status '403', request id '{id}')"));
        let text = text.unwrap_or_else(|| "status '403')".to_owned());
        assert!(error.to_string().ends_with(&text), "{error}");
    }
}
