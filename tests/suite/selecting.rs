//! Selectors and feature flags through a handle: the requests that they become and the values that come out.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::SystemTime;

use config::{Config, Value};
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, ErrorKind, RefreshOptions, SettingSelector,
    WarningKind,
};
use config_azure_emulator::{
    Composition, Emulator, Fault, NewSnapshot, Route, Setting, StoreHandle,
};
use serde::Deserialize;
use tokio::time::sleep;

use crate::support::{self, secs};

const FLAG: &str = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";
const FLAGS: &str = ".appconfig.featureflag";

fn store() -> (Emulator, StoreHandle) {
    support::pin_draws();
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    (emulator, store)
}

fn by_hand(emulator: &Emulator) -> AppConfigurationBuilder {
    support::in_memory(emulator).refresh(RefreshOptions::new().disabled())
}

fn flag(store: &StoreHandle, id: &str, enabled: bool, label: &str) {
    let json = format!(r#"{{"id":"{id}","enabled":{enabled},"conditions":{{}}}}"#);
    let setting = Setting::new(format!("{FLAGS}/{id}"), json);
    store.put(setting.label(label).content_type(FLAG));
}

fn built(azure: &AppConfiguration) -> Config {
    let config = Config::builder().add_source(azure.clone());
    config.build().expect("a configuration")
}

fn text(azure: &AppConfiguration, path: &str) -> Option<String> {
    built(azure).get_string(path).ok()
}

/// The identifiers and states of the flags of a configuration, as Microsoft's feature management reads them.
fn flags(config: &Config) -> Vec<(String, bool)> {
    let array = config.get_array("feature_management.feature_flags");
    let read = |value: Value| {
        let mut table = value.into_table().expect("a flag");
        assert!(table.contains_key("conditions"), "{table:?}");
        let mut field = |name| table.remove(name).expect("a field");
        let id = field("id").into_string().expect("an id");
        (id, field("enabled").into_bool().expect("a state"))
    };
    array.unwrap_or_default().into_iter().map(read).collect()
}

fn queries(emulator: &Emulator, part: &str) -> usize {
    emulator.log().count(Route::store_list().query(part))
}

/// Flags are asked for only if they are wanted, by the filter of their names and by label, and arrive below the names of
/// Microsoft's schema, beside the settings and not among them.
#[tokio::test(start_paused = true)]
async fn flags_arrive_below_feature_management() {
    let (emulator, store) = store();
    store.set("title", None, "Hello");
    flag(&store, "Beta", true, "");
    flag(&store, "Alpha", false, "");
    flag(&store, "Beta", false, "prod");
    flag(&store, "Dark", true, "prod");

    let without = by_hand(&emulator).load().await.expect("a load");
    assert!(flags(&built(&without)).is_empty());
    assert!(built(&without).get_table("feature_management").is_err());
    assert_eq!(queries(&emulator, "featureflag"), 0);
    assert_eq!(text(&without, "title").as_deref(), Some("Hello"));

    let named = |selector| by_hand(&emulator).feature_flags(selector);
    let own = |pairs: &[(&str, bool)]| -> Vec<(String, bool)> {
        let own = |(id, state): &(&str, bool)| ((*id).to_owned(), *state);
        pairs.iter().map(own).collect()
    };
    for (selector, expected) in [
        (
            SettingSelector::all(),
            own(&[("Alpha", false), ("Beta", true)]),
        ),
        (SettingSelector::keys("Be*"), own(&[("Beta", true)])),
        (
            SettingSelector::keys("*").labels(["", "prod"]),
            own(&[("Alpha", false), ("Beta", false), ("Dark", true)]),
        ),
    ] {
        let azure = named(selector.clone()).load().await.expect("a load");
        assert_eq!(flags(&built(&azure)), expected, "{selector}");
        assert_eq!(text(&azure, "title").as_deref(), Some("Hello"));
    }
    assert_eq!(queries(&emulator, "featureflag%2FBe%2A"), 1);

    let azure = named(SettingSelector::all()).load().await.expect("a load");
    flag(&store, "Beta", false, "");
    let outcome = azure.refresh().await.expect("a check");
    let (_, changed) = support::updated(outcome);
    assert_eq!(
        support::paths(&changed),
        ["feature_management.feature_flags.Beta"]
    );
    let expected = own(&[("Alpha", false), ("Beta", false)]);
    assert_eq!(flags(&built(&azure)), expected);
}

/// What is written between the two answers of one check is seen by the check after; a value never shows one without the other.
#[tokio::test(start_paused = true)]
async fn a_setting_and_a_flag_that_change_together_arrive_in_one_swap() {
    #[derive(Deserialize)]
    struct Both {
        title: String,
        feature_management: Flags,
    }
    #[derive(Deserialize)]
    struct Flags {
        feature_flags: Vec<Flag>,
    }
    #[derive(Deserialize)]
    struct Flag {
        enabled: bool,
    }
    // Whichever answer comes late, the other waits for it.
    for late in ["featureflag", "key=%2A"] {
        let (emulator, store) = store();
        store.set("title", None, "old");
        flag(&store, "Beta", false, "");
        let builder = by_hand(&emulator).feature_flags(SettingSelector::all());
        let (azure, live) = support::live::<Both>(builder).await;

        store.set("title", None, "new");
        flag(&store, "Beta", true, "");
        let slow = Route::store_list().query(late);
        let slow = emulator.faults().script(slow, Fault::Delay(secs(5)), None);
        let seen = RefCell::new(BTreeSet::new());
        let look = || {
            let now = live.load();
            let config = built(&azure);
            let parts = [
                now.title == "new",
                now.feature_management.feature_flags[0].enabled,
                config.get_string("title").is_ok_and(|title| title == "new"),
                flags(&config)[0].1,
            ];
            assert_eq!(parts[0], parts[1], "{late}: half a change in the value");
            assert_eq!(parts[2], parts[3], "{late}: half a change in the layer");
            seen.borrow_mut().insert(parts[0]);
        };
        let looking = async {
            for _ in 0..100 {
                look();
                sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let (outcome, ()) = tokio::join!(azure.refresh(), looking);
        let outcome = outcome.expect("a check");
        let (generation, changed) = support::updated(outcome);
        assert_eq!(slow.fired(), 1, "{late}");
        assert_eq!((generation, changed.len()), (2, 2), "one generation");
        assert_eq!(seen.into_inner(), [false, true].into(), "before and after");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_read_by_name_and_shows_what_was_then() {
    let (emulator, store) = store();
    store.set("title", None, "then");
    let snapshot = NewSnapshot::new("release-7").filter("*", None);
    store.create_snapshot(snapshot).expect("a snapshot");
    store.set("title", None, "now");
    store.set("other", None, "now");

    let over = by_hand(&emulator)
        .select(SettingSelector::all())
        .select(SettingSelector::snapshot("release-7"));
    let azure = over.load().await.expect("a load");
    assert_eq!(text(&azure, "title").as_deref(), Some("then"));
    assert_eq!(text(&azure, "other").as_deref(), Some("now"));
    assert_eq!(emulator.log().count(Route::snapshot()), 1);
    assert_eq!(queries(&emulator, "snapshot=release-7"), 1);

    // It cannot change, so that only the settings are asked for again.
    emulator.log().clear();
    azure.refresh().await.expect("a check");
    assert_eq!(emulator.log().entries().len(), 1);

    let gone = || by_hand(&emulator).select(SettingSelector::snapshot("release-8"));
    let azure = gone().load().await.expect("an empty load");
    let warnings = azure.loaded().expect("a load").warnings().to_vec();
    assert_eq!(warnings[0].kind(), WarningKind::MissingSnapshot);
    assert!(warnings[0].to_string().contains("release-8"));
    let required = by_hand(&emulator).select(SettingSelector::snapshot("release-8").required());
    let error = required.load().await.expect_err("no such snapshot");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");

    let mixed = NewSnapshot::new("mixed").filter("*", None);
    let mixed = mixed.composition(Composition::KeyLabel);
    store.create_snapshot(mixed).expect("a snapshot");
    let error = by_hand(&emulator).select(SettingSelector::snapshot("mixed"));
    let error = error.load().await.expect_err("several values of one key");
    assert!(error.to_string().contains("composition"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_moment_in_the_past_is_asked_for_and_shown() {
    let (emulator, store) = store();
    store.set("title", None, "then");
    sleep(secs(60)).await;
    let then: SystemTime = emulator.clock().now().into();
    sleep(secs(60)).await;
    store.set("title", None, "now");

    let past = SettingSelector::all().as_of(then);
    let azure = by_hand(&emulator).select(past).load().await;
    let azure = azure.expect("a load");
    assert_eq!(text(&azure, "title").as_deref(), Some("then"));
    let entries = emulator.log().entries();
    assert!(entries[0].header("accept-datetime").is_some());
    azure.refresh().await.expect("nothing to ask");
    assert_eq!(emulator.log().entries().len(), 1, "it cannot change");

    let azure = by_hand(&emulator).load().await.expect("a load");
    assert_eq!(text(&azure, "title").as_deref(), Some("now"));
    let entries = emulator.log().entries();
    assert!(entries[1].header("accept-datetime").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_tag_without_a_value_is_not_one_with_any() {
    let (emulator, store) = store();
    store.set("plain", None, "1");
    store.put(Setting::new("valued", "1").tag("region", "eu"));
    store.put(Setting::new("empty", "1").tag("region", ""));
    let mut null = Setting::new("null", "1");
    null.tags.insert("region".to_owned(), None);
    store.put(null);
    for (selector, expected) in [
        (SettingSelector::all().tag_null("region"), "null"),
        (SettingSelector::all().tag("region", "eu"), "valued"),
        (SettingSelector::all().tag("region", ""), "empty"),
    ] {
        emulator.log().clear();
        let azure = by_hand(&emulator).select(selector).load().await;
        let azure = azure.expect("a load");
        let keys: Vec<_> = ["plain", "valued", "empty", "null"]
            .into_iter()
            .filter(|key| text(&azure, key).is_some())
            .collect();
        assert_eq!(keys, [expected]);
        assert_eq!(queries(&emulator, "tags=region"), 1);
    }
}
