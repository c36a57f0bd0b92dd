//! What was read, and what is being read right now.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::ReferenceId;
use super::failure::ReadFailure;
use super::resolved::Resolved;

pub(super) type Outcome = Result<Arc<Resolved>, ReadFailure>;
type Read = BoxFuture<'static, Outcome>;

/// One entry per identifier. An entry's value is replaced by a successful read alone.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<ReferenceId, Arc<Entry>>>);

#[derive(Default)]
pub(super) struct Entry {
    value: ArcSwapOption<Resolved>,
    /// The read under way. It is driven by those who wait for it, and ends when the last of them goes.
    flight: Mutex<Option<WeakShared<Read>>>,
}

impl Cache {
    pub(super) fn held(&self, id: &ReferenceId) -> Option<Arc<Resolved>> {
        self.entries().get(id).and_then(|entry| entry.held())
    }

    pub(super) fn entry(&self, id: &ReferenceId) -> Arc<Entry> {
        let mut entries = self.entries();
        match entries.get(id) {
            Some(entry) => entry.clone(),
            None => entries.entry(id.clone()).or_default().clone(),
        }
    }

    /// Forgets every identifier that is not in `ids`, so that its secret is erased with its last user.
    pub(super) fn retain(&self, ids: &BTreeSet<ReferenceId>) {
        self.entries().retain(|id, _| ids.contains(id));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<ReferenceId, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    pub(super) fn held(&self) -> Option<Arc<Resolved>> {
        self.value.load_full()
    }

    pub(super) fn replace(&self, value: Arc<Resolved>) {
        self.value.store(Some(value));
    }

    /// Joins the read under way, or begins one.
    pub(super) fn join(&self, begin: impl FnOnce() -> Read) -> Shared<Read> {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = flight.as_ref().and_then(WeakShared::upgrade);
        // One that has ended is history, even if a waiter has not looked at its outcome yet.
        if let Some(read) = under_way.filter(|read| read.peek().is_none()) {
            return read;
        }
        let read = begin().shared();
        *flight = read.downgrade();
        read
    }
}
