//! What a store publishes: the current generation, a notice of every new one, and its end.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::loaded::Loaded;
use crate::task::Owner;
use crate::time::WallClock;
use crate::tree::{ChangeSet, Tree};

mod changes;
pub(crate) mod pin;

pub use changes::Changes;

/// What a publication brought.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// The number of the current generation.
    pub(crate) generation: u64,
    /// What differs from what was current before; empty if nothing does.
    pub(crate) changes: Arc<ChangeSet>,
}

/// The published state of one store. One writer (the refresh engine), any number of readers.
pub(crate) struct Publication {
    current: ArcSwapOption<Loaded>,
    generation: watch::Sender<u64>,
    writing: Mutex<()>,
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
            writing: Mutex::new(()),
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

    /// Makes `loaded` the current generation, then tells everybody. Cannot fail.
    ///
    /// If no value differs from the generation before, it takes over that one's number, and nobody is told.
    pub(crate) fn publish(&self, loaded: Loaded) -> Published {
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let Some(before) = self.current() else {
            let changes = Arc::new(Tree::diff(&Tree::default(), loaded.tree()));
            return self.announce(loaded.numbered(1, now, changes));
        };
        let changes = Arc::new(Tree::diff(before.tree(), loaded.tree()));
        if changes.is_empty() {
            let same = loaded.numbered(
                before.generation(),
                now,
                Arc::clone(before.shared_changes()),
            );
            self.current.store(Some(Arc::new(same)));
            return Published {
                generation: before.generation(),
                changes,
            };
        }
        self.announce(loaded.numbered(before.generation() + 1, now, changes))
    }

    fn announce(&self, loaded: Loaded) -> Published {
        let generation = loaded.generation();
        let changes = Arc::clone(loaded.shared_changes());
        self.current.store(Some(Arc::new(loaded)));
        self.generation.send_replace(generation);
        Published {
            generation,
            changes,
        }
    }

    /// The number of every new generation, the newest only.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Waits for a generation above `seen`.
    pub(crate) async fn newer_than(&self, seen: u64) {
        let mut generations = self.watch();
        // The sender lives in `self`, so there is no other way for this to end than by a newer one.
        drop(generations.wait_for(|generation| *generation > seen).await);
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
    fn every_change_is_a_generation_and_nothing_else_is() {
        let publication = publication();
        assert!(publication.current().is_none());
        let first = publication.publish(loaded(&[("a", "1")]));
        assert_eq!((first.generation, first.changes.is_empty()), (1, false));
        let watch = publication.watch();
        let same = publication.publish(loaded(&[("a", "1")]));
        assert_eq!((same.generation, same.changes.is_empty()), (1, true));
        assert!(!watch.has_changed().unwrap());
        assert!(!publication.current().unwrap().changes().is_empty());
        let second = publication.publish(loaded(&[("a", "2")]));
        assert_eq!((second.generation, second.changes.is_empty()), (2, false));
        assert!(watch.has_changed().unwrap());
        assert_eq!(publication.current().unwrap().generation(), 2);
    }

    #[test]
    fn an_empty_first_load_is_a_generation() {
        let publication = publication();
        let first = publication.publish(loaded(&[]));
        assert_eq!((first.generation, first.changes.is_empty()), (1, true));
        assert_eq!(publication.generation(), 1);
    }

    #[test]
    fn racing_writers_leave_value_and_number_in_step() {
        let publication = publication();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let publication = &publication;
                scope.spawn(move || {
                    let mut last = 0;
                    for number in 0..500 {
                        let value = format!("{writer} {number}");
                        let published = publication.publish(loaded(&[("a", &value)]));
                        assert!(published.generation > last);
                        last = published.generation;
                    }
                });
            }
        });
        assert_eq!(publication.generation(), 2_000);
        assert_eq!(publication.current().unwrap().generation(), 2_000);
    }
}
