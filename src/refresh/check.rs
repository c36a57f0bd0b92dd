//! One look at the store: at the sentinels first, if there are any, and then at what they guard.

use std::sync::Arc;

use crate::error::Result;
use crate::load::{Candidate, Pipeline};
use crate::store::{Scope, SentinelOutcome};

/// What a look gave.
pub(super) struct Look {
    /// Something that differs from what was known, if only in its watch state.
    pub(super) candidate: Option<Candidate>,
    pub(super) sentinel_moved: bool,
}

impl Look {
    fn at(candidate: Option<Candidate>) -> Self {
        Self {
            candidate,
            sentinel_moved: false,
        }
    }
}

/// Asks what changed since `known`; without it, lists everything.
pub(super) async fn look(
    pipeline: &Arc<Pipeline>,
    known: Option<&Candidate>,
    scope: Scope,
    watches: bool,
) -> Result<Look> {
    match known {
        None => Ok(Look::at(Some(pipeline.walk().await?))),
        Some(known) if watches && scope != Scope::Flags => signalled(pipeline, known, scope).await,
        Some(known) => Ok(Look::at(pipeline.poll(known, scope).await?)),
    }
}

/// Settings wait for a sentinel; feature flags do not.
async fn signalled(pipeline: &Arc<Pipeline>, known: &Candidate, scope: Scope) -> Result<Look> {
    let before = known.walk().sentinels();
    let marks = match pipeline.store().sentinels(before).await? {
        SentinelOutcome::Changed(marks) => marks,
        SentinelOutcome::Unchanged if scope == Scope::Both => {
            return Ok(Look::at(pipeline.poll(known, Scope::Flags).await?));
        }
        SentinelOutcome::Unchanged => return Ok(Look::at(None)),
    };
    let sentinel_moved = marks != *before;
    let found = pipeline.poll(known, scope).await?;
    if found.is_none() && !sentinel_moved {
        return Ok(Look::at(None));
    }
    // Signal and content are committed together, so that neither is forgotten if the publication fails.
    let walk = found.as_ref().unwrap_or(known).walk();
    let candidate = Candidate::new(walk.with_sentinels(marks), pipeline.references());
    Ok(Look {
        candidate: Some(candidate),
        sentinel_moved,
    })
}
