//! What only a handle put together by hand can show.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::HttpClient;
use config_azure_emulator::{Emulator, Fault, Route};

use super::AppConfiguration;
use crate::load::Pipeline;
use crate::publication::Publication;
use crate::reference::{KeyVaultOptions, References};
use crate::refresh::RefreshOptions;
use crate::startup::StartupOptions;
use crate::store::{
    Endpoint, LookupFailed, Selection, SrvLookup, SrvRecord, Store, StoreCredential, StoreOptions,
};
use crate::time::FollowingClock;
use crate::transport::{Guard, HostKind, HostPolicy, Limits};
use crate::tree::Shape;

const PRIMARY: &str = "contoso.azconfig.io";
const REPLICA: &str = "contoso-eu.azconfig.io";

/// Knows the replica, or nothing for ever.
#[derive(Debug)]
enum Names {
    Known,
    Hanging,
}

#[async_trait]
impl SrvLookup for Names {
    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
        let target = match name.split('.').next() {
            _ if matches!(self, Self::Hanging) => std::future::pending().await,
            Some("_origin") => PRIMARY,
            Some("_alt0") => REPLICA,
            _ => return Ok(Vec::new()),
        };
        Ok(vec![SrvRecord {
            priority: 1,
            weight: 1,
            target: target.to_owned(),
        }])
    }
}

fn world() -> Emulator {
    let emulator = Emulator::builder()
        .store("contoso")
        .store("contoso-eu")
        .in_memory();
    for name in ["contoso", "contoso-eu"] {
        emulator.store(name).set("a", None, name);
    }
    emulator
}

fn handle(emulator: &Emulator, names: Names) -> AppConfiguration {
    let credential = StoreCredential::Token {
        credential: emulator.credential(),
        audience: None,
        rejected: None,
    };
    let endpoint = format!("https://{PRIMARY}");
    let selection = Selection::new(&[], &[]).unwrap();
    let mut options = StoreOptions::new(
        vec![Endpoint::parse(&endpoint).unwrap()],
        credential,
        selection,
    );
    options.discovery = Some(Arc::new(names));
    let clock = Arc::new(FollowingClock::new());
    let transport: Arc<dyn HttpClient> = emulator.transport();
    let hosts = HostPolicy::new();
    let guard = Guard::new(transport, hosts.clone(), Limits::default());
    let store = Store::new(options, Arc::clone(&guard), clock.clone()).unwrap();
    let vaults = KeyVaultOptions::new();
    let permit = move |origin| hosts.permit(origin, HostKind::Vault);
    let references = References::new(vaults, None, guard, permit, clock.clone()).unwrap();
    let publication = Publication::new(clock, Duration::from_secs(30));
    let pipeline = Pipeline::new(&endpoint, store, references, Shape::default(), publication);
    AppConfiguration::new(pipeline, StartupOptions::new(), RefreshOptions::new(), true)
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_found_saves_the_first_load() {
    let emulator = world();
    let gone = Route::any().host(PRIMARY);
    emulator.faults().script(gone, Fault::Refuse, None);
    let azure = handle(&emulator, Names::Known);
    let started = tokio::time::Instant::now();
    azure.ensure_loaded().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    let loaded = azure.loaded().unwrap();
    assert_eq!(loaded.endpoint(), format!("https://{REPLICA}"));
    // The background goes on with what was found.
    let status = azure.status();
    assert_eq!(status.endpoints.len(), 2);
    assert!(status.endpoints[1].discovered && status.running);
}

#[tokio::test(start_paused = true)]
async fn f53_no_load_waits_for_discovery() {
    let emulator = world();
    let azure = handle(&emulator, Names::Hanging);
    let started = tokio::time::Instant::now();
    azure.ensure_loaded().await.unwrap();
    azure.refresh().await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
}

/// What `build()` makes looks for replicas if that was asked for, and not otherwise.
#[cfg(feature = "replica_discovery")]
#[test]
fn replicas_are_looked_for_only_if_that_is_wanted() {
    let text = "Endpoint=https://contoso.azconfig.io;Id=a;Secret=c2VjcmV0LWtleQ==";
    let builder = || AppConfiguration::builder().connection_string(text);
    let discovers = |builder: crate::AppConfigurationBuilder| {
        let azure = builder.build().unwrap();
        azure.shared.pipeline.store().discovers()
    };
    assert!(!discovers(builder()));
    assert!(!discovers(builder().replica_discovery(false)));
    assert!(discovers(builder().replica_discovery(true)));
}
