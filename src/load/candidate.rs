//! Settings that were fetched, with their references parsed: what a generation will be made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::SecretError;
use crate::reference::{Reference, ReferenceId, References};
use crate::setting::Warning;
use crate::store::Walk;

/// A walk of the store and the references in it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Candidate {
    walk: Walk,
    references: Arc<Parsed>,
}

struct Parsed {
    /// By position among the winning settings.
    by_setting: BTreeMap<usize, Result<Reference, SecretError>>,
    ids: BTreeSet<ReferenceId>,
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
        let ids = by_setting
            .values()
            .flatten()
            .map(|reference| reference.id.clone())
            .collect();
        Self {
            walk,
            references: Arc::new(Parsed { by_setting, ids }),
        }
    }

    pub(crate) fn walk(&self) -> &Walk {
        &self.walk
    }

    /// Every object that the settings refer to, once.
    pub(crate) fn ids(&self) -> &BTreeSet<ReferenceId> {
        &self.references.ids
    }

    /// The reference in the winning setting at `position`, if it is one.
    pub(crate) fn reference(&self, position: usize) -> Option<&Result<Reference, SecretError>> {
        self.references.by_setting.get(&position)
    }

    pub(crate) fn warnings(&self) -> impl Iterator<Item = Warning> {
        self.walk.warnings().iter().cloned()
    }
}
