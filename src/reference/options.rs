//! How references to Key Vault are resolved.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;

use crate::error::{Error, Result, SecretError};

use super::intervals::Intervals;
use super::limiter::ReadLimiter;
use super::policy::VaultPolicy;
use super::resolver::{ResolverOrder, SecretResolver};
use super::vault_options::VaultOptions;

/// What happens to a setting whose reference cannot be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretPolicy {
    /// The load or refresh fails; what was published before stays.
    Fail,
    /// The value that was read last for this very identifier stays. Without one, as [`Fail`](Self::Fail).
    KeepLast,
    /// The setting is left out, as if it were not in the store.
    Omit,
}

impl SecretPolicy {
    /// The tag of a setting that names the policy for its own reference: `fail`, `keep-last` or `omit`.
    pub const TAG: &'static str = "config-azure.policy";

    pub(super) fn of_tag(text: &str) -> Option<Self> {
        [
            ("fail", Self::Fail),
            ("keep-last", Self::KeepLast),
            ("omit", Self::Omit),
        ]
        .into_iter()
        .find_map(|(name, policy)| text.trim().eq_ignore_ascii_case(name).then_some(policy))
    }
}

type Decide = Arc<dyn Fn(&SecretError) -> SecretPolicy + Send + Sync>;

/// How references to Key Vault are resolved: credentials, allowed vaults, intervals, bounds and policies.
///
/// ```
/// use std::time::Duration;
/// use config_azure::{KeyVaultOptions, SecretErrorKind, SecretPolicy};
///
/// let options = KeyVaultOptions::new()
///     .allow_vault("kv-orders")
///     .refresh_interval(Duration::from_secs(300))
///     .on_error(|error| match error.kind() {
///         SecretErrorKind::NotFound => SecretPolicy::Omit,
///         _ => SecretPolicy::KeepLast,
///     });
/// ```
#[derive(Clone)]
pub struct KeyVaultOptions {
    pub(super) credential: Option<Arc<dyn TokenCredential>>,
    pub(super) vaults: Vec<VaultOptions>,
    allowed: Vec<String>,
    suffixes: Vec<String>,
    pub(crate) intervals: Intervals,
    pub(super) limits: Limits,
    pub(super) decide: Option<Decide>,
    pub(super) resolvers: Vec<(ResolverOrder, Arc<dyn SecretResolver>)>,
    pub(super) resolve_keys: bool,
    pub(super) json_secrets: bool,
    pub(super) decrypt_settings: bool,
    pub(super) api_version: Option<Box<str>>,
    pub(super) timeout: Duration,
    expiry_warning: Duration,
}

/// How many reads there may be at a time.
#[derive(Debug, Clone)]
pub(super) enum Limits {
    /// Of this handle, per vault and in all.
    Own(usize, usize),
    Shared(ReadLimiter),
}

const READ_TIMEOUT: Duration = Duration::from_secs(10);
const EXPIRY_WARNING: Duration = Duration::from_secs(7 * 24 * 3600);

impl KeyVaultOptions {
    /// The defaults: the store's credential, every vault of the public, US government and China clouds, unversioned
    /// secrets read again every 5 minutes, at most 16 reads in flight per vault and 32 in all.
    #[must_use]
    pub fn new() -> Self {
        Self {
            credential: None,
            vaults: Vec::new(),
            allowed: Vec::new(),
            suffixes: Vec::new(),
            intervals: Intervals::new(),
            limits: Limits::Own(16, 32),
            decide: None,
            resolvers: Vec::new(),
            resolve_keys: false,
            json_secrets: false,
            decrypt_settings: true,
            api_version: None,
            timeout: READ_TIMEOUT,
            expiry_warning: EXPIRY_WARNING,
        }
    }

    /// The credential for vaults. Default: the builder's own credential.
    #[must_use]
    pub fn credential(mut self, credential: Arc<dyn TokenCredential>) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Options for one vault, which admits it too.
    #[must_use]
    pub fn vault(mut self, vault: VaultOptions) -> Self {
        self.vaults.push(vault);
        self
    }

    /// Admits one vault and, once called, shuts out every vault that is not named by a call of this or of
    /// [`vault`](Self::vault).
    ///
    /// Takes a bare name (a vault of the public cloud), a host (`kv-orders.vault.azure.cn`) or an https origin
    /// with a port (`https://localhost:8443`, for an emulator). Checked in `build()`.
    #[must_use]
    pub fn allow_vault(mut self, name_host_or_origin: impl Into<String>) -> Self {
        self.allowed.push(name_host_or_origin.into());
        self
    }

    /// Admits the vaults of another cloud, by their DNS suffix (`vault.contoso.example`). Tokens for them are
    /// asked for the audience `https://{suffix}`. Checked in `build()`.
    #[must_use]
    pub fn allow_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffixes.push(suffix.into());
        self
    }

    /// How often secrets whose reference names no version are read again, so that a rotation is seen. Default
    /// 5 minutes, at least 1 second.
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.intervals.set_common(Some(interval));
        self
    }

    /// The interval of the secret that one setting refers to, in place of [`refresh_interval`](Self::refresh_interval).
    /// At least 1 second. The setting is named by its key in the store, with any label.
    ///
    /// For the few that rotate often, or that may cost no requests. A secret that several settings refer to is read
    /// at the shortest of their intervals. With [`no_refresh`](Self::no_refresh), only these are read again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use config_azure::KeyVaultOptions;
    ///
    /// let options = KeyVaultOptions::new()
    ///     .refresh_interval_for("orders:db:password", Duration::from_secs(60))
    ///     .refresh_interval_for("orders:license", Duration::from_secs(24 * 3600));
    /// ```
    #[must_use]
    pub fn refresh_interval_for(mut self, key: impl Into<String>, interval: Duration) -> Self {
        self.intervals.set(key.into(), interval);
        self
    }

    /// Reads secrets only when a setting appears or changes, and just before they expire.
    #[must_use]
    pub fn no_refresh(mut self) -> Self {
        self.intervals.set_common(None);
        self
    }

    /// The most reads of this handle in flight, per vault and in all. Default 16 and 32.
    #[must_use]
    pub fn concurrency(mut self, per_vault: usize, in_all: usize) -> Self {
        self.limits = Limits::Own(per_vault, in_all);
        self
    }

    /// Bounds the reads in flight of all handles with this limiter together, in place of
    /// [`concurrency`](Self::concurrency).
    #[must_use]
    pub fn read_limiter(mut self, limiter: ReadLimiter) -> Self {
        self.limits = Limits::Shared(limiter);
        self
    }

    /// How long one request of a read may take; after a broken connection or a refused token there is a second one. Default
    /// 10 seconds. Waiting for a token is bounded on its own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Decides about every reference that could not be resolved, unless the setting's own tag
    /// [`SecretPolicy::TAG`] does.
    ///
    /// Without it, a startup fails with all failures in one error. On a refresh, an identifier that was read
    /// before keeps its last value and blocks nothing; one that was never read holds the new settings back.
    #[must_use]
    pub fn on_error(
        mut self,
        decide: impl Fn(&SecretError) -> SecretPolicy + Send + Sync + 'static,
    ) -> Self {
        self.decide = Some(Arc::new(decide));
        self
    }

    /// Asks another source before Key Vault. Repeatable; they are asked in order.
    #[must_use]
    pub fn resolver(self, resolver: Arc<dyn SecretResolver>) -> Self {
        self.resolver_at(ResolverOrder::First, resolver)
    }

    /// Asks another source, at a place of your choice.
    #[must_use]
    pub fn resolver_at(mut self, order: ResolverOrder, resolver: Arc<dyn SecretResolver>) -> Self {
        self.resolvers.push((order, resolver));
        self
    }

    /// Lets a reference name a key, which then arrives as a table with its public JSON Web Key. Default `false`.
    /// Needs the feature `keys`.
    #[must_use]
    pub fn resolve_keys(mut self, resolve: bool) -> Self {
        self.resolve_keys = resolve;
        self
    }

    /// Reads a secret whose own content type says JSON as a table. Default `false`: text.
    ///
    /// The values in it stay secret. The names of its members do not: they stand in paths of errors, changes and warnings,
    /// and in [`Loaded`](crate::Loaded).
    #[must_use]
    pub fn json_secrets(mut self, json: bool) -> Self {
        self.json_secrets = json;
        self
    }

    /// Whether settings with the content type `application/jose` are decrypted with a Key Vault key. Default `true`;
    /// without the feature `keys` each of them is then an error. With `false` they are text like any
    /// other.
    #[must_use]
    pub fn decrypt_settings(mut self, decrypt: bool) -> Self {
        self.decrypt_settings = decrypt;
        self
    }

    /// The `api-version` of every request to a vault. Default: that of the Azure SDK.
    #[must_use]
    pub fn api_version(mut self, version: impl Into<Box<str>>) -> Self {
        self.api_version = Some(version.into());
        self
    }

    /// How long before a secret expires it is reported. Default 7 days.
    #[must_use]
    pub fn expiry_warning(mut self, window: Duration) -> Self {
        self.expiry_warning = window;
        self
    }

    /// How long one request may take.
    pub(crate) fn read_time(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn warn_before_expiry(&self) -> Duration {
        self.expiry_warning
    }

    /// Whether references can be resolved without the builder's own credential.
    pub(crate) fn is_set_up(&self) -> bool {
        let own = |vault: &VaultOptions| vault.credential.is_some();
        self.credential.is_some() || self.vaults.iter().any(own) || !self.resolvers.is_empty()
    }

    /// What bounds the reads: the one that handles share, or one for this handle alone.
    pub(super) fn limiter(&self) -> ReadLimiter {
        match &self.limits {
            Limits::Own(per_vault, in_all) => ReadLimiter::new(*per_vault, *in_all),
            Limits::Shared(limiter) => limiter.clone(),
        }
    }

    /// Checks every option, without any I/O.
    pub(crate) fn validate(&self) -> Result<VaultPolicy> {
        self.intervals.validate()?;
        self.limiter().validate()?;
        if self.timeout.is_zero() {
            return Err(Error::option("KeyVaultOptions::timeout must be above zero"));
        }
        if self.resolve_keys && !cfg!(feature = "keys") {
            return Err(Error::option(
                "KeyVaultOptions::resolve_keys needs the feature `keys` of config-azure",
            ));
        }
        let mut policy = VaultPolicy::new();
        for suffix in &self.suffixes {
            policy.allow_suffix(suffix)?;
        }
        for vault in &self.allowed {
            policy.allow_vault(vault)?;
        }
        for vault in &self.vaults {
            policy.name_vault(&vault.vault)?;
            vault.validate()?;
        }
        Ok(policy)
    }
}

impl Default for KeyVaultOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyVaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVaultOptions")
            .field("vaults", &self.vaults)
            .field("allowed", &self.allowed)
            .field("suffixes", &self.suffixes)
            .field("intervals", &self.intervals)
            .field("limits", &self.limits)
            .field("resolvers", &self.resolvers)
            .finish_non_exhaustive()
    }
}
