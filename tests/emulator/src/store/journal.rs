//! News of a store for whoever listens: changes of settings and snapshots, as they are made.

use std::fmt;

use time::OffsetDateTime;

/// What changed.
#[derive(Debug)]
pub(crate) struct StoreChange {
    pub(crate) subject: Subject,
    /// The ETag of what was written, or of what was deleted.
    pub(crate) etag: String,
    /// How many changes the store has seen, this one included.
    pub(crate) changes: usize,
    pub(crate) at: OffsetDateTime,
}

#[derive(Debug)]
pub(crate) enum Subject {
    Setting {
        key: String,
        label: Option<String>,
        deleted: bool,
    },
    Snapshot {
        name: String,
        created: bool,
    },
}

/// Called while the store is locked: it must not ask the store anything.
pub(crate) type Listener = Box<dyn Fn(StoreChange) + Send + Sync>;

/// Tells the listener, if there is one.
#[derive(Default)]
pub(crate) struct Journal(Option<Listener>);

impl Journal {
    pub(crate) fn listen(&mut self, listener: Listener) {
        self.0 = Some(listener);
    }

    pub(crate) fn tell(&self, subject: Subject, etag: &str, changes: usize, at: OffsetDateTime) {
        if let Some(listener) = &self.0 {
            listener(StoreChange {
                subject,
                etag: etag.to_owned(),
                changes,
                at,
            });
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.0.is_some()).finish()
    }
}
