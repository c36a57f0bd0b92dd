//! What a store publishes: the current generation, a notice of every new one, and its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::loaded::Loaded;
use crate::task::Owner;
use crate::time::WallClock;

mod changes;
pub(crate) mod pin;

pub use changes::Changes;

/// The published state of one store. One writer (the refresh engine), any number of readers.
pub(crate) struct Publication {
    current: ArcSwapOption<Loaded>,
    generation: watch::Sender<u64>,
    closed: CancellationToken,
    clock: Arc<dyn WallClock>,
    interval: Duration,
}

impl Publication {
    /// `interval` is how often the store is checked; what is built from it and could not be is tried again
    /// as often.
    pub(crate) fn new(clock: Arc<dyn WallClock>, interval: Duration) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwapOption::empty(),
            generation: watch::Sender::new(0),
            closed: CancellationToken::new(),
            clock,
            interval,
        })
    }

    /// The newest generation, or `None` before the first load.
    pub(crate) fn current(&self) -> Option<Arc<Loaded>> {
        self.current.load_full()
    }

    /// The newest generation's number; 0 before the first load.
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Makes `loaded` the current generation, then tells everybody. One that is not newer than the current
    /// one is dropped, and the answer is false.
    pub(crate) fn publish(&self, loaded: Arc<Loaded>) -> bool {
        let mut old = None;
        let newer = self.generation.send_if_modified(|generation| {
            if loaded.generation() <= *generation {
                return false;
            }
            *generation = loaded.generation();
            old = self.current.swap(Some(loaded));
            true
        });
        // A large old tree is taken apart only here, outside the channel's lock.
        drop(old);
        newer
    }

    /// The number of every new generation, the newest only.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Waits for a generation above `seen`.
    pub(crate) async fn newer_than(&self, seen: u64) {
        let mut generations = self.watch();
        let newer = generations.wait_for(|generation| *generation > seen).await;
        if newer.map(drop).is_err() {
            // Cannot be: the sender lives in `self`. Never is the honest answer.
            std::future::pending().await
        }
    }

    /// Says that no further generation will come.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Cancelled when no further generation will come.
    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    pub(crate) fn clock(&self) -> &Arc<dyn WallClock> {
        &self.clock
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("generation", &self.generation())
            .field("closed", &self.closed.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// What a follower of a store holds: its publication, and the owner that keeps its engine running.
#[derive(Clone)]
pub(crate) struct Feed {
    pub(crate) publication: Arc<Publication>,
    pub(crate) owner: Owner,
}

#[cfg(test)]
mod tests {
    use crate::testing::{loaded, publication};

    #[test]
    fn a_generation_never_goes_back() {
        let publication = publication();
        assert!(publication.current().is_none());
        assert!(publication.publish(loaded(2, &[("a", "2")])));
        assert!(!publication.publish(loaded(2, &[("a", "other")])));
        assert!(!publication.publish(loaded(1, &[("a", "1")])));
        assert_eq!(publication.generation(), 2);
        assert_eq!(publication.current().unwrap().generation(), 2);
        assert!(publication.publish(loaded(3, &[])));
        assert_eq!(publication.generation(), 3);
    }

    #[test]
    fn racing_writers_leave_value_and_number_in_step() {
        let publication = publication();
        let next = std::sync::atomic::AtomicU64::new(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        publication.publish(loaded(number, &[]));
                    }
                });
            }
        });
        assert_eq!(publication.generation(), 2_000);
        assert_eq!(publication.current().unwrap().generation(), 2_000);
    }
}
