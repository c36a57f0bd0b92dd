//! How often callers and events can cause the reads of a vault.

use std::time::Duration;

use crate::time::{Instant, later};

/// Reads forced by callers or events come at most this often.
pub(super) const FLOOR: Duration = Duration::from_secs(3);

/// Keeps forced reads apart. Those that come too soon are put off to one moment, from which the next floor counts.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Floor {
    last: Option<Instant>,
    put_off: bool,
}

impl Floor {
    /// Until when reads are to be put off, if they are.
    pub(super) fn until(&mut self, now: Instant) -> Option<Instant> {
        let mut open = later(self.last?, FLOOR);
        if open <= now && std::mem::take(&mut self.put_off) {
            self.last = Some(open);
            open = later(open, FLOOR);
        }
        let open = Some(open).filter(|open| *open > now);
        self.put_off |= open.is_some();
        open
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.last = Some(now);
        self.put_off = false;
    }
}

/// Why a forced read does not start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forced {
    Unknown,
    Throttled,
    TooSoon,
}
