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
    revisions: Vec<Revision>,
    pub(crate) snapshots: Snapshots,
    pub(crate) journal: Journal,
}

/// One change of one setting.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) at: OffsetDateTime,
    pub(crate) name: Name,
    /// The setting as it was written; none if it was deleted.
    pub(crate) setting: Option<Arc<Setting>>,
}

impl State {
    pub(crate) fn items(&self) -> &Items {
        &self.items
    }

    /// All changes, oldest first. The position of a change plus one is its sequence number.
    pub(crate) fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// How many changes had been made at `at`.
    pub(crate) fn changes_until(&self, at: OffsetDateTime) -> usize {
        let later = self.revisions.iter().position(|revision| revision.at > at);
        later.unwrap_or(self.revisions.len())
    }

    /// The settings after the first `changes`.
    pub(crate) fn items_after(&self, changes: usize) -> Cow<'_, Items> {
        if changes >= self.revisions.len() {
            return Cow::Borrowed(&self.items);
        }
        let mut items = Items::new();
        for Revision { name, setting, .. } in &self.revisions[..changes] {
            match setting {
                Some(setting) => items.insert(name.clone(), setting.clone()),
                None => items.remove(name),
            };
        }
        Cow::Owned(items)
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

    /// Locks or unlocks; the ETag changes only if the state does.
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
        Some(self.record(setting, now))
    }

    pub(crate) fn remove(&mut self, name: &Name, now: OffsetDateTime) -> Option<Arc<Setting>> {
        let removed = self.items.remove(name)?;
        self.revisions.push(Revision {
            at: now,
            name: name.clone(),
            setting: None,
        });
        self.tell_setting(&removed, true, now);
        Some(removed)
    }

    pub(crate) fn add_snapshot(&mut self, snapshot: Snapshot, now: OffsetDateTime) {
        self.tell_snapshot(&snapshot, true, now);
        self.snapshots.insert(snapshot);
    }

    /// Archives a snapshot or takes it back; says whether there is one.
    pub(crate) fn archive_snapshot(
        &mut self,
        name: &str,
        archived: bool,
        now: OffsetDateTime,
    ) -> bool {
        let Some(found) = self.snapshots.get_mut(name, now) else {
            return false;
        };
        found.archive(archived, now);
        if let Some(found) = self.snapshots.get(name, now) {
            self.tell_snapshot(found, false, now);
        }
        true
    }

    fn record(&mut self, setting: Setting, now: OffsetDateTime) -> Arc<Setting> {
        let (name, setting) = (setting.name(), Arc::new(setting));
        self.items.insert(name.clone(), setting.clone());
        self.revisions.push(Revision {
            at: now,
            name,
            setting: Some(setting.clone()),
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
            .tell(subject, &setting.etag, self.revisions.len(), now);
    }

    fn tell_snapshot(&self, snapshot: &Snapshot, created: bool, now: OffsetDateTime) {
        let subject = Subject::Snapshot {
            name: snapshot.order.name.clone(),
            created,
        };
        self.journal
            .tell(subject, &snapshot.etag, self.revisions.len(), now);
    }
}

/// 128 random bits in base64url, as the service's ETags.
pub(crate) fn random_etag() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system has a random source");
    BASE64URL.encode(bytes)
}
