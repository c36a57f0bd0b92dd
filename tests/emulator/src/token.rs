//! Access tokens: issued by the authority, verified by stores and vaults.
//!
//! A token is a JWT with the claims of an Entra ID access token, signed with a key that lives as long as its
//! issuer. Entra signs with RSA; here the authority and the services are one process, so an HMAC does.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How far `nbf` and `iat` lie before the moment of issue, as Entra ID sets them.
const BACKDATED: Duration = Duration::minutes(5);

/// Issues and verifies the bearer tokens of one emulated tenant.
pub struct TokenIssuer {
    key: hmac::Key,
    tenant_id: String,
    serial: AtomicU64,
    /// Serial numbers up to this one are no longer accepted.
    revoked: AtomicU64,
}

/// Why a bearer token was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    /// Not a JWT with the claims of an access token.
    Malformed,
    /// Signed by somebody else, or altered.
    Signature,
    /// Issued for another resource; holds the `aud` claim.
    Audience(String),
    /// Past its `exp`.
    Expired,
    /// Before its `nbf`.
    NotYetValid,
    /// Withdrawn by [`TokenIssuer::revoke_all`].
    Revoked,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    tid: String,
    uti: u64,
    ver: String,
}

impl TokenIssuer {
    /// An issuer with a fresh signing key, for the tenant with this id.
    pub fn new(tenant_id: impl Into<String>) -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .expect("the system has a random source");
        Self {
            key,
            tenant_id: tenant_id.into(),
            serial: AtomicU64::new(0),
            revoked: AtomicU64::new(0),
        }
    }

    /// The tenant that this issuer speaks for.
    pub fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// A token for `audience` (a resource such as `https://vault.azure.net`), and when it expires: `now` plus
    /// `lifetime`, in whole seconds.
    pub fn issue(
        &self,
        audience: &str,
        lifetime: std::time::Duration,
        now: OffsetDateTime,
    ) -> (String, OffsetDateTime) {
        let issued = now.replace_nanosecond(0).unwrap_or(now);
        let expires = issued + Duration::seconds(lifetime.as_secs().min(i64::MAX as u64) as i64);
        let claims = Claims {
            aud: audience.to_owned(),
            iss: format!("https://sts.windows.net/{}/", self.tenant_id),
            iat: (issued - BACKDATED).unix_timestamp(),
            nbf: (issued - BACKDATED).unix_timestamp(),
            exp: expires.unix_timestamp(),
            tid: self.tenant_id.clone(),
            uti: self.serial.fetch_add(1, Ordering::Relaxed) + 1,
            ver: "1.0".to_owned(),
        };
        let header = BASE64URL.encode(br#"{"typ":"JWT","alg":"HS256"}"#);
        let payload =
            BASE64URL.encode(serde_json::to_vec(&claims).expect("claims are plain values"));
        let signed = format!("{header}.{payload}");
        let tag = hmac::sign(&self.key, signed.as_bytes());
        (
            format!("{signed}.{}", BASE64URL.encode(tag.as_ref())),
            expires,
        )
    }

    /// Accepts `token` if this issuer made it for `audience` and it is in force at `now`.
    ///
    /// Audiences are compared ignoring case and one trailing slash. The real services also grant five minutes
    /// after `exp`; this one grants none, so that a client which uses an expired token is seen.
    ///
    /// # Errors
    /// The first reason to refuse it, in the order signature, audience, time, revocation.
    pub fn verify(
        &self,
        token: &str,
        audience: &str,
        now: OffsetDateTime,
    ) -> Result<(), TokenProblem> {
        let claims = self.authentic(token)?;
        if canonical(&claims.aud) != canonical(audience) {
            return Err(TokenProblem::Audience(claims.aud));
        }
        if now.unix_timestamp() < claims.nbf {
            return Err(TokenProblem::NotYetValid);
        }
        if now.unix_timestamp() >= claims.exp {
            return Err(TokenProblem::Expired);
        }
        if claims.uti <= self.revoked.load(Ordering::Relaxed) {
            return Err(TokenProblem::Revoked);
        }
        Ok(())
    }

    /// From now on refuses every token issued so far, as when the identity's sessions are revoked.
    pub fn revoke_all(&self) {
        let issued = self.serial.load(Ordering::Relaxed);
        self.revoked.fetch_max(issued, Ordering::Relaxed);
    }

    fn authentic(&self, token: &str) -> Result<Claims, TokenProblem> {
        let (signed, tag) = token.rsplit_once('.').ok_or(TokenProblem::Malformed)?;
        let (_, payload) = signed.split_once('.').ok_or(TokenProblem::Malformed)?;
        let tag = BASE64URL.decode(tag).map_err(|_| TokenProblem::Malformed)?;
        hmac::verify(&self.key, signed.as_bytes(), &tag).map_err(|_| TokenProblem::Signature)?;
        let payload = BASE64URL
            .decode(payload)
            .map_err(|_| TokenProblem::Malformed)?;
        serde_json::from_slice(&payload).map_err(|_| TokenProblem::Malformed)
    }
}

fn canonical(audience: &str) -> String {
    audience
        .strip_suffix('/')
        .unwrap_or(audience)
        .to_ascii_lowercase()
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("tenant_id", &self.tenant_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the token is not an access token"),
            Self::Signature => f.write_str("the signature of the token is invalid"),
            Self::Audience(audience) => write!(f, "the token is for the audience '{audience}'"),
            Self::Expired => f.write_str("the token is expired"),
            Self::NotYetValid => f.write_str("the token is not valid yet"),
            Self::Revoked => f.write_str("the token has been revoked"),
        }
    }
}

impl std::error::Error for TokenProblem {}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-01 12:00:00.5 UTC);
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
    const VAULT: &str = "https://vault.azure.net";

    #[test]
    fn a_token_is_good_for_its_audience_until_it_expires() {
        let issuer = TokenIssuer::new("tenant");
        let (token, expires) = issuer.issue(VAULT, HOUR, NOW);
        assert_eq!(expires, datetime!(2026-06-01 13:00:00 UTC));
        let cases = [
            (VAULT, NOW, Ok(())),
            ("https://VAULT.azure.net/", NOW, Ok(())),
            (
                "https://azconfig.io",
                NOW,
                Err(TokenProblem::Audience(VAULT.to_owned())),
            ),
            (VAULT, expires - Duration::SECOND, Ok(())),
            (VAULT, expires, Err(TokenProblem::Expired)),
            (
                VAULT,
                NOW - Duration::minutes(6),
                Err(TokenProblem::NotYetValid),
            ),
        ];
        for (audience, now, expected) in cases {
            assert_eq!(
                issuer.verify(&token, audience, now),
                expected,
                "{audience} {now}"
            );
        }
    }

    #[test]
    fn foreign_altered_and_revoked_tokens_are_refused() {
        let issuer = TokenIssuer::new("tenant");
        let (foreign, _) = TokenIssuer::new("tenant").issue(VAULT, HOUR, NOW);
        assert_eq!(
            issuer.verify(&foreign, VAULT, NOW),
            Err(TokenProblem::Signature)
        );
        for garbage in ["", "abc", "a.b", "a.b.c!"] {
            assert!(issuer.verify(garbage, VAULT, NOW).is_err(), "{garbage:?}");
        }
        let (old, _) = issuer.issue(VAULT, HOUR, NOW);
        issuer.revoke_all();
        let (new, _) = issuer.issue(VAULT, HOUR, NOW);
        assert_eq!(issuer.verify(&old, VAULT, NOW), Err(TokenProblem::Revoked));
        assert_eq!(issuer.verify(&new, VAULT, NOW), Ok(()));
    }
}
