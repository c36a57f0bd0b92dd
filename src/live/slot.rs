//! A value that is replaced as a whole: one `ArcSwap`, the number of its generation, what was last refused,
//! and the end. Shared by `Live` and `Derived`: one task writes, anybody reads.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Closed;
use super::status::{LiveStatus, Refusal};
use crate::error::Error;
use crate::task;
use crate::telemetry;
use crate::time::WallClock;

pub(super) struct Slot<V> {
    value: ArcSwap<V>,
    mark: watch::Sender<Mark>,
    refusal: ArcSwapOption<Refusal>,
    closed: CancellationToken,
    clock: Arc<dyn WallClock>,
    /// The application's name for what is in here.
    of: &'static str,
}

/// What is told when a value is replaced.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) generation: u64,
    pub(super) swapped_at: SystemTime,
}

impl<V> Slot<V> {
    /// The first value has generation 1. `T` is the application's own type.
    pub(super) fn new<T>(first: V, clock: Arc<dyn WallClock>) -> Arc<Self> {
        let mark = Mark {
            generation: 1,
            swapped_at: clock.now(),
        };
        Arc::new(Self {
            value: ArcSwap::from_pointee(first),
            mark: watch::Sender::new(mark),
            refusal: ArcSwapOption::empty(),
            closed: CancellationToken::new(),
            clock,
            of: std::any::type_name::<T>(),
        })
    }

    #[inline]
    pub(super) fn value(&self) -> &ArcSwap<V> {
        &self.value
    }

    pub(super) fn generation(&self) -> u64 {
        self.mark.borrow().generation
    }

    /// The current value with its number: a pair that belongs together.
    pub(super) fn latest(&self) -> (u64, Arc<V>) {
        let mark = self.mark.borrow();
        (mark.generation, self.value.load_full())
    }

    /// Swaps the next generation in, then tells everybody. `make` gets its number.
    pub(super) fn accept(&self, make: impl FnOnce(u64) -> V) {
        let generation = self.generation() + 1;
        let next = Arc::new(make(generation));
        let swapped_at = self.clock.now();
        let mut old = None;
        let mut refusal = None;
        self.mark.send_modify(|mark| {
            old = Some(self.value.swap(next));
            refusal = self.refusal.swap(None);
            *mark = Mark {
                generation,
                swapped_at,
            };
        });
        telemetry::live_swapped(self.of, generation);
        if let Some(refusal) = refusal {
            telemetry::live_recovered(self.of, refusal.attempts());
        }
        // The old value may be the last of its kind, and dropping it is the application's code: if that panics, the next one
        // is in use all the same.
        task::caught_now(|| drop(old)).ok();
    }

    /// Keeps the current value, and says why. It is only told if it is news: the first refusal since the last
    /// success, or one with another reason.
    pub(super) fn refuse(&self, error: Error) {
        let before = self.refusal.load_full();
        let refusal = Refusal::after(before.as_deref(), error, self.clock.now());
        if refusal.is_news_after(before.as_deref()) {
            telemetry::live_refused(self.of, refusal.error());
        }
        self.refusal.store(Some(Arc::new(refusal)));
    }

    /// Forgets a report of slowness that came at the same time as the answer.
    pub(super) fn settle(&self) {
        self.refusal.store(None);
    }

    /// Waits for a generation above `seen`, and returns it.
    pub(super) async fn newer_than(&self, seen: u64) -> Result<(u64, Arc<V>), Closed> {
        let mut marks = self.mark.subscribe();
        let newer = async {
            let found = marks.wait_for(|mark| mark.generation > seen).await;
            found.map(drop).map_err(|_| Closed)
        };
        tokio::select! {
            biased;
            found = newer => found.map(|()| self.latest()),
            () = self.closed.cancelled() => Err(Closed),
        }
    }

    /// Cancelled when no further value will come.
    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    pub(super) fn clock(&self) -> &Arc<dyn WallClock> {
        &self.clock
    }

    pub(super) fn status(&self) -> LiveStatus {
        LiveStatus::new(
            *self.mark.borrow(),
            self.refusal.load_full(),
            self.closed.is_cancelled(),
        )
    }
}

/// The pause after the `attempt`th failure in a row: from one second, doubling, up to `most`.
pub(super) fn backoff(attempt: u32, most: Duration) -> Duration {
    let seconds = 1_u64
        .checked_shl(attempt.saturating_sub(1))
        .unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(most)
}
