//! Settings that were fetched, with their references parsed: what a generation will be made of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::SecretError;
use crate::reference::{Reference, ReferenceId, References};
use crate::setting::Warning;
use crate::store::Walk;

use super::prefetch::Announced;

/// A walk of the store and the references in it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Candidate {
    walk: Walk,
    references: Arc<Parsed>,
}

struct Parsed {
    /// By position among the winning settings.
    by_setting: BTreeMap<usize, Result<Reference, SecretError>>,
    /// What they name, each with the shortest interval of the settings that name it.
    objects: BTreeMap<ReferenceId, Option<Duration>>,
}

impl Candidate {
    pub(crate) fn new(walk: Walk, references: &References) -> Self {
        let by_setting: BTreeMap<usize, _> = walk
            .settings()
            .winners()
            .iter()
            .enumerate()
            .filter_map(|(at, selected)| Some((at, references.parse(&selected.setting)?)))
            .collect();
        let mut objects = BTreeMap::new();
        for reference in by_setting.values().flatten() {
            let every = objects.entry(reference.id.clone()).or_default();
            *every = [*every, reference.every].into_iter().flatten().min();
        }
        Self {
            walk,
            references: Arc::new(Parsed {
                by_setting,
                objects,
            }),
        }
    }

    pub(crate) fn walk(&self) -> &Walk {
        &self.walk
    }

    /// True if any setting was selected.
    pub(crate) fn has_settings(&self) -> bool {
        !self.walk.settings().winners().is_empty()
    }

    /// Every object that the settings refer to, once.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &ReferenceId> {
        self.references.objects.keys()
    }

    /// The same, each with the time after which it is to be read again; `None`: never.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&ReferenceId, Option<Duration>)> {
        let objects = self.references.objects.iter();
        objects.map(|(id, every)| (id, *every))
    }

    /// Every reference that is one, with its setting.
    pub(super) fn named(&self) -> impl Iterator<Item = Announced> {
        let winners = self.walk.settings().winners();
        let parsed = self.references.by_setting.iter();
        parsed.filter_map(|(at, reference)| {
            let setting = &winners.get(*at)?.setting;
            Some((reference.as_ref().ok()?.id.clone(), Arc::clone(setting)))
        })
    }

    /// The reference in the winning setting at `position`, if it is one.
    pub(crate) fn reference(&self, position: usize) -> Option<&Result<Reference, SecretError>> {
        self.references.by_setting.get(&position)
    }

    pub(crate) fn warnings(&self) -> impl Iterator<Item = Warning> {
        self.walk.warnings().iter().cloned()
    }
}
