//! A thing that is built from a part: its builds, their failures and their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::*;
use crate::testing::{INTERVAL, no_task_left};
use crate::{Derived, ErrorKind};

/// Stands for a connection pool: says what it was built for.
#[derive(Debug, PartialEq)]
struct Pool(u16);

/// A pool for any port but 13.
async fn pool(live: &Live<Settings>, builds: &Arc<AtomicUsize>) -> Result<Derived<Pool>> {
    let builds = Arc::clone(builds);
    live.derive(
        |settings| &settings.port,
        move |port| {
            let builds = Arc::clone(&builds);
            async move {
                builds.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                match *port {
                    13 => Err("no luck (canary)"),
                    port => Ok(Pool(port)),
                }
            }
        },
    )
    .await
}

async fn until(check: impl Fn() -> bool) {
    while !check() {
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn it_follows_its_part_and_no_other() {
    let store = TestStore::with(&pairs("one", "1"));
    let builds = Arc::default();
    let mut live = live(&store).await.unwrap();
    let mut derived = pool(&live, &builds).await.unwrap();
    let old = derived.load();
    assert_eq!(*old, Pool(1));
    store.publish(&pairs("two", "1"));
    live.changed().await.unwrap();
    store.publish(&pairs("two", "2"));
    assert_eq!(*derived.changed().await.unwrap(), Pool(2));
    assert_eq!(*derived.as_arc_swap().load_full(), Pool(2));
    assert_eq!(*old, Pool(1), "work on the old one goes on");
    assert_eq!(builds.load(Ordering::SeqCst), 2);
    assert_eq!(derived.status().generation(), 2);
}

#[tokio::test]
async fn a_first_one_that_cannot_be_built_is_the_error() {
    let store = TestStore::with(&pairs("one", "13"));
    let live = live(&store).await.unwrap();
    let error = pool(&live, &Arc::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(!error.to_string().contains("canary"));
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_keeps_the_old_one_and_is_repeated_with_backoff() {
    let store = TestStore::with(&pairs("one", "1"));
    let builds: Arc<AtomicUsize> = Arc::default();
    let live = live(&store).await.unwrap();
    let mut derived = pool(&live, &builds).await.unwrap();
    let began = Instant::now();
    store.publish(&pairs("two", "13"));
    // Builds at 0, 1, 3, 7, 15, 31 and then every 30 s.
    until(|| builds.load(Ordering::SeqCst) == 1 + 8).await;
    let took = began.elapsed();
    let due = Duration::from_secs(31) + INTERVAL * 2;
    assert!(
        took >= due && took < due + Duration::from_secs(1),
        "{took:?}"
    );
    until(|| {
        derived
            .status()
            .refusal()
            .is_some_and(|it| it.attempts() == 8)
    })
    .await;
    assert_eq!(*derived.load(), Pool(1));
    let text = derived.status().to_string();
    assert!(
        text.contains("could not be built") && !text.contains("canary"),
        "{text}"
    );

    let began = Instant::now();
    store.publish(&pairs("three", "3"));
    assert_eq!(*derived.changed().await.unwrap(), Pool(3));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "a change does not wait"
    );
    assert!(derived.status().is_current());
}

#[tokio::test(start_paused = true)]
async fn back_to_the_old_value_after_a_failure_is_well_again() {
    let store = TestStore::with(&pairs("one", "1"));
    let live = live(&store).await.unwrap();
    let mut derived = pool(&live, &Arc::default()).await.unwrap();
    store.publish(&pairs("two", "13"));
    until(|| derived.status().refusal().is_some()).await;
    store.publish(&pairs("one", "1"));
    assert_eq!(*derived.changed().await.unwrap(), Pool(1));
    assert!(derived.status().is_current());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_build_is_a_failure() {
    let store = TestStore::with(&pairs("one", "1"));
    let live = live(&store).await.unwrap();
    let mut derived = live
        .derive(
            |settings| &settings.port,
            |port| {
                assert!(*port != 2, "before the future");
                async move {
                    assert!(*port != 3, "inside the future");
                    Ok::<_, String>(Pool(*port))
                }
            },
        )
        .await
        .unwrap();
    for port in ["2", "3"] {
        store.publish(&pairs("n", port));
        until(|| derived.status().refusal().is_some()).await;
        assert_eq!(*derived.load(), Pool(1));
    }
    store.publish(&pairs("n", "4"));
    assert_eq!(*derived.changed().await.unwrap(), Pool(4));
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_the_part_is_a_failure() {
    let store = TestStore::with(&pairs("one", "1"));
    let live = live(&store).await.unwrap();
    let part = live.part_by(
        |settings: &Settings| {
            assert!(settings.port != 2, "while it is selected");
            &settings.port
        },
        |old, new| {
            assert!(*new != 3, "while it is compared");
            old == new
        },
    );
    let mut derived = part
        .derive(|port| async move { Ok::<_, String>(Pool(*port)) })
        .await
        .unwrap();
    store.publish(&pairs("n", "2"));
    until(|| !derived.status().is_current() || derived.status().is_closed()).await;
    assert!(!derived.status().is_closed());
    assert_eq!(*derived.load(), Pool(1));
    store.publish(&pairs("n", "3"));
    // Nothing is compared when it is tried again.
    assert_eq!(*derived.changed().await.unwrap(), Pool(3));
    store.publish(&pairs("n", "4"));
    assert_eq!(*derived.changed().await.unwrap(), Pool(4));
    assert!(derived.status().is_current());
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_newer_part_ends_no_build() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    let started: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&started);
    let mut derived = live
        .derive(
            |settings| {
                assert!(settings.port != 3, "while it is selected");
                &settings.port
            },
            move |port| {
                count.fetch_add(1, Ordering::SeqCst);
                async move {
                    sleep(Duration::from_secs(u64::from(*port))).await;
                    Ok::<_, String>(Pool(*port))
                }
            },
        )
        .await
        .unwrap();
    store.publish(&pairs("n", "2"));
    until(|| started.load(Ordering::SeqCst) == 2).await;
    store.publish(&pairs("n", "3"));
    live.changed().await.unwrap();
    assert_eq!(*derived.changed().await.unwrap(), Pool(2));
    until(|| derived.status().refusal().is_some()).await;
}

/// Builds that are finished by hand, in any order.
type Waiting = Arc<Mutex<Vec<(u16, oneshot::Sender<()>)>>>;

async fn by_hand(live: &Live<Settings>) -> (Derived<Pool>, Waiting) {
    let waiting: Waiting = Arc::default();
    let list = Arc::clone(&waiting);
    let derived = live
        .derive(
            |settings| &settings.port,
            move |port| {
                let (done, wait) = oneshot::channel();
                let port = *port;
                if port == 1 {
                    done.send(()).unwrap();
                } else {
                    list.lock().unwrap().push((port, done));
                }
                async move { wait.await.map(|()| Pool(port)) }
            },
        )
        .await
        .unwrap();
    (derived, waiting)
}

#[tokio::test(start_paused = true)]
async fn changes_during_a_build_become_one_more_build() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    let (mut derived, waiting) = by_hand(&live).await;
    for port in ["2", "3", "4", "5"] {
        store.publish(&pairs("n", port));
        live.changed().await.unwrap();
        until(|| !waiting.lock().unwrap().is_empty()).await;
    }
    let (port, done) = waiting.lock().unwrap().pop().unwrap();
    assert_eq!(port, 2);
    done.send(()).unwrap();
    assert_eq!(*derived.changed().await.unwrap(), Pool(2));
    until(|| !waiting.lock().unwrap().is_empty()).await;
    let (port, done) = waiting.lock().unwrap().pop().unwrap();
    assert_eq!(port, 5, "3 and 4 were never built");
    done.send(()).unwrap();
    assert_eq!(*derived.changed().await.unwrap(), Pool(5));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_hangs_is_given_up_for_a_newer_one() {
    let store = TestStore::with(&pairs("one", "1"));
    let live = live(&store).await.unwrap();
    let (mut derived, waiting) = by_hand(&live).await;
    store.publish(&pairs("n", "2"));
    until(|| waiting.lock().unwrap().len() == 1).await;
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(
        waiting.lock().unwrap().len(),
        1,
        "nothing newer: it may take its time"
    );
    let began = Instant::now();
    store.publish(&pairs("n", "3"));
    until(|| waiting.lock().unwrap().len() == 2).await;
    assert!(began.elapsed() >= Duration::from_secs(30));
    let (port, done) = waiting.lock().unwrap().pop().unwrap();
    assert_eq!(port, 3);
    done.send(()).unwrap();
    assert_eq!(*derived.changed().await.unwrap(), Pool(3));
}

#[tokio::test]
async fn dropped_during_a_build_it_ends() {
    let store = TestStore::with(&pairs("one", "1"));
    let engine = store.engine.clone();
    let live = live(&store).await.unwrap();
    let (derived, waiting) = by_hand(&live).await;
    store.publish(&pairs("n", "2"));
    while waiting.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop((live, store));
    assert_eq!(crate::testing::tasks(), 2);
    assert!(!engine.is_cancelled());
    drop(derived);
    no_task_left().await;
    assert!(engine.is_cancelled());
    let (_, done) = waiting.lock().unwrap().pop().unwrap();
    assert!(done.is_closed(), "the build was dropped");
}

#[tokio::test]
async fn the_end_reaches_what_is_derived() {
    let store = TestStore::with(&pairs("one", "1"));
    let live = live(&store).await.unwrap();
    let mut derived = pool(&live, &Arc::default()).await.unwrap();
    store.feed.publication.close();
    assert_eq!(derived.changed().await, Err(crate::Closed));
    assert!(derived.status().is_closed());
    assert_eq!(*derived.load(), Pool(1));
}
