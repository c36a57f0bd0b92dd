//! All references of one configuration: recognised, admitted, read and kept.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;
use futures::FutureExt;

use crate::credential::CachedCredential;
use crate::error::{Error, Result, SecretError, SecretErrorKind};
use crate::setting::{ConfigurationSetting, ContentKind};
use crate::time::WallClock;
use crate::transport::{Origin, Permit};

use super::audit::Audit;
use super::cache::Cache;
use super::changed::ChangedObject;
#[cfg(feature = "keys")]
use super::encrypted::unseal;
use super::failure::ReadFailure;
use super::gate::Gate;
use super::identifier::{Collection, SecretIdentifier};
use super::key_vault::{Parts, Vault};
use super::limiter::ReadLimiter;
use super::options::{KeyVaultOptions, SecretPolicy};
use super::policy::{VaultPolicy, hosts_of};
use super::resolved::Resolved;
use super::resolver::{ResolverOrder, SecretResolver};
use super::vault_options::VaultOptions;
use super::{Reference, ReferenceId};

mod recognise;

/// Parser, vault policy, cache, gates and clients: one per configuration. Clones share everything.
#[derive(Clone)]
pub(crate) struct References(Arc<Inner>);

type Vaults = HashMap<(Box<str>, Collection), Arc<Vault>>;

struct Inner {
    options: KeyVaultOptions,
    policy: VaultPolicy,
    /// Options of single vaults, by host.
    named: HashMap<Box<str>, VaultOptions>,
    credential: Option<Arc<CachedCredential>>,
    transport: Arc<dyn HttpClient>,
    permit: Box<dyn Fn(Origin) -> Permit + Send + Sync>,
    clock: Arc<dyn WallClock>,
    vaults: Mutex<Vaults>,
    limiter: ReadLimiter,
    cache: Cache,
    audit: Audit,
}

const NO_CREDENTIAL: &str = "set `default_credential()`, `credential(..)` or \
    `KeyVaultOptions::credential(..)`";

impl References {
    /// Checks the options. No I/O. `permit` is told the origin of every vault that passed the policy, before the
    /// first request to it, and what it gives is held as long as the vault is.
    pub(crate) fn new(
        options: KeyVaultOptions,
        default_credential: Option<Arc<dyn TokenCredential>>,
        transport: Arc<dyn HttpClient>,
        permit: impl Fn(Origin) -> Permit + Send + Sync + 'static,
        clock: Arc<dyn WallClock>,
    ) -> Result<Self> {
        let policy = options.validate()?;
        let mut named = HashMap::new();
        for vault in &options.vaults {
            for host in hosts_of(&vault.vault)? {
                if named.insert(host, vault.clone()).is_some() {
                    return Err(Error::option(
                        "KeyVaultOptions::vault names one vault twice",
                    ));
                }
            }
        }
        if let Some(short) = options
            .intervals
            .shortest()
            .filter(|interval| *interval < BUSY_INTERVAL)
        {
            tracing::warn!(
                interval_seconds = short.as_secs(),
                "secrets are read more often than once a minute; the vault's quota is shared with its other users"
            );
        }
        let credential = options.credential.clone().or(default_credential);
        Ok(Self(Arc::new(Inner {
            credential: credential
                .map(|credential| CachedCredential::with_clock(credential, clock.clone())),
            limiter: options.limiter(),
            options,
            policy,
            named,
            transport,
            permit: Box::new(permit),
            clock,
            vaults: Mutex::default(),
            cache: Cache::default(),
            audit: Audit::default(),
        })))
    }

    pub(crate) fn options(&self) -> &KeyVaultOptions {
        &self.0.options
    }

    /// The most reads of one vault at a time.
    pub(crate) fn reads_per_vault(&self) -> usize {
        self.0.limiter.per_vault()
    }

    /// Recognises a reference and checks it against the vault policy. `None` if the setting is not one.
    pub(crate) fn parse(
        &self,
        setting: &ConfigurationSetting,
    ) -> Option<Result<Reference, SecretError>> {
        match setting.kind() {
            ContentKind::SecretReference => Some(self.0.parse(setting)),
            ContentKind::Encrypted if self.0.options.decrypt_settings => {
                Some(self.0.parse_encrypted(setting))
            }
            _ => None,
        }
    }

    /// Decides whether the vault of an object that an event names may be asked at all.
    pub(crate) fn admits(&self, object: &ChangedObject) -> bool {
        let admitted = self.0.policy.check(object.collection(), object.id());
        admitted.is_ok()
    }

    /// The last value that was read.
    pub(crate) fn held(&self, id: &ReferenceId) -> Option<Arc<Resolved>> {
        self.0.cache.held(id)
    }

    /// Reads one reference now: one request at most for any number of callers, none for a version at hand, none
    /// while the vault's gate is closed. Never waits for a later attempt. What is held is replaced by success alone.
    pub(crate) async fn read(&self, id: &ReferenceId) -> Result<Arc<Resolved>, ReadFailure> {
        let entry = self.0.cache.entry(id);
        if id.is_versioned()
            && let Some(held) = entry.held()
        {
            return Ok(held);
        }
        let begin = || {
            let (inner, entry, id) = (self.0.clone(), entry.clone(), id.clone());
            async move {
                let resolved = Arc::new(inner.resolve(&id).await?);
                entry.replace(resolved.clone());
                Ok(resolved)
            }
            .boxed()
        };
        entry.join(begin).await
    }

    /// What a setting gets out of what its reference resolved to: the same, or the value that it opens.
    pub(crate) fn open(
        &self,
        reference: &Reference,
        resolved: Arc<Resolved>,
    ) -> Result<Arc<Resolved>, ReadFailure> {
        #[cfg(feature = "keys")]
        if let (Some(sealed), Resolved::ContentKey(key)) = (&reference.sealed, &*resolved) {
            let opened = unseal(sealed, key)
                .map_err(|flaw| ReadFailure::new(SecretErrorKind::Undecryptable).with_hint(flaw))?;
            // The version of the key that closed it.
            let version = reference.id.version().unwrap_or_default();
            return Ok(Arc::new(Resolved::Secret(opened.with_version(version))));
        }
        #[cfg(not(feature = "keys"))]
        let _ = reference;
        Ok(resolved)
    }

    /// What the application's own rule says about a failure.
    pub(crate) fn decide(&self, error: &SecretError) -> Option<SecretPolicy> {
        let decide = self.0.options.decide.as_ref()?;
        let decided = std::panic::catch_unwind(AssertUnwindSafe(|| decide(error)));
        decided
            .inspect_err(|_| tracing::warn!("the rule of KeyVaultOptions::on_error panicked"))
            .ok()
    }

    /// Forgets all values but these, and every vault that none of them stands in. One that asked for a pause is
    /// remembered until that is over.
    pub(crate) fn retain(&self, ids: &BTreeSet<ReferenceId>) {
        self.0.cache.retain(ids);
        let hosts: BTreeSet<&str> = ids.iter().map(ReferenceId::vault_host).collect();
        self.0.audit.retain(&hosts);
        let mut vaults = self.0.vaults();
        vaults.retain(|(host, _), vault| hosts.contains(&**host) || vault.is_closed());
    }

    /// A generation was published that uses these.
    pub(crate) fn published<'a>(&self, ids: impl Iterator<Item = &'a ReferenceId>) {
        self.0.audit.published(ids.map(ReferenceId::vault_host));
    }

    #[cfg(test)]
    /// The names of the vaults that are remembered.
    pub(crate) fn vaults_at_hand(&self) -> Vec<String> {
        let hosts = self.0.vaults();
        let names = hosts.keys().filter_map(|(host, _)| host.split('.').next());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        names.into_iter().collect()
    }

    #[cfg(test)]
    /// Until when a vault wants no requests, if it said so.
    pub(crate) fn gate(&self, vault_host: &str) -> Option<crate::time::Instant> {
        let vaults = self.0.vaults();
        let of_host = vaults.iter().filter(|((host, _), _)| **host == *vault_host);
        of_host.filter_map(|(_, vault)| vault.closed_until()).max()
    }
}

const BUSY_INTERVAL: Duration = Duration::from_secs(60);

impl Inner {
    /// Asks the resolvers and the vault in their order.
    async fn resolve(&self, id: &ReferenceId) -> Result<Resolved, ReadFailure> {
        let mut outcome = match self.ask_resolvers(ResolverOrder::First, id).await {
            Ok(Some(resolved)) => return Ok(resolved),
            Ok(None) => self.ask_vault(id).await,
            Err(failure) => Err(failure),
        };
        for (order, also) in [
            (
                ResolverOrder::IfAbsent,
                is_absent as fn(&ReadFailure) -> bool,
            ),
            (ResolverOrder::IfFailed, |_| true),
        ] {
            outcome = match outcome {
                Err(failure) if also(&failure) => match self.ask_resolvers(order, id).await {
                    Ok(Some(resolved)) => Ok(resolved),
                    Ok(None) => Err(failure),
                    Err(newer) => Err(newer),
                },
                settled => settled,
            };
        }
        outcome
    }

    async fn ask_resolvers(
        &self,
        order: ResolverOrder,
        id: &ReferenceId,
    ) -> Result<Option<Resolved>, ReadFailure> {
        let ReferenceId::Secret(id) = id else {
            return Ok(None);
        };
        for (_, resolver) in self.options.resolvers.iter().filter(|(at, _)| *at == order) {
            if let Some(resolved) = self.ask_resolver(resolver, id).await? {
                return Ok(Some(resolved));
            }
        }
        Ok(None)
    }

    async fn ask_resolver(
        &self,
        resolver: &Arc<dyn SecretResolver>,
        id: &SecretIdentifier,
    ) -> Result<Option<Resolved>, ReadFailure> {
        let failed = |hint| Err(ReadFailure::new(SecretErrorKind::Unreachable).with_hint(hint));
        let _place = self.limiter.place().await;
        let call = async { resolver.resolve(id).await };
        let call = tokio::time::timeout(self.options.timeout, call);
        match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(Ok(resolved))) => Ok(resolved.map(Resolved::Secret)),
            Ok(Ok(Err(_))) => failed("a SecretResolver failed"),
            Ok(Err(_)) => failed("a SecretResolver did not answer in time"),
            Err(_) => failed("a SecretResolver panicked"),
        }
    }

    async fn ask_vault(&self, id: &ReferenceId) -> Result<Resolved, ReadFailure> {
        let vault = self.vault(id)?;
        vault.read(id, &self.limiter).await
    }

    /// The vault of an identifier. Its client is made on the first use, after the policy was asked once more.
    fn vault(&self, id: &ReferenceId) -> Result<Arc<Vault>, ReadFailure> {
        let host = id.vault_host();
        let mut vaults = self.vaults();
        let place = (Box::from(host), id.collection());
        if let Some(vault) = vaults.get(&place) {
            self.audit.used(host);
            return Ok(vault.clone());
        }
        let foreign = |flaw| ReadFailure::new(SecretErrorKind::ForeignVault).with_hint(flaw);
        let mut admitted = self
            .policy
            .check(id.collection(), id.parts())
            .map_err(foreign)?;
        let own = self.named.get(host);
        if let Some(audience) = own.and_then(|own| own.audience.clone()) {
            admitted.audience = audience;
        }
        let no_client = || {
            ReadFailure::new(SecretErrorKind::InvalidReference)
                .with_hint("no client for this vault")
        };
        let origin = id.parts().vault_url().parse().ok();
        let origin = origin
            .and_then(|url| Origin::of(&url))
            .ok_or_else(no_client)?;
        let parts = Parts {
            credential: self.credential_for(own)?,
            transport: self.transport.clone(),
            clock: self.clock.clone(),
            api_version: own
                .and_then(|own| own.api_version.clone())
                .or_else(|| self.options.api_version.clone()),
            places: self.limiter.of_vault(host),
            gate: gate_of(&vaults, host),
            timeout: self.options.timeout,
            permit: (self.permit)(origin),
        };
        let vault = Vault::new(id, &admitted, parts).map_err(|_| no_client())?;
        self.audit.used(host);
        let vault = Arc::new(vault);
        vaults.insert(place, vault.clone());
        Ok(vault)
    }

    fn credential_for(
        &self,
        own: Option<&VaultOptions>,
    ) -> Result<Arc<CachedCredential>, ReadFailure> {
        let own = own.and_then(|own| own.credential.clone());
        own.map(|own| CachedCredential::with_clock(own, self.clock.clone()))
            .or_else(|| self.credential.clone())
            .ok_or_else(|| ReadFailure::new(SecretErrorKind::NoCredential).with_hint(NO_CREDENTIAL))
    }

    fn vaults(&self) -> MutexGuard<'_, Vaults> {
        self.vaults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Secrets and keys of one vault have clients of their own, but its limit in common.
fn gate_of(vaults: &Vaults, host: &str) -> Arc<Gate> {
    let mut vaults = vaults.iter();
    let other = vaults.find(|((known, _), _)| **known == *host);
    other.map_or_else(|| Arc::new(Gate::new()), |(_, vault)| vault.gate())
}

/// There is no such secret, or nobody who could ask for it.
fn is_absent(failure: &ReadFailure) -> bool {
    matches!(
        failure.kind,
        SecretErrorKind::NotFound | SecretErrorKind::NoCredential
    )
}

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("References")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
