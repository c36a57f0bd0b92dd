//! Options for one vault.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;

use crate::error::{Error, Result};

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
    /// For one vault: its name, host or https origin, as in [`KeyVaultOptions::allow_vault`](crate::KeyVaultOptions::allow_vault).
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

    pub(super) fn validate(&self) -> Result<()> {
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
