//! Nothing keeps itself alive, and everything a user holds keeps what it needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::{no_task_left, tasks};
use crate::{Changes, Derived, Part, Reader};

/// Everything that a user can hold, each of it or not.
struct Held {
    handle: Option<TestStore>,
    live: Option<Live<Settings>>,
    reader: Option<Reader<Settings>>,
    changes: Option<Changes>,
    part: Option<Part<Settings, u16>>,
    derived: Option<Derived<u16>>,
}

impl Held {
    async fn all() -> Self {
        let store = TestStore::with(&pairs("one", "1"));
        let live = live(&store).await.unwrap();
        let derived = live
            .derive(|it| &it.port, async |port| Ok::<_, String>(*port))
            .await;
        Self {
            reader: Some(live.reader()),
            changes: Some(Changes::new(store.feed.clone())),
            part: Some(live.part(|it| &it.port)),
            derived: Some(derived.unwrap()),
            live: Some(live),
            handle: Some(store),
        }
    }

    /// Keeps only what `mask` has a bit for.
    fn keep(&mut self, mask: u32) {
        let gone = |bit: u32| mask & (1 << bit) == 0;
        if gone(0) {
            self.handle = None;
        }
        if gone(1) {
            self.live = None;
        }
        if gone(2) {
            self.reader = None;
        }
        if gone(3) {
            self.changes = None;
        }
        if gone(4) {
            self.part = None;
        }
        if gone(5) {
            self.derived = None;
        }
    }

    fn needs_live(&self) -> bool {
        self.live.is_some() || self.reader.is_some() || self.part.is_some()
    }
}

async fn settle(expected: usize) {
    for _ in 0..10_000 {
        if tasks() == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks instead of {expected}", tasks());
}

#[tokio::test]
async fn f77_every_combination_keeps_what_it_needs_and_no_more() {
    for mask in 0..64 {
        let mut held = Held::all().await;
        let engine = held.handle.as_ref().unwrap().engine.clone();
        assert_eq!(tasks(), 2, "one of Live, one of Derived");
        held.keep(mask);
        let derived = held.derived.is_some();
        let expected = usize::from(derived) + usize::from(derived || held.needs_live());
        settle(expected).await;
        assert_eq!(engine.is_cancelled(), mask == 0, "mask {mask:06b}");
        drop(held);
        no_task_left().await;
        assert!(engine.is_cancelled(), "mask {mask:06b}");
    }
}

#[tokio::test]
async fn a_part_alone_still_sees_changes() {
    let mut held = Held::all().await;
    let publication = Arc::clone(&held.handle.as_ref().unwrap().feed.publication);
    held.keep(1 << 4);
    publication.publish(crate::testing::loaded(&pairs("two", "2")));
    assert_eq!(*held.part.as_mut().unwrap().changed().await.unwrap(), 2);
}

#[tokio::test]
async fn a_derived_alone_still_sees_changes() {
    let mut held = Held::all().await;
    let publication = Arc::clone(&held.handle.as_ref().unwrap().feed.publication);
    held.keep(1 << 5);
    publication.publish(crate::testing::loaded(&pairs("two", "2")));
    assert_eq!(*held.derived.as_mut().unwrap().changed().await.unwrap(), 2);
}

#[tokio::test]
async fn a_snapshot_keeps_no_task() {
    let mut held = Held::all().await;
    let snapshot = held.live.as_ref().unwrap().load();
    held.keep(0);
    no_task_left().await;
    assert_eq!(snapshot.port, 1);
}

#[tokio::test]
async fn f86_many_lives_come_and_go() {
    let store = TestStore::with(&pairs("one", "1"));
    for _ in 0..1_000 {
        let live = live(&store).await.unwrap();
        assert!(tasks() >= 1);
        drop(live);
    }
    no_task_left().await;
    assert_eq!(Arc::strong_count(&store.feed.publication), 1);
}

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Counts how many of it are alive.
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer)?;
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Ok(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn f91_a_held_snapshot_keeps_itself_alive_and_no_other() {
    let store = TestStore::with(&pairs("0", "0"));
    let mut live: Live<Counted> = builder(&store).start().await.unwrap();
    let held = live.load();
    let weak = Arc::downgrade(held.loaded());
    for number in 1..=1_000 {
        store.publish(&pairs("n", &number.to_string()));
        live.changed().await.unwrap();
    }
    assert_eq!(held.generation(), 1);
    // The current one and the held one; the one before may still be on its way out.
    while ALIVE.load(Ordering::SeqCst) > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ALIVE.load(Ordering::SeqCst), 2);
    assert!(weak.upgrade().is_some());
    drop(held);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 1);
    assert!(
        weak.upgrade().is_none(),
        "and with it the store's old secrets"
    );
}
