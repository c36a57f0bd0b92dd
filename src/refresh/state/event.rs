//! What the machine is told, and what it says.

use std::collections::BTreeSet;
use std::time::Duration;

use super::candidate::CandidateNo;
use super::id::SecretId;
use super::reads::Need;
use super::round::{Caller, RoundOutcome};
use super::secret::{ReadError, ReadReport};
use crate::error::Error;
use crate::refresh::Scope;

/// Everything that the machine is told once.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// `None`: nothing happens between explicit refreshes.
    pub(crate) every: Option<Duration>,
    /// `None`: feature flags are checked with the settings.
    pub(crate) flags_every: Option<Duration>,
    pub(crate) jitter: f64,
    pub(crate) settle: Duration,
    /// When to try again a secret that fails, that nobody waits for, and that has no interval.
    pub(crate) idle: Duration,
    /// Reads of one vault at once, at most.
    pub(crate) reads_per_vault: usize,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The time that [`State::wake`] asked for has come.
    Woke,
    /// The check of the store ended.
    Checked(CheckOutcome),
    /// A read ended.
    Read {
        id: SecretId,
        outcome: Result<ReadReport, ReadError>,
    },
    /// A candidate was assembled and published, or could not be.
    Assembled {
        candidate: CandidateNo,
        outcome: Result<Publication, Error>,
    },
    /// Callers want everything checked now.
    RefreshNow(Vec<Caller>),
    /// An event says that the store changed: check at a random moment within this time.
    StoreDirty { within: Duration },
    /// An event says that a secret changed.
    SecretDirty(SecretId),
    /// The work under way was dropped, because nobody waits any more.
    Deserted,
    /// The end. The driver ends without telling the machine.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the driver's own end needs no word")
    )]
    Shutdown,
}

/// How a check of the store ended.
#[derive(Debug, Clone)]
pub(crate) enum CheckOutcome {
    Unchanged,
    Changed {
        candidate: CandidateNo,
        needs: Vec<Need>,
        sentinel_moved: bool,
    },
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) generation: u64,
    /// False if the content is the same, so that only the watch state was committed.
    pub(crate) changed: bool,
}

/// Something to do. Each `Check` and `Read` is answered by one event.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Ask the store what changed since `known`; without one, load everything.
    Check {
        known: Option<CandidateNo>,
        scope: Scope,
    },
    Read(SecretId),
    /// Assemble and publish; answered by [`Event::Assembled`] before anything else.
    Assemble(CandidateNo),
    /// Only these candidates are needed from now on.
    Keep(BTreeSet<CandidateNo>),
    Reply {
        callers: Vec<Caller>,
        outcome: RoundOutcome,
    },
    /// Drop all work under way and end.
    Stop,
}
