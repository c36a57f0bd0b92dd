//! The store against the emulator's in-memory front, on a paused clock.

use std::sync::{Arc, Mutex};

use config_azure_emulator::{Emulator, Route, StoreHandle};

use super::{
    Endpoint, Progress, Selection, SettingSelector, Store, StoreCredential, StoreOptions, Walk,
};
use crate::setting::Selected;
use crate::time::FollowingClock;
use crate::transport::{Guard, HostPolicy, Limits};

mod checking;
mod loading;

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
    let endpoints = names
        .iter()
        .map(|name| Endpoint::parse(&emulator.store(name).endpoint()).unwrap())
        .collect();
    let credential = StoreCredential::Token {
        credential: emulator.credential(),
        audience: None,
        rejected: None,
    };
    let selection = Selection::new(selectors, &[]).unwrap();
    let mut options = StoreOptions::new(endpoints, credential, selection);
    change(&mut options);
    let guard = Guard::new(emulator.transport(), HostPolicy::new(), Limits::default());
    Store::new(options, guard, Arc::new(FollowingClock::new())).unwrap()
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
    sent(world.store.sentinels(&super::SentinelMarks::default()));
}
