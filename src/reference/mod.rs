//! References: settings whose value stands in Key Vault.
//!
//! Everything about them happens in this order: a setting is recognised and its identifier taken apart
//! (`parse`, `identifier`), its host is admitted or refused (`policy`), and only then is there a client that can
//! ask (`client`, `key_vault`, `gate`), whose answers are kept by identifier (`cache`).

mod answer;
mod audit;
mod cache;
mod changed;
mod client;
#[cfg(feature = "keys")]
mod encrypted;
mod failure;
mod gate;
mod identifier;
mod intervals;
#[cfg(feature = "keys")]
mod key;
mod key_vault;
mod limiter;
mod options;
mod parse;
mod policy;
mod references;
mod resolved;
mod resolver;
mod tap;
#[cfg(test)]
mod tests;
mod vault_credential;
mod vault_options;

#[cfg(feature = "keys")]
pub use encrypted::SettingEncryptor;
pub use identifier::{CertificateIdentifier, KeyIdentifier, SecretIdentifier};
pub use limiter::ReadLimiter;
pub use options::{KeyVaultOptions, SecretPolicy};
pub use parse::SecretReference;
pub use resolved::ResolvedSecret;
pub use resolver::{EnvironmentResolver, MapResolver, ResolverOrder, SecretResolver};
pub use vault_options::VaultOptions;

pub(crate) use changed::ChangedObject;
pub(crate) use failure::ReadFailure;
pub(crate) use references::References;
pub(crate) use resolved::Resolved;

use std::fmt;
use std::time::Duration;

use identifier::{Collection, ObjectId};

/// What a reference names. Compares, sorts and hashes without regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ReferenceId {
    Secret(SecretIdentifier),
    Key(KeyIdentifier),
    /// A content key, which a key in the vault has wrapped.
    #[cfg(feature = "keys")]
    ContentKey(encrypted::ContentKeyId),
}

impl ReferenceId {
    /// The vault's host in lower case, with the port if there is one.
    pub(crate) fn vault_host(&self) -> &str {
        self.parts().vault_host()
    }

    pub(crate) fn name(&self) -> &str {
        self.parts().name()
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.parts().version()
    }

    /// True if it names a version: its value cannot change, so that it is read once and does not rotate.
    pub(crate) fn is_versioned(&self) -> bool {
        self.version().is_some()
    }

    /// True if it stays with one version although there may be newer ones. A content key does not: it changes with
    /// the setting that it opens.
    pub(crate) fn is_pinned(&self) -> bool {
        self.is_versioned() && matches!(self, Self::Secret(_) | Self::Key(_))
    }

    fn parts(&self) -> &ObjectId {
        match self {
            Self::Secret(id) => id.parts(),
            Self::Key(id) => id.parts(),
            #[cfg(feature = "keys")]
            Self::ContentKey(id) => id.key.parts(),
        }
    }

    fn collection(&self) -> Collection {
        match self {
            Self::Secret(_) => Collection::Secrets,
            _ => Collection::Keys,
        }
    }
}

impl fmt::Display for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
            #[cfg(feature = "keys")]
            Self::ContentKey(id) => id.key.fmt(f),
        }
    }
}

impl fmt::Debug for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A setting's reference, taken apart and admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) id: ReferenceId,
    /// From the setting's own tag; it goes before [`KeyVaultOptions::on_error`].
    pub(crate) policy: Option<SecretPolicy>,
    /// How often it is read again, if it names no version; `None`: never.
    pub(crate) every: Option<Duration>,
    /// Whether a value whose content type says JSON is read as a table.
    pub(crate) parse_json: bool,
    /// The encrypted value that the referenced content key opens.
    #[cfg(feature = "keys")]
    pub(crate) sealed: Option<encrypted::Sealed>,
}
