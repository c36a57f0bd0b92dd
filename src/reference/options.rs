//! How references to Key Vault are resolved.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;

use crate::error::{Error, Result, SecretError};

use super::policy::VaultPolicy;
use super::resolver::{ResolverOrder, SecretResolver};

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
    interval: Option<Duration>,
    pub(super) per_vault: usize,
    pub(super) in_all: usize,
    pub(super) decide: Option<Decide>,
    pub(super) resolvers: Vec<(ResolverOrder, Arc<dyn SecretResolver>)>,
    pub(super) resolve_keys: bool,
    pub(super) json_secrets: bool,
    pub(super) decrypt_settings: bool,
    pub(super) api_version: Option<Box<str>>,
    pub(super) timeout: Duration,
    expiry_warning: Duration,
}

/// Unversioned secrets are read again this often.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// No less: the vault's quota belongs to everybody.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
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
            interval: Some(REFRESH_INTERVAL),
            per_vault: 16,
            in_all: 32,
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
        self.interval = Some(interval);
        self
    }

    /// Reads secrets only when a setting appears or changes, and just before they expire.
    #[must_use]
    pub fn no_refresh(mut self) -> Self {
        self.interval = None;
        self
    }

    /// The most reads in flight per vault and in all. Default 16 and 32.
    #[must_use]
    pub fn concurrency(mut self, per_vault: usize, in_all: usize) -> Self {
        self.per_vault = per_vault;
        self.in_all = in_all;
        self
    }

    /// How long one read may take. Default 10 seconds. Waiting for a token is bounded on its own.
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
    #[must_use]
    pub fn json_secrets(mut self, json: bool) -> Self {
        self.json_secrets = json;
        self
    }

    /// Whether settings with the content type `application/jose` are decrypted with a Key Vault key. Default `true`;
    /// without the feature `keys` each of them is then an error. With `false` they are text like any other.
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

    /// How often unversioned secrets are read again, if at all.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// The most reads of one vault at a time.
    pub(crate) fn reads_per_vault(&self) -> usize {
        self.per_vault
    }

    pub(crate) fn warn_before_expiry(&self) -> Duration {
        self.expiry_warning
    }

    /// Checks every option, without any I/O.
    pub(crate) fn validate(&self) -> Result<VaultPolicy> {
        if self
            .interval
            .is_some_and(|interval| interval < SHORTEST_INTERVAL)
        {
            return Err(Error::option(
                "KeyVaultOptions::refresh_interval is at least 1 second",
            ));
        }
        if self.per_vault == 0 || self.in_all == 0 || self.timeout.is_zero() {
            return Err(Error::option(
                "KeyVaultOptions::concurrency and timeout must be above zero",
            ));
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
            .field("interval", &self.interval)
            .field("concurrency", &(self.per_vault, self.in_all))
            .field("resolvers", &self.resolvers)
            .finish_non_exhaustive()
    }
}

/// Options for one vault.
///
/// ```
/// use config_azure::{KeyVaultOptions, VaultOptions};
///
/// let options = KeyVaultOptions::new()
///     .vault(VaultOptions::new("https://localhost:8443").audience("https://vault.azure.net"));
/// ```
#[derive(Clone)]
pub struct VaultOptions {
    pub(super) vault: String,
    pub(super) credential: Option<Arc<dyn TokenCredential>>,
    pub(super) api_version: Option<Box<str>>,
    pub(super) audience: Option<Box<str>>,
}

impl VaultOptions {
    /// For one vault: its name, host or https origin, as in [`KeyVaultOptions::allow_vault`].
    #[must_use]
    pub fn new(name_host_or_origin: impl Into<String>) -> Self {
        Self {
            vault: name_host_or_origin.into(),
            credential: None,
            api_version: None,
            audience: None,
        }
    }

    /// The credential for this vault.
    #[must_use]
    pub fn credential(mut self, credential: Arc<dyn TokenCredential>) -> Self {
        self.credential = Some(credential);
        self
    }

    /// The `api-version` of requests to this vault.
    #[must_use]
    pub fn api_version(mut self, version: impl Into<Box<str>>) -> Self {
        self.api_version = Some(version.into());
        self
    }

    /// The audience of tokens for this vault. Default: that of its cloud, and `https://vault.azure.net` for an
    /// origin outside every cloud. No token for another audience is ever sent to it.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    fn validate(&self) -> Result<()> {
        let https = |audience: &str| audience.starts_with("https://") && audience.len() > 8;
        if self.audience.as_deref().is_none_or(https) {
            Ok(())
        } else {
            Err(Error::option("VaultOptions::audience starts with https://"))
        }
    }
}

impl fmt::Debug for VaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultOptions")
            .field("vault", &self.vault)
            .field("api_version", &self.api_version)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
