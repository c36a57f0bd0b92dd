//! A credential whose tokens the emulated services accept, without any request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};

use crate::clock::ClockHandle;
use crate::token::TokenIssuer;

const LIFETIME: Duration = Duration::from_secs(3600);

/// Issues tokens for any scope, good for an hour by the emulator's clock, and counts the calls.
pub struct EmulatorCredential {
    issuer: Arc<TokenIssuer>,
    clock: ClockHandle,
    calls: AtomicUsize,
}

impl EmulatorCredential {
    pub(crate) fn new(issuer: Arc<TokenIssuer>, clock: ClockHandle) -> Self {
        Self {
            issuer,
            clock,
            calls: AtomicUsize::new(0),
        }
    }

    /// How many tokens were asked for.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
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
        let (token, expires) = self.issuer.issue(audience, LIFETIME, self.clock.now());
        Ok(AccessToken::new(token, expires))
    }
}
