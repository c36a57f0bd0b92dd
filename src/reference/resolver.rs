//! Other places where secrets come from.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::environment::Environment;
use crate::error::BoxError;
use crate::secret::Secret;

use super::identifier::SecretIdentifier;
use super::resolved::ResolvedSecret;

/// Another source of secrets, beside Key Vault: a file, another vault, a fixed map in a test.
///
/// A resolver is asked for the identifier in the reference, after the vault policy admitted it. It is given to
/// [`KeyVaultOptions::resolver`](crate::KeyVaultOptions::resolver), or to
/// [`resolver_at`](crate::KeyVaultOptions::resolver_at) with another place in the order. Reads are bounded in
/// time, shared between the settings that refer to one secret, and repeated on the secret interval.
///
/// ```
/// use config_azure::{ResolvedSecret, SecretIdentifier, SecretResolver};
///
/// #[derive(Debug)]
/// struct Fixed;
///
/// #[async_trait::async_trait]
/// impl SecretResolver for Fixed {
///     async fn resolve(
///         &self,
///         id: &SecretIdentifier,
///     ) -> Result<Option<ResolvedSecret>, Box<dyn std::error::Error + Send + Sync>> {
///         Ok((id.name() == "db-password").then(|| ResolvedSecret::new("hunter2")))
///     }
/// }
/// ```
#[async_trait]
pub trait SecretResolver: Send + Sync + fmt::Debug {
    /// Looks a secret up. `Ok(None)` passes the question on to the next in the order.
    ///
    /// # Errors
    ///
    /// An error ends the search, except that a resolver at [`ResolverOrder::IfFailed`] is still asked. Its text
    /// is not repeated anywhere.
    async fn resolve(&self, id: &SecretIdentifier) -> Result<Option<ResolvedSecret>, BoxError>;
}

/// When a resolver is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum ResolverOrder {
    /// Before Key Vault, which is only asked if the resolver has no such secret.
    #[default]
    First,
    /// After Key Vault said that there is no such secret, or if there is no credential for it.
    IfAbsent,
    /// After any failure of Key Vault or of a resolver before it.
    IfFailed,
}

/// Secrets from a map in memory, for tests and local development.
///
/// An entry is found by the whole identifier (with or without its version) or by the secret's bare name, which
/// stands for every vault. Case does not matter.
///
/// ```
/// use config_azure::MapResolver;
///
/// let resolver = MapResolver::new()
///     .with("db-password", "hunter2")
///     .with("https://kv-orders.vault.azure.net/secrets/smtp", "hunter3");
/// assert!(!format!("{resolver:?}").contains("hunter"));
/// ```
#[derive(Clone, Default)]
pub struct MapResolver(BTreeMap<String, Secret>);

impl MapResolver {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same map with one more entry.
    #[must_use]
    pub fn with(mut self, name_or_identifier: impl AsRef<str>, value: impl Into<Secret>) -> Self {
        let key = name_or_identifier.as_ref();
        let key = key.strip_suffix('/').unwrap_or(key).to_ascii_lowercase();
        self.0.insert(key, value.into());
        self
    }

    fn find(&self, id: &SecretIdentifier) -> Option<&Secret> {
        let whole = id.to_string().to_ascii_lowercase();
        let newest = id.version().and_then(|version| {
            let length = whole.len().checked_sub(version.len() + 1)?;
            whole.get(..length)
        });
        self.0
            .get(&whole)
            .or_else(|| self.0.get(newest?))
            .or_else(|| self.0.get(&id.name().to_ascii_lowercase()))
    }
}

impl fmt::Debug for MapResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapResolver({} entries)", self.0.len())
    }
}

#[async_trait]
impl SecretResolver for MapResolver {
    async fn resolve(&self, id: &SecretIdentifier) -> Result<Option<ResolvedSecret>, BoxError> {
        Ok(self
            .find(id)
            .map(|value| ResolvedSecret::new(value.clone())))
    }
}

/// Secrets from environment variables, for local development.
///
/// The variable of a secret is the prefix and the secret's name in upper case, with `_` for `-`: with the prefix
/// `SECRET_`, `db-password` is read from `SECRET_DB_PASSWORD`, whatever its vault and version. An empty variable
/// is an empty secret.
///
/// ```
/// use config_azure::EnvironmentResolver;
///
/// let resolver = EnvironmentResolver::with_prefix("SECRET_");
/// ```
#[derive(Clone)]
pub struct EnvironmentResolver {
    prefix: Box<str>,
    environment: Environment,
}

impl EnvironmentResolver {
    /// Reads the process environment. The prefix is taken as it is.
    #[must_use]
    pub fn with_prefix(prefix: impl Into<Box<str>>) -> Self {
        Self {
            prefix: prefix.into(),
            environment: Environment::process(),
        }
    }

    /// The same resolver with another way to look a variable up.
    #[must_use]
    pub fn with_lookup(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Environment::new(lookup);
        self
    }

    fn variable(&self, id: &SecretIdentifier) -> String {
        let name = id.name().to_ascii_uppercase().replace('-', "_");
        format!("{}{name}", self.prefix)
    }
}

impl fmt::Debug for EnvironmentResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvironmentResolver({}…)", self.prefix)
    }
}

#[async_trait]
impl SecretResolver for EnvironmentResolver {
    async fn resolve(&self, id: &SecretIdentifier) -> Result<Option<ResolvedSecret>, BoxError> {
        Ok(self
            .environment
            .get(&self.variable(id))
            .map(ResolvedSecret::new))
    }
}
