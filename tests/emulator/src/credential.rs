//! A credential whose tokens the emulated services accept, without any request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};

use crate::clock::ClockHandle;
use crate::token::TokenIssuer;

const LIFETIME: u64 = 3600;

/// Issues tokens for any scope, good for an hour by the emulator's clock unless told otherwise, and counts the calls.
pub struct EmulatorCredential {
    issuer: Arc<TokenIssuer>,
    clock: ClockHandle,
    calls: AtomicUsize,
    /// In seconds.
    lifetime: AtomicU64,
}

impl EmulatorCredential {
    pub(crate) fn new(issuer: Arc<TokenIssuer>, clock: ClockHandle) -> Self {
        Self {
            issuer,
            clock,
            calls: AtomicUsize::new(0),
            lifetime: AtomicU64::new(LIFETIME),
        }
    }

    /// How many tokens were asked for.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// How long tokens are good from now on, in whole seconds.
    pub fn token_lifetime(&self, lifetime: Duration) {
        self.lifetime.store(lifetime.as_secs(), Ordering::Relaxed);
    }
}

impl fmt::Debug for EmulatorCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmulatorCredential")
    }
}

#[async_trait]
impl TokenCredential for EmulatorCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let &[scope] = scopes else {
            let message = "the emulator's credential takes exactly one scope";
            return Err(Error::with_message(ErrorKind::Credential, message));
        };
        let audience = scope.strip_suffix("/.default").unwrap_or(scope);
        let lifetime = Duration::from_secs(self.lifetime.load(Ordering::Relaxed));
        let (token, expires) = self.issuer.issue(audience, lifetime, self.clock.now());
        Ok(AccessToken::new(token, expires))
    }
}
