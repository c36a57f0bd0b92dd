//! One look at the store.

use crate::error::Result;
use crate::load::{Candidate, Pipeline};
use crate::store::Scope;

/// What a look gave.
pub(super) struct Look {
    /// Something that differs from what was known, if only in its watch state.
    pub(super) candidate: Option<Candidate>,
    pub(super) sentinel_moved: bool,
}

/// Asks what changed since `known`; without it, lists everything.
pub(super) async fn look(
    pipeline: &Pipeline,
    known: Option<&Candidate>,
    scope: Scope,
) -> Result<Look> {
    let Some(known) = known else {
        return Ok(Look {
            candidate: Some(pipeline.walk().await?),
            sentinel_moved: false,
        });
    };
    let candidate = pipeline.poll(known, scope).await?;
    let moved = |new: &Candidate| new.walk().sentinels() != known.walk().sentinels();
    Ok(Look {
        sentinel_moved: candidate.as_ref().is_some_and(moved),
        candidate,
    })
}
