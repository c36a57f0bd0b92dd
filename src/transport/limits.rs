//! How long and how large an answer may be, by kind of host.

use std::time::Duration;

use super::HostKind;

/// The bounds for one answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostLimits {
    /// Most bytes of a body, after decompression.
    pub(crate) bytes: usize,
    /// Most time from sending to the last byte.
    pub(crate) time: Duration,
}

/// The bounds for each kind of host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) store: HostLimits,
    pub(crate) vault: HostLimits,
    pub(crate) identity: HostLimits,
}

impl Limits {
    pub(super) fn of(&self, kind: HostKind) -> HostLimits {
        match kind {
            HostKind::Store => self.store,
            HostKind::Vault => self.vault,
            HostKind::Identity => self.identity,
        }
    }
}

impl Default for Limits {
    /// A page of the store holds at most 100 settings of 10 KB each, a secret has at most 25 KB.
    fn default() -> Self {
        Self {
            store: HostLimits {
                bytes: 16 << 20,
                time: Duration::from_secs(15),
            },
            vault: HostLimits {
                bytes: 256 << 10,
                time: Duration::from_secs(15),
            },
            identity: HostLimits {
                bytes: 1 << 20,
                time: Duration::from_secs(30),
            },
        }
    }
}
