//! SRV lookups by the system's resolvers.

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

use super::discovery::{LookupFailed, SrvLookup, SrvRecord};

/// Asks the name servers that this machine is configured with. The resolver is made for each round and goes with
/// it, so that no task of it stays behind and a changed configuration is seen.
#[derive(Debug)]
pub(crate) struct SystemDns;

#[async_trait]
impl SrvLookup for SystemDns {
    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
        let resolver = TokioResolver::builder_tokio()
            .and_then(|builder| builder.build())
            .map_err(|error| failed(&error))?;
        lookup(&resolver, name).await
    }
}

async fn lookup(resolver: &TokioResolver, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
    // The dot at the end keeps the machine's search domains out of it.
    match resolver.srv_lookup(format!("{name}.")).await {
        Ok(answer) => Ok(answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(SrvRecord {
                    priority: srv.priority,
                    weight: srv.weight,
                    target: srv.target.to_ascii(),
                }),
                _ => None,
            })
            .collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &dyn std::error::Error) -> LookupFailed {
    tracing::debug!(%error, "a lookup of replicas failed");
    LookupFailed
}
