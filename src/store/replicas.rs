//! Keeping the list of replicas current, beside everything else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Store;
use super::client::EndpointClient;
use super::discovery::find_replicas;
use super::endpoint::Endpoint;
use super::fleet::Member;
use crate::transport::HostKind;

const INTERVAL: Duration = Duration::from_secs(3600);
const AFTER_FAILURE: Duration = Duration::from_secs(300);
/// Between two rounds, whatever happens.
const LEAST_PAUSE: Duration = Duration::from_secs(30);

impl Store {
    /// Looks for replicas every hour, and sooner if no endpoint answers. To be run in the background: nobody
    /// waits for it. Comes to an end only if discovery is off.
    pub(crate) async fn keep_discovering(&self) {
        if self.discovery.is_none() {
            return;
        }
        loop {
            let pause = match self.discover().await {
                true => INTERVAL,
                false => AFTER_FAILURE,
            };
            tokio::time::sleep(LEAST_PAUSE).await;
            tokio::select! {
                () = tokio::time::sleep(pause - LEAST_PAUSE) => {}
                () = self.fleet.exhausted() => {}
            }
        }
    }

    /// True if replicas are to be looked for.
    pub(crate) fn discovers(&self) -> bool {
        self.discovery.is_some()
    }

    /// One round. False if nothing new could be learned; the replicas at hand then stay.
    pub(crate) async fn discover(&self) -> bool {
        let Some(lookup) = &self.discovery else {
            return false;
        };
        let primary = self.fleet.primary_host();
        let Ok(hosts) = find_replicas(&**lookup, &primary).await else {
            return false;
        };
        let endpoints: Vec<Endpoint> = hosts
            .iter()
            .filter_map(|host| Endpoint::replica(host))
            .collect();
        let make = |endpoint: Endpoint| {
            let origin = endpoint.origin();
            let permit = origin.map(|origin| self.policy.permit(origin, HostKind::Store));
            let client = EndpointClient::new(endpoint, Arc::clone(&self.shared));
            Member::discovered(client, permit)
        };
        self.fleet.set_discovered(endpoints, make);
        let others = self.fleet.members().len().saturating_sub(1);
        self.shared.alternatives.store(others, Ordering::Relaxed);
        tracing::debug!(replicas = others, "looked for replicas of the store");
        true
    }
}
