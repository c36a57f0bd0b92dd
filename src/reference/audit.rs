//! A vault that was not used before is an event for whoever watches over the application.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The vaults of the published generation. A setting that is moved to another vault inside a trusted cloud
/// looks like any other change, so the first use of that vault is told, once.
#[derive(Default)]
pub(super) struct Audit(Mutex<Option<Seen>>);

struct Seen {
    published: BTreeSet<Box<str>>,
    told: BTreeSet<Box<str>>,
}

impl Audit {
    /// A vault is about to be asked. Before the first publication every vault is new, and none is told.
    pub(super) fn used(&self, host: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = seen.as_mut().filter(|seen| !seen.published.contains(host)) else {
            return;
        };
        if seen.told.insert(host.into()) {
            let known: Vec<&str> = seen.published.iter().map(|host| &**host).collect();
            tracing::warn!(
                target: "config_azure::audit",
                vault = host,
                known = known.join(" "),
                "a reference leads to a vault that the published configuration does not use"
            );
        }
    }

    /// Only these vaults are used by anything that is published or waits for it. Whoever may write settings can name
    /// vaults for ever: one that was taken back is not remembered, and is news again.
    pub(super) fn retain(&self, hosts: &BTreeSet<&str>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.as_mut() {
            seen.told.retain(|host| hosts.contains(&**host));
        }
    }

    /// A generation was published that uses these vaults.
    pub(super) fn published<'a>(&self, hosts: impl Iterator<Item = &'a str>) {
        let published: BTreeSet<Box<str>> = hosts.map(Into::into).collect();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A vault stays told while it is waited for or used, and is news again once it was gone.
        let mut told = seen.take().map(|seen| seen.told).unwrap_or_default();
        told.retain(|host| !published.contains(host));
        *seen = Some(Seen { published, told });
    }
}
