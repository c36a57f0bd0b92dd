//! What callers of `refresh()` are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::engine::Shared;
use super::outcome::RefreshOutcome;
use super::state::{RoundOutcome, SecretId};
use crate::error::{Error, ErrorKind, Result};
use crate::load::{Candidate, Pipeline};
use crate::reference::ReferenceId;
use crate::tree::ChangeSet;

/// `newer`: the current generation, if it is another than when the caller called; `changes`: what differs.
pub(super) fn reply(
    outcome: &RoundOutcome,
    newer: Option<u64>,
    changes: ChangeSet,
    shared: &Shared,
) -> Result<RefreshOutcome> {
    match (outcome, newer) {
        (RoundOutcome::Failed(error), _) => Err(error.clone()),
        (_, Some(generation)) => Ok(RefreshOutcome::Updated {
            generation,
            changed: Arc::new(changes),
        }),
        (RoundOutcome::Unread(ids), None) => Err(unread(ids, shared)),
        (RoundOutcome::Skipped(reason), None) => Ok(RefreshOutcome::Skipped(*reason)),
        (RoundOutcome::Unchanged | RoundOutcome::Updated { .. }, None) => {
            Ok(RefreshOutcome::Unchanged)
        }
    }
}

/// One failure for each setting that refers to one of these.
fn unread(ids: &BTreeSet<SecretId>, shared: &Shared) -> Error {
    let pipeline = &shared.pipeline;
    let ids: BTreeSet<ReferenceId> = {
        let machine = shared.machine();
        ids.iter()
            .filter_map(|id| machine.names.name(*id).cloned())
            .collect()
    };
    let current = pipeline.current();
    let failures = current
        .iter()
        .flat_map(|candidate| failures(candidate, &ids, pipeline));
    Error::references(failures.collect())
}

fn failures<'a>(
    candidate: &'a Candidate,
    ids: &'a BTreeSet<ReferenceId>,
    pipeline: &'a Pipeline,
) -> impl Iterator<Item = crate::SecretError> + 'a {
    let winners = candidate.walk().settings().winners().iter().enumerate();
    winners.filter_map(move |(position, selected)| {
        let reference = candidate.reference(position)?.as_ref().ok()?;
        let id = Some(&reference.id).filter(|id| ids.contains(id))?;
        let held = pipeline.references().held(id).is_some();
        Some(pipeline.failure(id)?.to_error(id, &selected.setting, held))
    })
}

/// Why nothing is not taken over in place of something.
pub(super) fn emptied() -> Error {
    Error::new(
        ErrorKind::Emptied,
        "every selected setting is gone from the store, which `refuse_emptied()` does not take over",
    )
}

/// The answer once nothing runs any more.
pub(super) fn closed() -> Error {
    Error::new(
        ErrorKind::Closed,
        "the handle was shut down, or its runtime has ended",
    )
}

/// The answer after a panic inside a round.
pub(super) fn panicked() -> Error {
    Error::new(
        ErrorKind::Runtime,
        "the refresh panicked and is started again",
    )
}
