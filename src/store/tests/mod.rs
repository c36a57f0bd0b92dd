//! The store against the emulator's in-memory front, on a paused clock.

use std::sync::{Arc, Mutex};

use azure_core::http::HttpClient;
use config_azure_emulator::{Emulator, Route, StoreHandle};

use self::scripted::{Reply, Scripted, Seen};
use super::{
    ConnectionString, Endpoint, Progress, Selection, SettingSelector, Store, StoreCredential,
    StoreOptions, Walk,
};
use crate::setting::Selected;
use crate::time::FollowingClock;
use crate::transport::{Guard, HostPolicy, Limits};

mod checking;
mod discovery;
mod emulated;
#[cfg(unix)]
mod exhaustion;
mod failing;
mod lag;
mod latency;
mod loading;
mod network;
mod no_token;
mod paging;
mod recorded_snapshots;
mod recordings;
mod replicas;
mod scripted;
mod sentinels;
mod signing;
mod snapshots;

/// A store in the emulator and a client for it.
struct World {
    emulator: Emulator,
    remote: StoreHandle,
    store: Store,
}

impl World {
    /// The client selects with `selectors`; the store is named contoso.
    fn new(selectors: &[SettingSelector]) -> Self {
        Self::with(selectors, |_| {})
    }

    fn with(selectors: &[SettingSelector], change: impl FnOnce(&mut StoreOptions)) -> Self {
        let emulator = Emulator::builder().store("contoso").in_memory();
        let remote = emulator.store("contoso");
        let store = client(&emulator, &["contoso"], selectors, change);
        Self {
            emulator,
            remote,
            store,
        }
    }

    async fn load(&self) -> Walk {
        self.store.load(&|_| {}).await.unwrap()
    }

    fn requests(&self, route: Route) -> usize {
        self.emulator.log().count(route)
    }
}

/// A client of one or more emulated stores, by token.
fn client(
    emulator: &Emulator,
    names: &[&str],
    selectors: &[SettingSelector],
    change: impl FnOnce(&mut StoreOptions),
) -> Store {
    let endpoints: Vec<String> = names
        .iter()
        .map(|name| emulator.store(name).endpoint())
        .collect();
    over(
        emulator.transport(),
        &token(emulator),
        &endpoints,
        selectors,
        change,
    )
}

fn token(emulator: &Emulator) -> StoreCredential {
    StoreCredential::Token {
        credential: emulator.credential(),
        audience: None,
        rejected: None,
    }
}

/// A client over any transport.
fn over(
    transport: Arc<dyn HttpClient>,
    credential: &StoreCredential,
    endpoints: &[impl AsRef<str>],
    selectors: &[SettingSelector],
    change: impl FnOnce(&mut StoreOptions),
) -> Store {
    let endpoints = endpoints
        .iter()
        .map(|text| Endpoint::parse(text.as_ref()).unwrap());
    let selection = Selection::new(selectors, &[]).unwrap();
    let mut options = StoreOptions::new(endpoints.collect(), credential.clone(), selection);
    change(&mut options);
    let guard = Guard::new(transport, HostPolicy::new(), Limits::default());
    Store::new(options, guard, Arc::new(FollowingClock::new())).unwrap()
}

/// A client of a store that is nothing but a script, by access key.
fn scripted(
    selectors: &[SettingSelector],
    script: impl FnMut(&Seen) -> Reply + Send + 'static,
) -> (Arc<Scripted>, Store) {
    scripted_with(selectors, |_| {}, script)
}

fn scripted_with(
    selectors: &[SettingSelector],
    change: impl FnOnce(&mut StoreOptions),
    script: impl FnMut(&Seen) -> Reply + Send + 'static,
) -> (Arc<Scripted>, Store) {
    let transport = Scripted::new(None, script);
    let text = "Endpoint=https://contoso.azconfig.io;Id=a;Secret=c2VjcmV0LWtleQ==";
    let parsed = ConnectionString::parse(text).unwrap();
    let credential = StoreCredential::AccessKey(parsed.key);
    let endpoints = ["https://contoso.azconfig.io"];
    let store = over(
        transport.clone(),
        &credential,
        &endpoints,
        selectors,
        change,
    );
    (transport, store)
}

/// `key=value` of the winners.
fn shown(walk: &Walk) -> Vec<String> {
    walk.settings().winners().iter().map(one).collect()
}

fn one(selected: &Selected) -> String {
    let setting = &selected.setting;
    format!("{}={}", setting.key(), setting.value().unwrap_or("(null)"))
}

/// Notes what a load tells.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, progress: &Progress<'_>) {
        let text = match progress {
            Progress::Page { query, settings } => format!("{query}: {} settings", settings.len()),
            Progress::QueryDone { query } => format!("{query}: done"),
            Progress::Restarted => "restarted".to_owned(),
        };
        self.0.lock().unwrap().push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_store_and_its_futures_can_be_sent() {
    fn sent<T: Send>(_: T) {}
    let world = World::new(&[]);
    let walk = |_: Progress<'_>| {};
    sent(world.store.load(&walk));
}
