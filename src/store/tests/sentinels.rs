//! Watched settings: absence is a state.

use config_azure_emulator::Route;

use super::{World, shown};
use crate::setting::Label;
use crate::store::{Scope, Sentinel, SentinelOutcome, SettingSelector};

fn watching(key: &str, label: Option<&str>) -> World {
    let sentinel = Sentinel {
        key: key.into(),
        label: Label::from(label),
    };
    World::with(&[SettingSelector::keys("a")], |options| {
        options.sentinels = vec![sentinel];
    })
}

#[tokio::test(start_paused = true)]
async fn f10_absence_is_a_state_not_an_error() {
    for (key, label) in [
        ("version", None),
        ("version", Some("prod")),
        ("100%/a b", Some("x,y*")),
        ("a*b,c\\d", None),
        ("..", None),
        ("ü/ö", Some("")),
    ] {
        let world = watching(key, label);
        let walk = world.load().await;
        let marks = walk.sentinels().clone();
        let look = async |marks| world.store.sentinels(marks).await.unwrap();
        assert_eq!(look(&marks).await, SentinelOutcome::Unchanged, "{key}");
        world.remote.set(key, label, "1");
        let SentinelOutcome::Changed(present) = look(&marks).await else {
            panic!("{key} appeared");
        };
        assert_eq!(look(&present).await, SentinelOutcome::Unchanged, "{key}");
        world.remote.set(key, label, "2");
        let SentinelOutcome::Changed(newer) = look(&present).await else {
            panic!("{key} changed");
        };
        world.remote.delete(key, label);
        assert_eq!(
            look(&newer).await,
            SentinelOutcome::Changed(marks),
            "{key} went"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_signal_is_read_before_the_data_and_conditionally_later() {
    let world = watching("version", None);
    world.remote.set("version", None, "1");
    world.remote.set("a", None, "1");
    let walk = world.load().await;
    let entries = world.emulator.log().entries();
    assert_eq!(entries[0].path, "/kv/version");
    assert_eq!(entries[1].path, "/kv");
    world.emulator.log().clear();
    let outcome = world.store.sentinels(walk.sentinels()).await.unwrap();
    assert_eq!(outcome, SentinelOutcome::Unchanged);
    assert_eq!(
        world.requests(Route::store_item().conditional(true).status(304)),
        1
    );
    assert_eq!(world.requests(Route::any()), 1);
}

#[tokio::test(start_paused = true)]
async fn marks_move_with_the_walk() {
    let world = watching("version", None);
    world.remote.set("a", None, "1");
    let walk = world.load().await;
    world.remote.set("version", None, "1");
    let SentinelOutcome::Changed(marks) = world.store.sentinels(walk.sentinels()).await.unwrap()
    else {
        panic!("it appeared");
    };
    assert!(
        world
            .store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .is_none()
    );
    let walk = walk.with_sentinels(marks);
    assert_eq!(shown(&walk), ["a=1"]);
    let outcome = world.store.sentinels(walk.sentinels()).await.unwrap();
    assert_eq!(outcome, SentinelOutcome::Unchanged);
}
