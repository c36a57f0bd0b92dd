//! The credential as one vault's client sees it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::OffsetDateTime;

use crate::credential::CachedCredential;

/// Hands out tokens for one audience alone, whatever the vault's challenge asks for.
///
/// The client of the Azure SDK takes the scope of its requests from the challenge. It checks that the challenge
/// fits the vault's host, but not which cloud that is, and for an origin outside every cloud it cannot check.
pub(super) struct VaultCredential {
    inner: Arc<CachedCredential>,
    scope: String,
    /// The client asked for another audience. It remembers the one that a challenge named, also if no token came of it,
    /// and would ask for nothing else from now on, without sending anything.
    misled: AtomicBool,
}

impl VaultCredential {
    /// For an audience such as `https://vault.azure.net`.
    pub(super) fn new(inner: Arc<CachedCredential>, audience: &str) -> Arc<Self> {
        let scope = format!("{}/.default", audience.trim_end_matches('/'));
        Arc::new(Self {
            inner,
            scope,
            misled: AtomicBool::new(false),
        })
    }

    /// The token for this vault, fetched if it must be.
    pub(super) async fn token(&self) -> azure_core::Result<AccessToken> {
        self.inner.get_token(&[&self.scope], None).await
    }

    /// The vault refused this token. True if another one can be had now.
    pub(super) fn refuse(&self, token: &AccessToken) -> bool {
        self.inner.refuse(&self.scope, token.token.secret())
    }

    /// True if the client asked for another audience since the last call.
    pub(super) fn take_misled(&self) -> bool {
        self.misled.swap(false, Ordering::AcqRel)
    }

    fn fits(&self, asked: &str) -> bool {
        let audience = asked.strip_suffix("/.default").unwrap_or(asked);
        let own = self.scope.strip_suffix("/.default").unwrap_or_default();
        audience.trim_end_matches('/').eq_ignore_ascii_case(own)
    }
}

#[async_trait]
impl TokenCredential for VaultCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if !matches!(scopes, [one] if self.fits(one)) {
            self.misled.store(true, Ordering::Release);
            return Err(azure_core::Error::with_message(
                ErrorKind::Other,
                "the vault asks for a token of another audience",
            ));
        }
        let mut token = self.token().await?;
        // The client must not keep it: the one cache knows when a token is refreshed or was refused.
        token.expires_on = OffsetDateTime::UNIX_EPOCH;
        Ok(token)
    }
}

impl fmt::Debug for VaultCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultCredential({})", self.scope)
    }
}
