//! What the service alone can do: snapshots of its own, reads in the past, replicas that lag.

use std::time::{Duration, SystemTime};

use config_azure_emulator::{Composition, Emulator, Fault, NewSnapshot, Route};

use super::{World, client, shown};
use crate::error::ErrorKind;
use crate::store::{Scope, Selection, SettingSelector};

const PRIMARY: &str = "contoso.azconfig.io";

#[tokio::test(start_paused = true)]
async fn snapshots_by_selector_and_by_reference() {
    let world = World::new(&[SettingSelector::all(), SettingSelector::snapshot("later")]);
    world.remote.page_size(2);
    for key in ["a", "b", "c", "z"] {
        world.remote.set(key, None, "old");
    }
    let first = NewSnapshot::new("first").filter("*", None);
    world.remote.create_snapshot(first).unwrap();
    for key in ["a", "b", "c", "z"] {
        world.remote.set(key, None, "new");
    }
    world.remote.set_snapshot_reference("m", None, "first");
    let walk = world.load().await;
    assert_eq!(shown(&walk), ["a=old", "b=old", "c=old", "z=new"]);
    assert_eq!(walk.warnings().len(), 1);

    let later = NewSnapshot::new("later")
        .filter("z", None)
        .ready_in(Duration::from_secs(60));
    world.remote.create_snapshot(later).unwrap();
    assert!(
        world
            .store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .is_none(),
        "still being made"
    );
    tokio::time::sleep(Duration::from_secs(61)).await;
    let walk = world
        .store
        .check(&walk, Scope::Both)
        .await
        .unwrap()
        .unwrap();
    assert!(walk.warnings().is_empty());
    let z = walk.settings().winners().last().unwrap();
    assert_eq!(z.snapshot.as_deref(), Some("later"));
    world.emulator.log().clear();
    assert!(
        world
            .store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        world.requests(Route::store()),
        3,
        "the pages of the list alone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_several_values_per_key_is_refused() {
    let world = World::new(&[SettingSelector::snapshot("mixed")]);
    world.remote.set("a", None, "1");
    let mixed = NewSnapshot::new("mixed")
        .filter("*", None)
        .composition(Composition::KeyLabel);
    world.remote.create_snapshot(mixed).unwrap();
    let error = world.store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}

#[tokio::test(start_paused = true)]
async fn the_past_is_read_as_it_was_and_not_asked_again() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let remote = emulator.store("contoso");
    remote.set("a", None, "then");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let then = SystemTime::from(emulator.clock().now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    remote.set("a", None, "now");
    remote.set("b", None, "now");
    let selectors = [SettingSelector::all().as_of(then)];
    let store = client(&emulator, &["contoso"], &selectors, |_| {});
    let walk = store.load(&|_| {}).await.unwrap();
    assert_eq!(shown(&walk), ["a=then"]);
    emulator.log().clear();
    assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
    assert_eq!(emulator.log().count(Route::any()), 0);
}

#[test]
fn a_moment_to_come_is_refused() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let soon = SystemTime::from(emulator.clock().now()) + Duration::from_secs(3600);
    let selectors = [SettingSelector::all().as_of(soon)];
    let selection = Selection::new(&selectors, &[]).unwrap();
    let now = SystemTime::from(emulator.clock().now());
    let error = crate::store::check_moments(&selection, now).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(crate::store::check_moments(&selection, soon).is_ok());
}

#[tokio::test(start_paused = true)]
async fn f22_a_lagging_replica_neither_undoes_nor_hides_anything() {
    let emulator = Emulator::builder()
        .store("contoso")
        .replica("contoso", "contoso-eu")
        .in_memory();
    emulator.store("contoso-eu").lag(Duration::from_secs(20));
    let remote = emulator.store("contoso");
    remote.set("a", None, "1");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let store = client(&emulator, &["contoso", "contoso-eu"], &[], |_| {});
    let walk = store.load(&|_| {}).await.unwrap();
    remote.set("a", None, "2");
    let walk = store.check(&walk, Scope::Both).await.unwrap().unwrap();
    emulator
        .faults()
        .script(Route::store().host(PRIMARY), Fault::Refuse, None);
    let mut seen = vec![shown(&walk)[0].clone()];
    let mut known = walk;
    for round in 0..12 {
        if round == 3 {
            remote.set("a", None, "3");
        }
        if let Some(new) = store.check(&known, Scope::Both).await.unwrap() {
            seen.push(shown(&new)[0].clone());
            known = new;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(seen, ["a=2", "a=3"], "never back, and not held for long");
}

#[tokio::test(start_paused = true)]
async fn feature_flags_stand_apart() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let remote = emulator.store("contoso");
    remote.page_size(2);
    let flag = |name: &str, json: &str| {
        let key = format!(".appconfig.featureflag/{name}");
        let content_type = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";
        remote.put(config_azure_emulator::Setting::new(key, json).content_type(content_type));
    };
    flag(
        "Beta",
        r#"{"id":"Beta","enabled":true,"telemetry":{"enabled":true}}"#,
    );
    flag("Alpha", r#"{"id":"Alpha","enabled":false}"#);
    flag("Broken", "not json");
    remote.set(
        ".appconfig.featureflag/Plain",
        None,
        "a setting that is no flag",
    );
    remote.set("a", None, "1");
    let selectors = [SettingSelector::all()];
    let with = |flags: &[SettingSelector], strict| {
        let selection = Selection::new(&selectors, flags).unwrap();
        client(&emulator, &["contoso"], &selectors, |options| {
            options.selection = selection;
            options.strict_flags = strict;
        })
    };
    let off = with(&[], true).load(&|_| {}).await.unwrap();
    assert_eq!(
        shown(&off),
        [
            ".appconfig.featureflag/Plain=a setting that is no flag",
            "a=1"
        ]
    );
    assert!(off.flags().is_empty() && off.warnings().is_empty());

    let store = with(&[SettingSelector::all()], false);
    let walk = store.load(&|_| {}).await.unwrap();
    assert_eq!(shown(&walk), shown(&off), "never mixed into settings");
    let ids: Vec<&str> = walk
        .flags()
        .iter()
        .map(|flag| flag.json["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["Alpha", "Beta"]);
    assert_eq!(
        walk.flags()[1].json["telemetry"]["metadata"]["FeatureFlagReference"],
        "https://contoso.azconfig.io/kv/.appconfig.featureflag/Beta"
    );
    assert_eq!(walk.warnings().len(), 1);
    flag("Beta", r#"{"id":"Beta","enabled":false}"#);
    assert!(store.check(&walk, Scope::Flags).await.unwrap().is_some());

    let error = with(&[SettingSelector::all()], true)
        .load(&|_| {})
        .await
        .unwrap_err();
    assert_eq!(error.key(), Some(".appconfig.featureflag/Broken"));
}

#[tokio::test(start_paused = true)]
async fn api_versions_that_a_cloud_does_not_know() {
    let world = World::with(&[], |options| options.api_version = "2026-04-01".into());
    world.remote.set("a", None, "1");
    assert_eq!(shown(&world.load().await), ["a=1"]);
    world.remote.newest_api_version("2023-11-01");
    let error = world.store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
}

#[tokio::test(start_paused = true)]
async fn feature_flags_out_of_a_snapshot() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let remote = emulator.store("contoso");
    let flag = |id: &str| {
        let content_type = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";
        let json = format!("{{\"id\":\"{id}\",\"enabled\":true}}");
        let key = format!(".appconfig.featureflag/{id}");
        remote.put(config_azure_emulator::Setting::new(key, json).content_type(content_type));
    };
    flag("Frozen");
    remote.set("a", None, "1");
    let snapshot = NewSnapshot::new("release").filter("*", None);
    remote.create_snapshot(snapshot).unwrap();
    flag("Later");
    let frozen = [SettingSelector::snapshot("release")];
    for (settings, flags, expected) in [
        (&[][..], &frozen[..], (vec!["a=1"], vec!["Frozen"])),
        (&frozen[..], &[][..], (vec!["a=1"], vec![])),
    ] {
        let selection = Selection::new(settings, flags).unwrap();
        let store = client(&emulator, &["contoso"], &[], |options| {
            options.selection = selection;
        });
        let walk = store.load(&|_| {}).await.unwrap();
        let ids = walk
            .flags()
            .iter()
            .map(|flag| flag.json["id"].as_str().unwrap());
        assert_eq!(
            (shown(&walk), ids.collect()),
            (
                expected.0.iter().map(|&s| s.to_owned()).collect(),
                expected.1
            )
        );
        assert!(walk.warnings().is_empty());
    }
}
