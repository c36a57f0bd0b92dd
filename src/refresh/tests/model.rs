//! The reference model: a provider without a clock. It knows what the store and the vaults ever held, says which
//! publications are honest, and what has to be published once everything is well.

use std::collections::BTreeMap;

use super::backend::{CONFLICT, Content, FIRST_FLAG, Setting, Store, Vault, name};
use crate::refresh::state::SecretId;

/// What the user's `on_error` says, for every failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    KeepLast,
    Omit,
    Fail,
}

/// What a reader sees under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Plain(u32),
    Secret(SecretId, u32),
}

pub(super) type Snapshot = BTreeMap<u16, Seen>;
pub(super) type Vaults = BTreeMap<u32, Vault>;

/// Reads everything at once, the simplest way there is. `None` if that cannot be published.
pub(super) fn reload(store: &Store, vaults: &Vaults, policy: Policy) -> Option<Snapshot> {
    let content = store.content();
    if content.contains_key(&CONFLICT) {
        return None;
    }
    let mut snapshot = Snapshot::new();
    for (key, setting) in content {
        match setting {
            Setting::Plain(value) => _ = snapshot.insert(*key, Seen::Plain(*value)),
            Setting::Reference(id) => match vaults[&id.vault()].value(*id) {
                Ok(value) => _ = snapshot.insert(*key, Seen::Secret(*id, value)),
                Err(_) if policy == Policy::Omit => {}
                Err(_) => return None,
            },
        }
    }
    Some(snapshot)
}

/// How far the publications have come: nothing may be older than what was published before.
#[derive(Debug, Default)]
pub(super) struct Progress {
    settings: usize,
    flags: usize,
    secrets: BTreeMap<SecretId, u32>,
}

impl Progress {
    /// Takes a publication in, or says what is wrong with it.
    pub(super) fn publish(
        &mut self,
        snapshot: &Snapshot,
        store: &Store,
        vaults: &Vaults,
        policy: Policy,
    ) -> Result<(), String> {
        let fits = |content: &Content, flags: bool| {
            let part = |key: &u16| (*key >= FIRST_FLAG) == flags;
            let missing = |key: &u16| matches!(content[key], Setting::Reference(_));
            let shown = snapshot.iter().filter(|(key, _)| part(key));
            shown
                .clone()
                .all(|(key, seen)| match (content.get(key), seen) {
                    (Some(Setting::Plain(value)), Seen::Plain(shown)) => value == shown,
                    (Some(Setting::Reference(id)), Seen::Secret(shown, _)) => id == shown,
                    _ => false,
                })
                && content.keys().filter(|key| part(key)).all(|key| {
                    snapshot.contains_key(key) || (policy == Policy::Omit && missing(key))
                })
                && (flags || !content.contains_key(&CONFLICT))
        };
        let next = |from: usize, flags: bool| {
            let found = store.history[from..]
                .iter()
                .position(|(_, c)| fits(c, flags));
            found.map(|nth| from + nth)
        };
        let (Some(settings), Some(flags)) = (next(self.settings, false), next(self.flags, true))
        else {
            return Err(format!(
                "I1, I2, I5: the store never held {snapshot:?} after {self:?}"
            ));
        };
        (self.settings, self.flags) = (settings, flags);
        for seen in snapshot.values() {
            if let Seen::Secret(id, value) = seen {
                self.show(*id, *value, vaults)?;
            }
        }
        Ok(())
    }

    /// The store has forgotten all but its last content.
    pub(super) fn forget_the_past(&mut self) {
        (self.settings, self.flags) = (0, 0);
    }

    fn show(&mut self, id: SecretId, value: u32, vaults: &Vaults) -> Result<(), String> {
        let versions = &vaults[&id.vault()].secrets[&name(id)];
        if !versions.iter().any(|(_, version)| *version == Some(value)) {
            return Err(format!("I5: {id:?} never had version {value}"));
        }
        match self.secrets.insert(id, value) {
            Some(before) if before > value => {
                Err(format!("I2: {id:?} went back from {before} to {value}"))
            }
            _ => Ok(()),
        }
    }
}
