//! What is not taken over, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use config::{ConfigError, File, Map, Source, Value};
use tokio::time::{Instant, advance, sleep};

use super::*;
use crate::ErrorKind;
use crate::testing::INTERVAL;

/// Waits, in the clock of the test, until the status shows a refusal of that many attempts.
async fn refused(live: &Live<Settings>, attempts: u32) {
    let enough = |live: &Live<Settings>| {
        let status = live.status();
        status.refusal().is_some_and(|it| it.attempts() >= attempts)
    };
    while !enough(live) {
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f90_a_value_that_does_not_fit_keeps_the_old_one() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    store.publish(&pairs("two", "not a port"));
    refused(&live, 1).await;
    let status = live.status();
    assert!(!status.is_current() && !status.is_closed());
    assert_eq!(status.refusal().unwrap().kind(), ErrorKind::InvalidValue);
    assert!(!status.to_string().contains("not a port"));
    assert_eq!(live.load().title, "one");
    assert_eq!(live.load().generation(), 1);

    store.publish(&pairs("three", "3"));
    let now = live.changed().await.unwrap();
    assert_eq!((now.title.as_str(), now.generation()), ("three", 2));
    assert_eq!(now.loaded().generation(), 3, "the refused one was skipped");
    assert!(live.status().is_current());
}

#[tokio::test(start_paused = true)]
async fn t21_refused_then_accepted() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live: Live<Settings> = builder(&store)
        .validate(|new: &Settings, old: Option<&Settings>| match old {
            Some(old) if new.port < old.port => Err("the port must not sink (canary-1)"),
            _ => Ok(()),
        })
        .start()
        .await
        .unwrap();
    store.publish(&pairs("two", "0"));
    refused(&live, 1).await;
    let status = live.status();
    let refusal = status.refusal().unwrap();
    assert_eq!(refusal.kind(), ErrorKind::Rejected);
    assert_eq!(
        refusal.to_string(),
        "the validator refused the new values; attempt 1"
    );
    let cause = std::error::Error::source(refusal.error()).unwrap();
    assert_eq!(cause.to_string(), "the port must not sink (canary-1)");
    assert!(!format!("{status:?} {status}").contains("canary"));
    assert_eq!(live.load().title, "one");

    store.publish(&pairs("three", "2"));
    assert_eq!(live.changed().await.unwrap().title, "three");
    assert!(live.status().refusal().is_none());
}

#[tokio::test]
async fn at_the_start_a_refusal_is_the_error() {
    let store = TestStore::with(&pairs("one", "1"));
    let error = builder::<Settings>(&store)
        .validate(|_, old| {
            assert!(old.is_none());
            Err::<(), _>("never")
        })
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);

    let misfit = TestStore::with(&pairs("one", "x"));
    let error = live(&misfit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert_eq!(crate::testing::tasks(), 0);
}

/// A local file that an editor can leave half written, and how often it was read.
#[derive(Debug, Clone)]
struct Edited {
    whole: Arc<std::sync::atomic::AtomicBool>,
    reads: Arc<AtomicUsize>,
}

impl Source for Edited {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let text = match self.whole.load(Ordering::SeqCst) {
            true => "title = 'mended'",
            false => "title = 'half-canary",
        };
        File::from_str(text, config::FileFormat::Toml).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_edited_file_is_named_and_tried_again_at_every_interval() {
    let store = TestStore::with(&pairs("one", "1"));
    let file = Edited {
        whole: Arc::new(true.into()),
        reads: Arc::default(),
    };
    let layers = layers(&store).add_source(file.clone());
    let mut live: Live<Settings> = LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    assert_eq!(file.reads.load(Ordering::SeqCst), 1);

    file.whole.store(false, Ordering::SeqCst);
    sleep(INTERVAL * 10).await;
    assert_eq!(
        file.reads.load(Ordering::SeqCst),
        1,
        "nothing was published, nothing is rebuilt"
    );

    store.publish(&pairs("two", "2"));
    refused(&live, 1).await;
    let began = Instant::now();
    refused(&live, 4).await;
    let waited = began.elapsed();
    assert!(
        waited >= INTERVAL * 3 - Duration::from_millis(200),
        "{waited:?}"
    );
    assert!(
        waited <= INTERVAL * 3 + Duration::from_millis(200),
        "{waited:?}"
    );
    assert_eq!(file.reads.load(Ordering::SeqCst), 1 + 4);

    let status = live.status();
    let refusal = status.refusal().unwrap();
    assert_eq!(refusal.kind(), ErrorKind::Layer);
    assert!(refusal.to_string().contains("cannot be parsed, line 1"));
    assert!(!refusal.to_string().contains("canary"));
    assert_eq!(live.load().port, 1);

    file.whole.store(true, Ordering::SeqCst);
    let now = live.changed().await.unwrap();
    assert_eq!((now.title.as_str(), now.port), ("mended", 2));
    assert_eq!((now.generation(), now.loaded().generation()), (2, 2));
    assert!(live.status().is_current());
    assert_eq!(file.reads.load(Ordering::SeqCst), 1 + 5);

    sleep(INTERVAL * 10).await;
    assert_eq!(file.reads.load(Ordering::SeqCst), 1 + 5, "and it rests");
}

#[tokio::test(start_paused = true)]
async fn since_is_the_first_refusal_and_a_success_forgets_it() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    store.publish(&pairs("two", "x"));
    refused(&live, 1).await;
    let since = live.status().refusal().unwrap().since();
    refused(&live, 3).await;
    assert_eq!(live.status().refusal().unwrap().since(), since);
    store.publish(&pairs("three", "3"));
    live.changed().await.unwrap();
    store.publish(&pairs("four", "x"));
    refused(&live, 1).await;
    assert_eq!(live.status().refusal().unwrap().attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_newer_publication_does_not_wait_for_the_interval() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    store.publish(&pairs("two", "x"));
    refused(&live, 1).await;
    let began = Instant::now();
    store.publish(&pairs("three", "3"));
    live.changed().await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(200));
    advance(INTERVAL).await;
}
