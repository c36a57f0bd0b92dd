//! What a store holds, and what it held.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use time::OffsetDateTime;

use super::journal::{Journal, Subject};
use super::setting::{Name, Setting};
use super::snapshots::{Snapshot, Snapshots};

/// The settings of a store at one moment, in the order of the service.
pub(crate) type Items = BTreeMap<Name, Arc<Setting>>;

/// The content of a store with its history.
#[derive(Debug, Default)]
pub(crate) struct State {
    items: Items,
    snapshots: Snapshots,
    changes: Vec<Change>,
    pub(crate) journal: Journal,
}

/// One change of the store.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) at: OffsetDateTime,
    pub(crate) what: Changed,
}

/// What a change left behind.
#[derive(Clone, Debug)]
pub(crate) enum Changed {
    /// The setting as it was written; none if it was deleted.
    Setting(Name, Option<Arc<Setting>>),
    /// The snapshot as it was ordered, ready (or failed), archived or taken back.
    Snapshot(Arc<Snapshot>),
}

impl State {
    pub(crate) fn items(&self) -> &Items {
        &self.items
    }

    /// All changes, oldest first. The position of a change plus one is its sequence number.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many changes had been made at `at`.
    pub(crate) fn changes_until(&self, at: OffsetDateTime) -> usize {
        let later = self.changes.iter().position(|change| change.at > at);
        later.unwrap_or(self.changes.len())
    }

    /// The settings after the first `changes`.
    pub(crate) fn items_after(&self, changes: usize) -> Cow<'_, Items> {
        if changes >= self.changes.len() {
            return Cow::Borrowed(&self.items);
        }
        let mut items = Items::new();
        for change in &self.changes[..changes] {
            match &change.what {
                Changed::Setting(name, Some(setting)) => {
                    items.insert(name.clone(), setting.clone());
                }
                Changed::Setting(name, None) => drop(items.remove(name)),
                Changed::Snapshot(_) => {}
            }
        }
        Cow::Owned(items)
    }

    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// The snapshots after the first `changes`.
    pub(crate) fn snapshots_after(&self, changes: usize) -> Cow<'_, Snapshots> {
        if changes >= self.changes.len() {
            return Cow::Borrowed(&self.snapshots);
        }
        let mut snapshots = Snapshots::default();
        for change in &self.changes[..changes] {
            if let Changed::Snapshot(snapshot) = &change.what {
                snapshots.insert(snapshot.clone());
            }
        }
        Cow::Owned(snapshots)
    }

    /// Ends the making of the snapshots whose time has come by `now`, which is a change of the store as well.
    pub(crate) fn settle(&mut self, now: OffsetDateTime) {
        for snapshot in self.snapshots.due(now) {
            let at = snapshot.due();
            self.record_snapshot(snapshot.made(), at);
        }
    }

    pub(crate) fn get(&self, name: &Name) -> Option<&Arc<Setting>> {
        self.items.get(name)
    }

    /// Writes `setting` with a new ETag. Writing what is there already is a change too, as in the service.
    pub(crate) fn put(&mut self, mut setting: Setting, now: OffsetDateTime) -> Arc<Setting> {
        setting.etag = random_etag();
        setting.last_modified = now;
        self.record(setting, now)
    }

    /// Locks or unlocks; ETag and time of the last change are new only if the state is.
    pub(crate) fn lock(
        &mut self,
        name: &Name,
        locked: bool,
        now: OffsetDateTime,
    ) -> Option<Arc<Setting>> {
        let found = self.items.get(name)?.clone();
        if found.locked == locked {
            return Some(found);
        }
        let mut setting = Setting::clone(&found);
        setting.locked = locked;
        setting.etag = random_etag();
        setting.last_modified = now;
        Some(self.record(setting, now))
    }

    pub(crate) fn remove(&mut self, name: &Name, now: OffsetDateTime) -> Option<Arc<Setting>> {
        let removed = self.items.remove(name)?;
        self.changes.push(Change {
            at: now,
            what: Changed::Setting(name.clone(), None),
        });
        self.tell_setting(&removed, true, now);
        Some(removed)
    }

    pub(crate) fn add_snapshot(&mut self, snapshot: Snapshot, now: OffsetDateTime) {
        let snapshot = self.record_snapshot(snapshot, now);
        self.tell_snapshot(&snapshot, true, now);
    }

    /// Archives a snapshot or takes it back; says whether there is one.
    pub(crate) fn archive_snapshot(
        &mut self,
        name: &str,
        archived: bool,
        now: OffsetDateTime,
    ) -> bool {
        let Some(found) = self.snapshots.get(name, now) else {
            return false;
        };
        let changed = found.archived(archived, now);
        let changed = self.record_snapshot(changed, now);
        self.tell_snapshot(&changed, false, now);
        true
    }

    fn record_snapshot(&mut self, snapshot: Snapshot, at: OffsetDateTime) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        self.snapshots.insert(snapshot.clone());
        let what = Changed::Snapshot(snapshot.clone());
        self.changes.push(Change { at, what });
        snapshot
    }

    fn record(&mut self, setting: Setting, now: OffsetDateTime) -> Arc<Setting> {
        let (name, setting) = (setting.name(), Arc::new(setting));
        self.items.insert(name.clone(), setting.clone());
        self.changes.push(Change {
            at: now,
            what: Changed::Setting(name, Some(setting.clone())),
        });
        self.tell_setting(&setting, false, now);
        setting
    }

    fn tell_setting(&self, setting: &Setting, deleted: bool, now: OffsetDateTime) {
        let subject = Subject::Setting {
            key: setting.key.clone(),
            label: setting.label.clone(),
            deleted,
        };
        self.journal
            .tell(subject, &setting.etag, self.changes.len(), now);
    }

    fn tell_snapshot(&self, snapshot: &Snapshot, created: bool, now: OffsetDateTime) {
        let subject = Subject::Snapshot {
            name: snapshot.order.name.clone(),
            created,
        };
        self.journal
            .tell(subject, &snapshot.etag, self.changes.len(), now);
    }
}

/// 128 random bits in base64url, as the service's ETags.
pub(crate) fn random_etag() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system has a random source");
    BASE64URL.encode(bytes)
}
