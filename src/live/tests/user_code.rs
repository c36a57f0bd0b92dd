//! The application's own code may panic, hang, drop things and re-enter; nothing else suffers from it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use config::{AsyncSource, ConfigError, Map, Value};
use serde::Deserializer;
use tokio::time::sleep;

use super::*;
use crate::ErrorKind;
use crate::testing::{INTERVAL, no_task_left};

async fn refused<T>(live: &Live<T>) -> String {
    loop {
        if let Some(refusal) = live.status().refusal() {
            return refusal.to_string();
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f89_a_panic_in_the_validator_is_a_refusal() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live: Live<Settings> = builder(&store)
        .validate(|new: &Settings, _: Option<&Settings>| {
            assert!(new.port != 2, "canary: {}", new.title);
            Ok::<_, String>(())
        })
        .start()
        .await
        .unwrap();
    store.publish(&pairs("two", "2"));
    assert_eq!(refused(&live).await, "the validator panicked; attempt 1");
    assert_eq!(live.load().port, 1);
    store.publish(&pairs("three", "3"));
    assert_eq!(live.changed().await.unwrap().port, 3);
}

/// Panics while it is deserialized from `panic`, and while it is dropped if it came from `bomb`.
struct Touchy(String);

impl<'de> Deserialize<'de> for Touchy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        let title = map.get("title").cloned().unwrap_or_default();
        assert!(title != "panic", "asked to");
        Ok(Self(title))
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        assert!(self.0 != "bomb", "asked to");
    }
}

#[tokio::test(start_paused = true)]
async fn f90_a_panic_in_deserialize_is_a_refusal() {
    let store = TestStore::with(&[("title", "one")]);
    let mut live: Live<Touchy> = builder(&store).start().await.unwrap();
    store.publish(&[("title", "panic")]);
    let text = refused(&live).await;
    assert_eq!(text, "the application's Deserialize panicked; attempt 1");
    assert_eq!(live.load().0, "one");
    store.publish(&[("title", "two")]);
    assert_eq!(live.changed().await.unwrap().0, "two");
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_old_value_is_dropped_stops_nothing() {
    let store = TestStore::with(&[("title", "bomb")]);
    let mut live: Live<Touchy> = builder(&store).start().await.unwrap();
    store.publish(&[("title", "two")]);
    assert_eq!(live.changed().await.unwrap().0, "two");
    sleep(INTERVAL * 3).await;
    assert_eq!(live.load().generation(), 2, "it is not tried again");
    assert!(live.status().is_current());
    store.publish(&[("title", "three")]);
    assert_eq!(live.changed().await.unwrap().0, "three");
    assert!(live.status().refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_panicking_layer_is_a_refusal() {
    #[derive(Debug)]
    struct Layer(Arc<AtomicBool>);
    #[async_trait]
    impl AsyncSource for Layer {
        async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
            assert!(!self.0.load(Ordering::SeqCst), "asked to");
            Ok(Map::new())
        }
    }
    let panics = Arc::new(AtomicBool::new(false));
    let store = TestStore::with(&pairs("one", "1"));
    let layers = layers(&store).add_async_source(Layer(Arc::clone(&panics)));
    let mut live: Live<Settings> = LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    panics.store(true, Ordering::SeqCst);
    store.publish(&pairs("two", "2"));
    let text = refused(&live).await;
    assert!(text.starts_with("a layer of the application's builder panicked"));
    panics.store(false, Ordering::SeqCst);
    assert_eq!(
        live.changed().await.unwrap().port,
        2,
        "at the next interval"
    );
}

/// A validator that stands still until it is let go.
struct Gate {
    entered: mpsc::Receiver<()>,
    leave: mpsc::Sender<()>,
}

fn gated(store: &TestStore) -> (LiveBuilder<Settings>, Gate) {
    let (enter, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    let left = Mutex::new(left);
    let builder = builder(store).validate(move |new: &Settings, _| {
        if new.title == "slow" {
            enter.send(()).unwrap();
            left.lock().unwrap().recv().map_err(|_| "gone")?;
        }
        Ok::<_, &str>(())
    });
    (builder, Gate { entered, leave })
}

async fn entered(gate: &Gate) {
    while gate.entered.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn f89_a_sleeping_validator_stalls_neither_readers_nor_other_lives() {
    let store = TestStore::with(&pairs("one", "1"));
    let (slow, gate) = gated(&store);
    let mut slow = slow.start().await.unwrap();
    let mut other = live(&store).await.unwrap();
    store.publish(&pairs("slow", "2"));
    entered(&gate).await;
    // On this one-threaded runtime the validator stands still, and all else goes on.
    assert_eq!(other.changed().await.unwrap().port, 2);
    store.publish(&pairs("three", "3"));
    store.publish(&pairs("four", "4"));
    assert_eq!(other.changed().await.unwrap().port, 4);
    assert_eq!(slow.load().port, 1);
    gate.leave.send(()).unwrap();
    let mut ports = Vec::new();
    while ports.last() != Some(&4) {
        ports.push(slow.changed().await.unwrap().port);
    }
    assert!(ports == [2, 4] || ports == [4], "{ports:?}");
}

#[tokio::test]
async fn a_drop_ends_the_task_though_its_validator_hangs() {
    let store = TestStore::with(&pairs("one", "1"));
    let engine = store.engine.clone();
    let (builder, gate) = gated(&store);
    let live = builder.start().await.unwrap();
    store.publish(&pairs("slow", "2"));
    entered(&gate).await;
    drop((live, store));
    no_task_left().await;
    assert!(engine.is_cancelled());
    drop(gate);
}

#[tokio::test]
async fn t20_dropping_everything_inside_the_validator_is_safe() {
    let store = TestStore::with(&pairs("one", "1"));
    let engine = store.engine.clone();
    type Held = Arc<Mutex<Option<(Live<Settings>, TestStore)>>>;
    let held: Held = Arc::default();
    let inside = Arc::clone(&held);
    let live: Live<Settings> = builder(&store)
        .validate(move |_, _| {
            drop(inside.lock().unwrap().take());
            Ok::<_, String>(())
        })
        .start()
        .await
        .unwrap();
    let mut reader = live.reader();
    let publication = Arc::clone(&store.feed.publication);
    *held.lock().unwrap() = Some((live, store));
    let next = crate::testing::loaded(&pairs("two", "2"));
    publication.publish(next);
    while reader.load().port != 2 {
        tokio::task::yield_now().await;
    }
    drop(reader);
    no_task_left().await;
    assert!(engine.is_cancelled());
}

/// A layer that hangs from its second collection until it is told not to.
#[derive(Debug)]
struct Hangs {
    calls: AtomicUsize,
    free: Arc<AtomicBool>,
}

#[async_trait]
impl AsyncSource for Hangs {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let again = self.calls.fetch_add(1, Ordering::SeqCst) > 0;
        if again && !self.free.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(Map::new())
    }
}

async fn with_hanging_layer(store: &TestStore) -> (Live<Settings>, Arc<AtomicBool>) {
    let free = Arc::new(AtomicBool::new(false));
    let layers = layers(store).add_async_source(Hangs {
        calls: AtomicUsize::new(0),
        free: Arc::clone(&free),
    });
    let builder = LiveBuilder::new(store.feed.clone(), layers);
    (builder.start().await.unwrap(), free)
}

#[tokio::test(start_paused = true)]
async fn a_hanging_layer_is_given_up_and_tried_again() {
    let store = TestStore::with(&pairs("one", "1"));
    let (mut live, free) = with_hanging_layer(&store).await;
    let began = tokio::time::Instant::now();
    store.publish(&pairs("two", "2"));
    let text = refused(&live).await;
    assert_eq!(text, "collecting the layers took more than 60 s; attempt 1");
    let kind = live.status().refusal().unwrap().kind();
    assert_eq!(kind, ErrorKind::Timeout);
    free.store(true, Ordering::SeqCst);
    assert_eq!(live.changed().await.unwrap().port, 2);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(60) + INTERVAL && took < Duration::from_secs(92));
}

#[tokio::test(start_paused = true)]
async fn f78_a_drop_while_a_layer_hangs_ends_the_task() {
    let store = TestStore::with(&pairs("one", "1"));
    let engine = store.engine.clone();
    let (live, _free) = with_hanging_layer(&store).await;
    store.publish(&pairs("two", "2"));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(crate::testing::tasks(), 1);
    drop((live, store));
    no_task_left().await;
    assert!(engine.is_cancelled());
}

#[tokio::test]
async fn f88_subscribers_that_panic_or_never_poll_hold_nobody_up() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    let never = (
        live.clone(),
        live.part(|it| &it.port),
        crate::Changes::new(store.feed.clone()),
    );
    let mut woken = live.clone();
    let panics = tokio::runtime::Handle::current().spawn(async move {
        woken.changed().await.unwrap();
        panic!("a subscriber's own");
    });
    store.publish(&pairs("two", "2"));
    assert_eq!(live.changed().await.unwrap().port, 2);
    assert!(panics.await.unwrap_err().is_panic());
    for port in 3..100 {
        store.publish(&pairs("n", &port.to_string()));
        assert_eq!(live.changed().await.unwrap().port, port);
    }
    let (mut slow, mut part, mut changes) = never;
    assert_eq!(
        slow.changed().await.unwrap().port,
        99,
        "the newest, not the queue"
    );
    assert_eq!(*part.changed().await.unwrap(), 99);
    assert_eq!(changes.next().await.unwrap().len(), 2);
    assert!(futures::poll!(std::pin::pin!(changes.next())).is_pending());
}
