//! Conditional checks, counted.

use std::time::Duration;

use config_azure_emulator::{Emulator, HostKind, Route, Setting};
use proptest::prelude::*;

use super::{World, client, shown};
use crate::setting::ConfigurationSetting;
use crate::store::{Scope, SettingSelector, Walk};

fn key(at: usize) -> String {
    format!("k{at:05}")
}

async fn check(world: &World, known: &Walk) -> Option<Walk> {
    world.emulator.log().clear();
    world.store.check(known, Scope::Both).await.unwrap()
}

/// 101 pages, the last of them empty.
fn world_of_101_pages() -> World {
    let world = World::new(&[]);
    world.remote.page_size(10);
    for at in 0..1000 {
        world.remote.set(&key(at), None, "1");
    }
    world
}

#[tokio::test(start_paused = true)]
async fn f11_nothing_changed_is_one_conditional_request_per_page() {
    for etag_on_304 in [false, true] {
        let world = world_of_101_pages();
        world.remote.etag_on_304(etag_on_304);
        world
            .emulator
            .latency(HostKind::Store, Duration::from_millis(5));
        let walk = world.load().await;
        assert_eq!(world.requests(Route::store_list()), 101);
        assert!(check(&world, &walk).await.is_none());
        assert_eq!(world.requests(Route::store()), 101);
        assert_eq!(
            world.requests(Route::store_list().conditional(true).status(304)),
            101
        );
        assert!(world.emulator.log().high_water(None) > 8, "many at a time");
        assert!(world.emulator.log().high_water(None) <= 16, "but bounded");
    }
}

#[tokio::test(start_paused = true)]
async fn one_changed_setting_costs_nothing_more() {
    let world = world_of_101_pages();
    let walk = world.load().await;
    world.remote.set(&key(555), None, "2");
    let new = check(&world, &walk).await.unwrap();
    assert_eq!(world.requests(Route::store()), 101);
    assert_eq!(world.requests(Route::store().status(200)), 1);
    assert!(shown(&new).contains(&"k00555=2".to_owned()));
    assert!(check(&world, &new).await.is_none());
    // What did not change is shared, not copied.
    let shared = new
        .settings()
        .winners()
        .iter()
        .zip(walk.settings().winners())
        .filter(|(new, old)| std::sync::Arc::ptr_eq(&new.setting, &old.setting))
        .count();
    assert_eq!(shared, 990);
}

#[tokio::test(start_paused = true)]
async fn the_empty_last_page_is_remembered_and_grows() {
    let world = world_of_101_pages();
    let walk = world.load().await;
    world.remote.set("z", None, "new");
    let new = check(&world, &walk).await.unwrap();
    assert_eq!(world.requests(Route::store()), 101);
    assert_eq!(new.settings().winners().len(), 1001);
}

#[tokio::test(start_paused = true)]
async fn f20_a_store_that_was_cleared() {
    let world = World::new(&[]);
    world.remote.page_size(2);
    for at in 0..5 {
        world.remote.set(&key(at), None, "1");
    }
    let walk = world.load().await;
    world.remote.clear();
    let new = check(&world, &walk).await.unwrap();
    assert!(new.settings().winners().is_empty());
    assert!(check(&world, &new).await.is_none());
    assert_eq!(world.requests(Route::store()), 1);
    world.remote.set("a", None, "1");
    assert_eq!(shown(&check(&world, &new).await.unwrap()), ["a=1"]);
}

#[tokio::test(start_paused = true)]
async fn f15_there_and_back_again() {
    let world = World::new(&[]);
    world.remote.set("a", None, "1");
    let one = world.load().await;
    world.remote.set("a", None, "2");
    let two = check(&world, &one).await.unwrap();
    world.remote.set("a", None, "1");
    let three = check(&world, &two).await.unwrap();
    assert_eq!(shown(&three), shown(&one));
    assert!(check(&world, &three).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_checked() {
    let world = World::new(&[SettingSelector::all()]);
    world.remote.set("a", None, "1");
    let walk = world.load().await;
    world.remote.set("a", None, "2");
    world.emulator.log().clear();
    assert!(
        world
            .store
            .check(&walk, Scope::Flags)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(world.requests(Route::any()), 0);
    assert!(
        world
            .store
            .check(&walk, Scope::Settings)
            .await
            .unwrap()
            .is_some()
    );
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Set(usize, u8),
    Delete(usize),
    Fill(usize),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        6 => (0usize..40, 0u8..3).prop_map(|(at, value)| Step::Set(at, value)),
        5 => (0usize..40).prop_map(Step::Delete),
        1 => (0usize..40).prop_map(Step::Fill),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(prop::collection::vec(step, 0..6), 1..6)
}

/// Everything that was read, list by list.
fn items(walk: &Walk) -> Vec<Vec<&ConfigurationSetting>> {
    walk.lists()
        .iter()
        .map(|list| {
            list.pages
                .iter()
                .flat_map(|page| page.items.iter().map(|item| &**item))
                .collect()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// After any history, a chain of checks shows what a walk from scratch shows, says "unchanged" exactly if
    /// that is so, and costs one request per page if nothing changed.
    #[test]
    fn checks_agree_with_a_full_walk(history in steps(), page_size in 1usize..6, labels in prop::bool::ANY) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let emulator = Emulator::builder().store("contoso").in_memory();
            let remote = emulator.store("contoso");
            remote.page_size(page_size);
            let selectors = match labels {
                true => vec![SettingSelector::keys("k*").labels(["", "prod"])],
                false => vec![],
            };
            let store = client(&emulator, &["contoso"], &selectors, |_| {});
            let mut known = store.load(&|_| {}).await.unwrap();
            for round in history {
                for step in round {
                    match step {
                        Step::Set(at, value) => {
                            let label = (labels && value == 2).then_some("prod");
                            remote.set(&key(at), label, value.to_string());
                        }
                        Step::Delete(at) => drop(remote.delete(&key(at), None)),
                        Step::Fill(from) => (from..from + 7).for_each(|at| drop(remote.set(&key(at), None, "f"))),
                        Step::Clear => drop(remote.clear()),
                    }
                }
                let fresh = client(&emulator, &["contoso"], &selectors, |_| {});
                let truth = fresh.load(&|_| {}).await.unwrap();
                let checked = store.check(&known, Scope::Both).await.unwrap();
                let now = checked.clone().unwrap_or_else(|| known.clone());
                prop_assert_eq!(now.settings().winners(), truth.settings().winners());
                prop_assert_eq!(checked.is_none(), items(&truth) == items(&known));
                known = now;
                emulator.log().clear();
                prop_assert!(store.check(&known, Scope::Both).await.unwrap().is_none());
                let pages: usize = known.lists().iter().map(|list| list.pages.len()).sum();
                prop_assert_eq!(emulator.log().count(Route::store()), pages);
            }
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn tags_bind_checks_as_they_bind_loads() {
    let world = World::new(&[SettingSelector::all().tag("region", "eu")]);
    let tagged = |value: &str| Setting::new("a", value).tag("region", "eu");
    world.remote.put(tagged("1"));
    world.remote.set("b", None, "1");
    let walk = world.load().await;
    assert_eq!(shown(&walk), ["a=1"]);
    world.remote.set("b", None, "2");
    assert!(check(&world, &walk).await.is_none(), "another set's change");
    let lines = world.requests(Route::store_list().query("tags=region%3Deu"));
    assert_eq!((lines, world.requests(Route::store())), (1, 1));
    world.remote.put(tagged("2"));
    let new = check(&world, &walk).await.unwrap();
    assert_eq!(shown(&new), ["a=2"]);
    assert_eq!(world.requests(Route::store()), 1);
}
