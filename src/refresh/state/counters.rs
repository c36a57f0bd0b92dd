//! What happened since the start, in numbers.

use super::secret::{ReadError, ReadReport};
use crate::error::Error;

/// What the refresh did since it began: counters that only grow, for any metrics library to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Checks of the store that were begun. One check is one conditional request per page.
    pub checks: u64,
    /// Checks that found nothing new.
    pub unchanged: u64,
    /// Checks that found something new.
    pub changed: u64,
    /// Checks that failed, for whatever reason.
    pub failed_checks: u64,
    /// Those of them that failed because the store asked for fewer requests.
    pub throttled_checks: u64,
    /// Reads of secrets and keys that were begun.
    pub reads: u64,
    /// Reads that gave another value, version or attribute than before, or a first one.
    pub changed_reads: u64,
    /// Reads that failed, for whatever reason.
    pub failed_reads: u64,
    /// Those of them that failed because the vault asked for fewer requests.
    pub throttled_reads: u64,
    /// Generations published.
    pub publications: u64,
    /// Times that what was fetched could not be assembled.
    pub refusals: u64,
    /// Rounds run for callers of `refresh`; callers that come together share one.
    pub rounds: u64,
    /// Panics that were caught: in code of the application that the refresh calls, or in the engine, which then starts again.
    pub panics: u64,
}

impl Counters {
    pub(crate) fn count_failed_check(&mut self, error: &Error) {
        self.failed_checks += 1;
        self.throttled_checks += u64::from(error.is_throttled());
    }

    pub(crate) fn count_read(&mut self, outcome: &Result<ReadReport, ReadError>) {
        match outcome {
            Ok(report) => self.changed_reads += u64::from(report.changed),
            Err(error) => {
                self.failed_reads += 1;
                self.throttled_reads += u64::from(error.is_throttled());
            }
        }
    }
}
