//! One whole walk.

use config_azure_emulator::{Route, Setting};

use super::{Notes, World, shown};
use crate::store::SettingSelector;

#[tokio::test(start_paused = true)]
async fn nothing_selected_means_all_without_label() {
    let world = World::new(&[]);
    world.remote.set("a", None, "1");
    world.remote.set("b", "prod", "2");
    let walk = world.load().await;
    assert_eq!(shown(&walk), ["a=1"]);
    assert_eq!(walk.endpoint(), "https://contoso.azconfig.io");
    assert_eq!(world.requests(Route::store_list()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_later_label_wins_and_each_is_a_walk() {
    let world = World::new(&[SettingSelector::keys("orders:*").labels(["", "prod"])]);
    for (key, label, value) in [
        ("orders:a", None, "plain"),
        ("orders:b", None, "plain"),
        ("orders:b", Some("prod"), "prod"),
        ("orders:b", Some("test"), "test"),
        ("other", None, "x"),
    ] {
        world.remote.set(key, label, value);
    }
    let walk = world.load().await;
    assert_eq!(shown(&walk), ["orders:a=plain", "orders:b=prod"]);
    assert_eq!(walk.settings().losers_of("orders:b").len(), 1);
    let queries: Vec<String> = world
        .emulator
        .log()
        .entries()
        .into_iter()
        .map(|entry| entry.query)
        .collect();
    assert_eq!(
        queries,
        [
            "api-version=2023-11-01&key=orders%3A%2A&label=%00",
            "api-version=2023-11-01&key=orders%3A%2A&label=prod"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn tags_select_literally() {
    let world = World::new(&[SettingSelector::all().tag("a=b", "c,d*").tag("e", "")]);
    world.remote.put(
        Setting::new("yes", "1")
            .tag("a=b", "c,d*")
            .tag("e", "")
            .tag("f", "x"),
    );
    world
        .remote
        .put(Setting::new("one", "1").tag("a=b", "c,d*"));
    world
        .remote
        .put(Setting::new("other", "1").tag("a=b", "c").tag("e", ""));
    assert_eq!(shown(&world.load().await), ["yes=1"]);
}

#[tokio::test(start_paused = true)]
async fn pages_are_told_as_they_arrive() {
    let world = World::new(&[SettingSelector::keys("k*").labels(["", "x"])]);
    world.remote.page_size(2);
    for at in 0..5 {
        world.remote.set(&format!("k{at}"), None, "1");
    }
    let notes = Notes::default();
    let walk = world
        .store
        .load(&|progress| notes.note(&progress))
        .await
        .unwrap();
    assert_eq!(walk.settings().winners().len(), 5);
    let mut first: Vec<String> = notes.take();
    first.retain(|note| note.starts_with('0'));
    assert_eq!(
        first,
        ["0: 2 settings", "0: 2 settings", "0: 1 settings", "0: done"]
    );
}

#[tokio::test(start_paused = true)]
async fn same_content_same_set_whatever_the_page_size() {
    let mut sets = Vec::new();
    for size in [1, 3, 7, 100] {
        let world = World::new(&[SettingSelector::all().labels(["", "x"])]);
        world.remote.page_size(size);
        for key in ["b", "a", "c/d", "ü", "A", "a.b", "b:c"] {
            world.remote.set(key, None, "0");
        }
        world.remote.set("a", "x", "1");
        sets.push(shown(&world.load().await));
    }
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1]), "{sets:?}");
}
