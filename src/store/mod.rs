//! The client of one store and its replicas.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;
use url::Url;

mod allocation;
mod audience;
mod auth;
mod bounded;
mod check;
mod client;
mod connection_string;
mod correlation;
mod discovery;
#[cfg(feature = "replica_discovery")]
mod dns;
mod endpoint;
mod failure;
mod filter;
mod flag;
mod fleet;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod gate;
mod hmac;
mod lag;
mod link;
mod look;
mod options;
mod page;
mod query;
mod replicas;
mod retry;
mod selection;
mod selector;
mod sentinel;
mod snapshot;
mod sync_token;
#[cfg(test)]
mod tests;
mod usage;
mod walk;
mod wire;

pub(crate) use auth::StoreCredential;
pub(crate) use connection_string::ConnectionString;
pub(crate) use correlation::{TracingEnvironment, TracingOptions};
pub(crate) use discovery::SrvLookup;
#[cfg(test)]
pub(crate) use discovery::{LookupFailed, SrvRecord};
pub(crate) use endpoint::Endpoint;
pub(crate) use flag::FeatureFlag;
pub use fleet::EndpointStatus;
pub(crate) use options::{StoreOptions, system_dns};
pub(crate) use page::LoadLimits;
pub(crate) use selection::Selection;
pub use selector::SettingSelector;
pub(crate) use sentinel::{Sentinel, SentinelMarks};
pub(crate) use walk::Walk;

use self::auth::Authorizer;
use self::client::{EndpointClient, Shared};
use self::correlation::Correlation;
use self::fleet::{Fleet, Member};
use self::lag::Lag;
use self::options::check_api_version;
use self::page::Budget;
use self::query::RequestLines;
use self::selection::{Query, Target};
use self::sentinel::read_sentinels;
use self::walk::List;
use crate::error::{Error, ErrorKind, Result};
use crate::setting::{ConfigurationSetting, Warning, WarningKind};
use crate::time::WallClock;
use crate::transport::{Guard, HostKind, HostPolicy};

/// Lists that are walked at a time.
const LISTS_AT_ONCE: usize = 8;

/// What happens while a load is under way.
#[derive(Debug)]
pub(crate) enum Progress<'a> {
    /// A page of settings arrived (never of feature flags). It may hold settings that a later query overrides.
    Page {
        query: usize,
        settings: &'a [Arc<ConfigurationSetting>],
    },
    /// A query is complete.
    QueryDone { query: usize },
    /// The endpoint failed; what was told so far is void, and the load starts again on another.
    Restarted,
}

/// Who is told about the progress of a load.
pub(crate) type Observe<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// What a check covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Settings,
    Flags,
    Both,
}

/// The client of one store: all its endpoints, failover, retries, deadlines.
pub(crate) struct Store {
    fleet: Fleet,
    shared: Arc<Shared>,
    selection: Selection,
    sentinels: Vec<Sentinel>,
    limits: LoadLimits,
    deadline: Duration,
    strict_flags: bool,
    lag: Lag,
    discovery: Option<Arc<dyn SrvLookup>>,
    policy: HostPolicy,
}

impl Store {
    /// Checks the options and tells the guard which hosts may be asked. No I/O.
    pub(crate) fn new(
        options: StoreOptions,
        transport: Arc<Guard>,
        clock: Arc<dyn WallClock>,
    ) -> Result<Self> {
        check_api_version(&options.api_version, &options.selection)?;
        check_endpoints(&options)?;
        check_moments(&options.selection, clock.now())?;
        options.sentinels.iter().try_for_each(Sentinel::check)?;
        let policy = transport.policy().clone();
        for origin in options.endpoints.iter().filter_map(Endpoint::origin) {
            policy.allow(origin, HostKind::Store);
        }
        let tracing = TracingOptions {
            load_balancing: options.load_balancing,
            ..options.tracing
        };
        let shared = Arc::new(Shared {
            lines: RequestLines {
                api_version: options.api_version,
            },
            transport,
            authorizer: Authorizer::new(options.credential, clock),
            alternatives: AtomicUsize::new(options.endpoints.len() - 1),
            correlation: Correlation::new(options.environment, tracing),
            trouble: Mutex::default(),
        });
        let client = |endpoint| EndpointClient::new(endpoint, Arc::clone(&shared));
        let members = options.endpoints.into_iter();
        let members = members
            .map(|endpoint| Member::configured(client(endpoint)))
            .collect();
        Ok(Self {
            fleet: Fleet::new(members, options.load_balancing),
            shared,
            selection: options.selection,
            sentinels: options.sentinels,
            limits: options.limits,
            deadline: options.deadline,
            strict_flags: options.strict_flags,
            lag: Lag::default(),
            discovery: options.discovery,
            policy,
        })
    }

    /// One whole walk, on one endpoint. If that fails, the whole of it is done on the next.
    pub(crate) async fn load(&self, observe: Observe<'_>) -> Result<Walk> {
        let mut attempts = self.fleet.attempts(self.deadline);
        let mut member = attempts.next()?;
        loop {
            let work = Box::pin(self.walk(&member.client, observe));
            if let Some(walk) = attempts.at(&member, work).await? {
                self.shared.correlation.loaded(walk.usage());
                return Ok(walk);
            }
            member = attempts.next()?;
            observe(Progress::Restarted);
        }
    }

    /// All endpoints and how they fare.
    pub(crate) fn endpoint_status(&self) -> Vec<EndpointStatus> {
        self.fleet.status()
    }

    /// Why the last request failed, if it did.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.shared.trouble()
    }

    /// The endpoint that an address belongs to, if it is one of this store's.
    pub(crate) fn endpoint_of(&self, address: &Url) -> Option<String> {
        let origin = address.origin().ascii_serialization();
        let members = self.fleet.members();
        let own = members
            .iter()
            .any(|member| member.client.endpoint().as_str() == origin);
        own.then_some(origin)
    }

    /// Takes over the sync token of a push event, so that the next request to that endpoint sees the change.
    /// False if the host is not one of this store's or the token is not newer.
    pub(crate) fn apply_sync_token(&self, endpoint_host: &str, token: &str) -> bool {
        let mut taken = false;
        for member in self.fleet.members() {
            let client = &member.client;
            if client.endpoint().host().eq_ignore_ascii_case(endpoint_host) {
                taken |= client.sync_tokens().merge(token);
            }
        }
        if taken {
            self.shared.correlation.pushed();
        }
        taken
    }

    /// What is selected.
    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    async fn walk(&self, client: &EndpointClient, observe: Observe<'_>) -> Result<Walk> {
        let none = SentinelMarks::default();
        // First the signal, then the data: a change in between is then seen by the next look at the signal.
        let marks = read_sentinels(client, &self.sentinels, &none).await?;
        let budget = Budget::new(self.limits);
        let queries = self.selection.queries();
        // The first page shows whether the endpoint answers at all; only then does the rest set out.
        let answers = CancellationToken::new();
        let told = |progress: Progress<'_>| {
            answers.cancel();
            observe(progress);
        };
        // By index: a closure over references would not let the future be sent.
        let lists: Vec<_> = stream::iter(0..queries.len())
            .map(async |at| {
                if at > 0 {
                    answers.cancelled().await;
                }
                walk::read_list(client, at, &queries[at], &budget, &told).await
            })
            .buffered(LISTS_AT_ONCE)
            .map_ok(Arc::new)
            .try_collect()
            .await?;
        self.put_together(client, lists, marks)
    }

    fn put_together(
        &self,
        client: &EndpointClient,
        lists: Vec<Arc<List>>,
        marks: SentinelMarks,
    ) -> Result<Walk> {
        let primary = self.fleet.primary();
        let endpoint = client.endpoint().as_str();
        let walk = Walk::new(&self.selection, &primary, endpoint, lists, marks)?;
        let invalid = |warning: &&Warning| warning.kind() == WarningKind::InvalidFlag;
        match walk.warnings().iter().find(invalid) {
            Some(warning) if self.strict_flags => {
                let error = Error::new(ErrorKind::InvalidValue, "a feature flag is not valid");
                Err(error.with_setting(warning.key().unwrap_or_default(), warning.label()))
            }
            _ => Ok(walk),
        }
    }
}

/// A moment in the past must be one (clocks may differ a little): the service would take a later one for now.
fn check_moments(selection: &Selection, now: SystemTime) -> Result<()> {
    let now = now.checked_add(Duration::from_secs(300)).unwrap_or(now);
    let later = |query: &Query| matches!(query.target, Target::Filter { as_of: Some(moment), .. } if moment > now);
    match selection.queries().iter().any(later) {
        true => Err(Error::option(
            "as_of() names a moment that is still to come",
        )),
        false => Ok(()),
    }
}

/// At least one endpoint, none twice, and each one that the credential may go to.
fn check_endpoints(options: &StoreOptions) -> Result<()> {
    if options.endpoints.is_empty() {
        return Err(Error::option("no endpoint is given"));
    }
    for (at, endpoint) in options.endpoints.iter().enumerate() {
        options.credential.check(endpoint)?;
        if options.endpoints[..at].contains(endpoint) {
            let error = Error::option("an endpoint is given twice");
            return Err(error.with_endpoint(endpoint.as_str()));
        }
    }
    Ok(())
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("fleet", &self.fleet)
            .field("credential", self.shared.authorizer.credential())
            .finish_non_exhaustive()
    }
}
