//! Snapshots, and references to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::scripted::{Reply, Scripted, Seen};
use super::{scripted, shown};
use crate::error::{ErrorKind, Result};
use crate::setting::WarningKind;
use crate::store::{Scope, SettingSelector, Store, Walk};

const REFERENCE: &str = "application/json; profile=\\\"https://azconfig.io/mime-profiles/snapshot-ref\\\"; charset=utf-8";

/// A little store: `/kv` of what it holds, and snapshots by name.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    settings: String,
    snapshots: BTreeMap<&'static str, (&'static str, &'static str, String)>,
}

impl Shelf {
    fn settings(&self, items: &[String]) {
        self.0.lock().unwrap().settings = items.join(",");
    }

    fn snapshot(
        &self,
        name: &'static str,
        status: &'static str,
        composition: &'static str,
        items: &[String],
    ) {
        let snapshot = (status, composition, items.join(","));
        self.0.lock().unwrap().snapshots.insert(name, snapshot);
    }

    fn client(&self, selectors: &[SettingSelector]) -> (Arc<Scripted>, Store) {
        let shelf = self.clone();
        scripted(selectors, move |seen| shelf.answer(seen))
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let state = self.0.lock().unwrap();
        let (path, query) = seen.line.split_once('?').unwrap();
        if let Some(name) = path.strip_prefix("/snapshots/") {
            return match state.snapshots.get(name) {
                None => Reply::status(404, &[]),
                Some((status, composition, _)) => {
                    let body = format!(
                        "{{\"name\":\"{name}\",\"status\":\"{status}\",\"composition_type\":\"{composition}\"}}"
                    );
                    Reply::json("snapshot", &body, &[])
                }
            };
        }
        if let Some((_, name)) = query.split_once("snapshot=") {
            let items = state
                .snapshots
                .get(name)
                .map(|(_, _, items)| items.as_str());
            return Reply::list(items.unwrap_or_default(), &[]);
        }
        let etag = format!(
            "\"{}\"",
            state.settings.len() * 31 + state.settings.bytes().map(usize::from).sum::<usize>()
        );
        match seen.header("if-none-match") == Some(&etag) {
            true => Reply::status(304, &[]),
            false => Reply::list(&state.settings, &[("etag", &etag)]),
        }
    }
}

fn item(key: &str, value: &str) -> String {
    format!("{{\"key\":\"{key}\",\"value\":\"{value}\"}}")
}

fn reference(key: &str, value: &str) -> String {
    let value = value.replace('"', "\\\"");
    format!("{{\"key\":\"{key}\",\"value\":\"{value}\",\"content_type\":\"{REFERENCE}\"}}")
}

fn to(name: &str) -> String {
    format!("{{\"snapshot_name\":\"{name}\",\"other\":1}}")
}

async fn load(store: &Store) -> Result<Walk> {
    store.load(&|_| {}).await
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_takes_its_turn_among_the_selectors() {
    let shelf = Shelf::default();
    shelf.settings(&[item("a", "live"), item("b", "live")]);
    shelf.snapshot(
        "s",
        "ready",
        "key",
        &[item("b", "frozen"), item("c", "frozen")],
    );
    let (_, store) = shelf.client(&[SettingSelector::all(), SettingSelector::snapshot("s")]);
    let walk = load(&store).await.unwrap();
    assert_eq!(shown(&walk), ["a=live", "b=frozen", "c=frozen"]);
    let (_, store) = shelf.client(&[SettingSelector::snapshot("s"), SettingSelector::all()]);
    let walk = load(&store).await.unwrap();
    assert_eq!(shown(&walk), ["a=live", "b=live", "c=frozen"]);
    assert_eq!(
        walk.settings().losers_of("b")[0].snapshot.as_deref(),
        Some("s")
    );
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_not_polled() {
    let shelf = Shelf::default();
    shelf.settings(&[reference("r", &to("s"))]);
    shelf.snapshot("s", "archived", "key", &[item("a", "1")]);
    let (transport, store) =
        shelf.client(&[SettingSelector::all(), SettingSelector::snapshot("s")]);
    let walk = load(&store).await.unwrap();
    transport.take();
    assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
    assert_eq!(transport.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_snapshot_is_a_warning_and_seen_when_it_appears() {
    let shelf = Shelf::default();
    shelf.settings(&[item("a", "1")]);
    shelf.snapshot("making", "provisioning", "key", &[item("b", "1")]);
    let selectors = [
        SettingSelector::all(),
        SettingSelector::snapshot("gone"),
        SettingSelector::snapshot("making"),
    ];
    let (_, store) = shelf.client(&selectors);
    let walk = load(&store).await.unwrap();
    assert_eq!(shown(&walk), ["a=1"]);
    let warnings: Vec<String> = walk.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "the snapshot 'gone' does not exist or is not ready",
            "the snapshot 'making' does not exist or is not ready"
        ]
    );
    assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
    shelf.snapshot("making", "ready", "key", &[item("b", "1")]);
    let new = store.check(&walk, Scope::Both).await.unwrap().unwrap();
    assert_eq!(shown(&new), ["a=1", "b=1"]);
    assert_eq!(new.warnings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_required_snapshot_must_be_there_and_of_one_value_per_key() {
    let shelf = Shelf::default();
    shelf.snapshot("mixed", "ready", "key_label", &[]);
    let (_, store) = shelf.client(&[SettingSelector::snapshot("gone").required()]);
    let error = load(&store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("'gone'"));
    let (_, store) = shelf.client(&[SettingSelector::snapshot("mixed")]);
    let error = load(&store).await.unwrap_err();
    assert!(
        error.to_string().contains("composition must be `key`"),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn references_are_expanded_in_place_and_in_server_order() {
    let shelf = Shelf::default();
    shelf.settings(&[
        item("a", "live"),
        reference("m", &to("s")),
        item("z", "live"),
    ]);
    shelf.snapshot(
        "s",
        "ready",
        "key",
        &[
            item("a", "frozen"),
            item("q", "frozen"),
            item("z", "frozen"),
            reference("zz", &to("other")),
        ],
    );
    let (_, store) = shelf.client(&[]);
    let walk = load(&store).await.unwrap();
    // What sorts after the reference overrides it; a reference inside a snapshot is not followed.
    assert_eq!(shown(&walk), ["a=frozen", "q=frozen", "z=live"]);
    assert!(walk.warnings().is_empty());
    assert_eq!(walk.settings().losers_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_moves_is_followed() {
    let shelf = Shelf::default();
    shelf.settings(&[reference("r", &to("one"))]);
    shelf.snapshot("one", "ready", "key", &[item("a", "1")]);
    shelf.snapshot("two", "ready", "key", &[item("a", "2")]);
    let (transport, store) = shelf.client(&[]);
    let walk = load(&store).await.unwrap();
    shelf.settings(&[reference("r", &to("two")), reference("s", &to("gone"))]);
    let new = store.check(&walk, Scope::Both).await.unwrap().unwrap();
    assert_eq!(shown(&new), ["a=2"]);
    assert_eq!(new.warnings().len(), 1);
    assert_eq!(new.warnings()[0].kind(), WarningKind::MissingSnapshot);
    assert_eq!(new.warnings()[0].key(), Some("s"));
    // Only the missing one is looked for again.
    transport.take();
    assert!(store.check(&new, Scope::Both).await.unwrap().is_none());
    let lines: Vec<String> = transport.take().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with("/snapshots/gone?"));
    shelf.snapshot("gone", "ready", "key", &[item("b", "3")]);
    let new = store.check(&new, Scope::Both).await.unwrap().unwrap();
    assert_eq!(shown(&new), ["a=2", "b=3"]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_reference_is_an_error_that_names_it() {
    for value in [
        "hunter2",
        "{}",
        "{\"snapshot_name\":5}",
        "{\"snapshot_name\":\" \"}",
        "{\"snapshot_name\":\"hunter2%\"}",
        "{\"snapshot_name\":\"..\"}",
        "[]",
        "",
    ] {
        let shelf = Shelf::default();
        shelf.settings(&[reference("r", value)]);
        let (transport, store) = shelf.client(&[]);
        let error = load(&store).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.key()),
            (ErrorKind::Reference, Some("r"))
        );
        assert_eq!(transport.take().len(), 1, "nothing is asked for it");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(!error.is_transient());
    }
}
