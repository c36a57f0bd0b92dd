//! What a request to the store carries to be let in.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use azure_core::credentials::TokenCredential;
use azure_core::http::Request;
use azure_core::http::headers::{AUTHORIZATION, HeaderName, Headers};
use azure_core::time::{OffsetDateTime, parse_rfc7231, to_rfc7231};

use super::endpoint::Endpoint;
use super::failure::Scheme;
use super::hmac::AccessKey;
use crate::credential::CredentialFailure;
use crate::error::{Error, ErrorKind, Result};
use crate::time::WallClock;

const DATE: HeaderName = HeaderName::from_static("x-ms-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-ms-content-sha256");
const SERVER_DATE: HeaderName = HeaderName::from_static("date");

/// A credential is asked once per request at most, and must answer within this. The cache in front of it gives up after 30
/// seconds by itself, and then says so in its own words to everybody.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(35);
/// The service allows 15 minutes; a clock this far off is worth a correction.
const WORTH_CORRECTING: Duration = Duration::from_secs(5 * 60);
/// Farther off than this, the server's date is not believed.
const NOT_BELIEVED: Duration = Duration::from_secs(400 * 24 * 3600);

/// Told that a token for this scope was refused although it should be fresh. True if the next one may be another.
pub(crate) type Rejected = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// How to be let in.
#[derive(Clone)]
pub(crate) enum StoreCredential {
    /// The key of a connection string.
    AccessKey(AccessKey),
    /// An Entra credential. `rejected` lets a cache forget the token that was refused.
    Token {
        credential: Arc<dyn TokenCredential>,
        audience: Option<Box<str>>,
        rejected: Option<Rejected>,
    },
    /// Nothing: an emulator on this machine.
    Anonymous,
}

impl fmt::Debug for StoreCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessKey(_) => "AccessKey",
            Self::Token { .. } => "Token",
            Self::Anonymous => "Anonymous",
        })
    }
}

impl StoreCredential {
    /// Refuses pairs of credential and endpoint that must never meet.
    pub(crate) fn check(&self, endpoint: &Endpoint) -> Result<()> {
        let refused = |message| Err(Error::option(message).with_endpoint(endpoint.as_str()));
        match self {
            Self::Token { .. } if !endpoint.is_https() => {
                refused("a token credential needs an https endpoint")
            }
            Self::Anonymous if !endpoint.is_loopback() => {
                refused("anonymous() is for an emulator on this machine")
            }
            _ => Ok(()),
        }
    }
}

/// Puts a fresh date and signature, or a token, on every attempt. Shared by all endpoints of a store.
#[derive(Debug)]
pub(super) struct Authorizer {
    credential: StoreCredential,
    clock: Arc<dyn WallClock>,
    /// Seconds to add to the clock: what an answer's date has taught about it.
    correction: AtomicI64,
}

impl Authorizer {
    pub(super) fn new(credential: StoreCredential, clock: Arc<dyn WallClock>) -> Self {
        Self {
            credential,
            clock,
            correction: AtomicI64::new(0),
        }
    }

    pub(super) fn credential(&self) -> &StoreCredential {
        &self.credential
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self.credential {
            StoreCredential::AccessKey(_) => Scheme::AccessKey,
            StoreCredential::Token { .. } => Scheme::Token,
            StoreCredential::Anonymous => Scheme::Anonymous,
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Authorises a request whose URL and other headers are final.
    pub(super) async fn authorize(
        &self,
        request: &mut Request,
        endpoint: &Endpoint,
        scope: &str,
    ) -> Result<()> {
        match &self.credential {
            StoreCredential::AccessKey(key) => {
                let date = to_rfc7231(&self.date());
                let signature = key.sign(request.method().as_str(), request.url(), &date, b"");
                request.insert_header(DATE, date);
                request.insert_header(CONTENT_HASH, signature.content_hash);
                request.insert_header(AUTHORIZATION, signature.authorization);
            }
            StoreCredential::Token { credential, .. } => {
                let token = token(&**credential, endpoint, scope).await?;
                request.insert_header(AUTHORIZATION, format!("Bearer {token}"));
            }
            StoreCredential::Anonymous => {}
        }
        Ok(())
    }

    /// The date to sign, to the second, with the correction.
    fn date(&self) -> OffsetDateTime {
        let seconds = unix_seconds(self.clock.now())
            .saturating_add(self.correction.load(Ordering::Relaxed))
            .clamp(0, 253_402_300_799);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// After a 401: whether sending the request once more can help, because the clock was corrected by the
    /// server's date or a cached token was given up.
    pub(super) fn learn_from_refusal(
        &self,
        request: &Request,
        headers: &Headers,
        scope: &str,
    ) -> bool {
        match &self.credential {
            StoreCredential::AccessKey(_) => self.correct_clock(headers),
            StoreCredential::Token { rejected, .. } => {
                let sent = request.headers().get_optional_str(&AUTHORIZATION);
                let token = sent.and_then(|sent| sent.strip_prefix("Bearer "));
                match (rejected, token) {
                    (Some(rejected), Some(token)) => rejected(scope, token),
                    _ => false,
                }
            }
            StoreCredential::Anonymous => false,
        }
    }

    fn correct_clock(&self, headers: &Headers) -> bool {
        let Some(theirs) = headers
            .get_optional_str(&SERVER_DATE)
            .and_then(|date| parse_rfc7231(date.trim()).ok())
        else {
            return false;
        };
        let signed = self.date().unix_timestamp();
        let off = theirs.unix_timestamp().abs_diff(signed);
        if off <= WORTH_CORRECTING.as_secs() || off > NOT_BELIEVED.as_secs() {
            return false;
        }
        let correction = theirs.unix_timestamp() - unix_seconds(self.clock.now());
        self.correction.store(correction, Ordering::Relaxed);
        tracing::warn!(
            seconds = correction,
            "this machine's clock is off; requests are signed by the store's clock"
        );
        true
    }
}

/// The access token for a scope.
async fn token(
    credential: &dyn TokenCredential,
    endpoint: &Endpoint,
    scope: &str,
) -> Result<String> {
    let scopes = [scope];
    let token = tokio::time::timeout(TOKEN_TIMEOUT, credential.get_token(&scopes, None))
        .await
        .map_err(|_| {
            // No request was sent: the endpoint has no part in it.
            let message = "the credential did not answer in time";
            Error::new(ErrorKind::Credential, message).with_endpoint(endpoint.as_str())
        })?
        .map_err(|error| refused_token(endpoint, error))?;
    Ok(token.token.secret().to_owned())
}

/// Whatever the reason, also that the authority cannot be reached, which the cache in front of the credential does not
/// tell apart: no token is no fault of the store.
fn refused_token(endpoint: &Endpoint, error: azure_core::Error) -> Error {
    let failure = CredentialFailure::in_error(&error);
    let message = match failure.is_some_and(CredentialFailure::is_unknown_audience) {
        true => {
            "no token could be had: the audience is unknown in this tenant; set the audience of the \
             store's cloud"
        }
        false => "no token for the store could be had",
    };
    Error::new(ErrorKind::Credential, message)
        .with_endpoint(endpoint.as_str())
        .with_source(error)
}

fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}

/// The date of a moment in the past as `Accept-Datetime` wants it.
pub(super) fn http_date(moment: SystemTime) -> String {
    let seconds = unix_seconds(moment).clamp(0, 253_402_300_799);
    to_rfc7231(&OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}
