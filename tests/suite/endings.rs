//! How a refresh ends: shut down, dropped, or left by its runtime; and that one thread is enough for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure::{ErrorKind, RefreshOptions};
use config_azure_emulator::{Fault, Route};
use tokio::time::Instant;

use crate::support::{self, loaded, next, paths, secs};

#[tokio::test(start_paused = true)]
async fn n13_shutdown_takes_a_moment_whatever_is_under_way() {
    let hanging = [None, Some(Route::store()), Some(Route::vault())];
    for hangs in hanging {
        let emulator = support::world_in_memory();
        let before = support::tasks();
        let azure = loaded(&emulator, RefreshOptions::new()).await;
        let asked = hangs.clone();
        if let Some(route) = hangs {
            emulator.faults().script(route, Fault::Hang, None);
        }
        tokio::time::sleep(secs(305)).await;
        let waiting = tokio::spawn({
            let azure = azure.clone();
            async move { azure.refresh().await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        azure.shutdown().await;
        assert!(began.elapsed() <= Duration::from_millis(100), "{asked:?}");
        let answer = waiting.await.expect("no panic");
        if asked.is_some() {
            assert_eq!(
                answer.expect_err("it was cut off").kind(),
                ErrorKind::Closed
            );
        }
        emulator.log().wait_idle().await;
        assert_eq!(support::tasks(), before);
        assert_eq!(azure.loaded().expect("still there").generation(), 1);
        assert!(azure.changes().next().await.is_none());
    }
}

/// A callback cannot be cancelled, so the end does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn n13_shutdown_does_not_wait_for_a_callback() {
    let emulator = support::world().await;
    let (inside, entered) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (inside, released) = (Mutex::new(inside), Mutex::new(released));
    let azure = support::by_token(&emulator)
        .map_key(move |setting| {
            if setting.key() == "stuck" {
                inside.lock().unwrap().send(()).unwrap();
                // Ends when the other side is dropped.
                let _ = released.lock().unwrap().recv();
            }
            config_azure::KeyPath::new(setting.key().split(':')).ok()
        })
        .refresh(RefreshOptions::new().every(secs(1)))
        .load()
        .await
        .expect("a load");
    emulator.store("contoso").set("stuck", None, "x");
    let entered = tokio::task::spawn_blocking(move || entered.recv());
    entered.await.expect("no panic").expect("the callback");
    let ended = tokio::time::timeout(secs(10), azure.shutdown()).await;
    assert!(ended.is_ok(), "it waits for the callback");
    assert_eq!(azure.loaded().expect("still there").generation(), 1);
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn f77_the_handle_is_dropped_before_the_runtime() {
    let emulator = support::world_in_memory();
    let before = support::tasks();
    let azure = loaded(&emulator, RefreshOptions::new()).await;
    drop(azure);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(support::tasks(), before);
    emulator.log().clear();
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(emulator.log().entries().len(), 0);
}

#[tokio::test]
async fn f78_every_handle_is_dropped_during_a_hung_request() {
    let emulator = support::world().await;
    let options = RefreshOptions::new().every(secs(1));
    let builder = support::by_token(&emulator).refresh(options);
    let azure = builder.load().await.expect("a load");
    emulator.faults().script(Route::store(), Fault::Hang, None);
    emulator.log().clear();
    emulator.log().wait_for(Route::store_list(), 1).await;
    assert!(emulator.log().in_flight() > 0);
    drop(azure);
    // Only a closed connection ends it.
    emulator.log().wait_idle().await;
}

#[test]
fn f76_the_runtime_is_dropped_before_the_handle() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let first = runtime().expect("a runtime");
    let (emulator, azure) = first.block_on(async {
        let emulator = support::world_in_memory();
        let azure = loaded(&emulator, RefreshOptions::new()).await;
        (emulator, azure)
    });
    drop(first);
    assert_eq!(azure.loaded().expect("the last value").generation(), 1);
    assert!(!azure.status().running);
    runtime().expect("another runtime").block_on(async {
        let error = azure.refresh().await.expect_err("its runtime is gone");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(azure.changes().next().await.is_none());
        azure.shutdown().await;
    });
    drop(emulator);
}

#[test]
fn f79_one_worker_is_enough() {
    for threads in [0, 1] {
        let runtime = match threads {
            0 => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
            many => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(many)
                .enable_all()
                .build(),
        };
        runtime.expect("a runtime").block_on(async {
            let emulator = support::world_in_memory();
            let azure = Arc::new(loaded(&emulator, RefreshOptions::new().every(secs(1))).await);
            emulator.store("contoso").set("db:host", None, "another");
            let (changes, _) = next(&azure, secs(30)).await.expect("in time");
            assert_eq!(paths(&changes), ["db.host"]);
            azure.shutdown().await;
        });
    }
}
