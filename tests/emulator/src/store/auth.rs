//! Who may do what: signatures, bearer tokens, and neither.

use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use time::OffsetDateTime;

use super::hmac::{self, AccessKey};
use super::problem::Problem;
use crate::token::TokenIssuer;

/// Both schemes, as the answer to a request with neither.
const CHALLENGE: &str = "HMAC-SHA256, Bearer";

/// The gate of one store.
pub(crate) struct Gate {
    issuer: Arc<TokenIssuer>,
    pub(crate) audiences: Vec<String>,
    pub(crate) keys: Vec<AccessKey>,
    /// Everybody may come in, as in Microsoft's local emulator.
    pub(crate) anonymous: bool,
    /// Tokens are good, but their owner has no role on the store.
    pub(crate) forbidden: bool,
}

impl Gate {
    pub(crate) fn new(host: &str, issuer: Arc<TokenIssuer>) -> Self {
        Self {
            audiences: audiences(host),
            keys: new_keys(),
            anonymous: false,
            forbidden: false,
            issuer,
        }
    }

    /// Lets the request in or says why not.
    pub(crate) fn admit(
        &self,
        request: &Request<Bytes>,
        now: OffsetDateTime,
    ) -> Result<(), Problem> {
        if self.anonymous {
            return Ok(());
        }
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let split = authorization.and_then(|text| text.split_once(' '));
        let (scheme, rest) = split.ok_or_else(|| Problem::unauthorized(CHALLENGE))?;
        let allowed = if scheme.eq_ignore_ascii_case("HMAC-SHA256") {
            let key = hmac::verify(request, rest, &self.keys, now);
            let key = key.map_err(|why| refused_signature(&why))?;
            !key.read_only || reads(request.method())
        } else if scheme.eq_ignore_ascii_case("Bearer") {
            self.verify_token(rest.trim(), now)?;
            !self.forbidden
        } else {
            return Err(Problem::unauthorized(CHALLENGE));
        };
        if allowed {
            Ok(())
        } else {
            Err(Problem::bare(StatusCode::FORBIDDEN))
        }
    }

    /// Replaces both access keys, as a key rotation does.
    pub(crate) fn rotate(&mut self) {
        self.keys = new_keys();
    }

    fn verify_token(&self, token: &str, now: OffsetDateTime) -> Result<(), Problem> {
        let good = |audience: &String| self.issuer.verify(token, audience, now).is_ok();
        if self.audiences.iter().any(good) {
            return Ok(());
        }
        Err(Problem::unauthorized(
            "HMAC-SHA256, Bearer error=\"invalid_token\", error_description=\"Authorization token failed validation\"",
        ))
    }
}

/// The audiences of the host's cloud, and the host itself. A custom domain is of the public cloud.
fn audiences(host: &str) -> Vec<String> {
    let mut rest = host;
    let mut cloud = None;
    while let Some((label, suffix)) = rest.split_once('.') {
        if let "azconfig" | "appconfig" = label {
            cloud = Some(suffix);
        }
        rest = suffix;
    }
    let [old, new] = match cloud {
        None | Some("io" | "azure.com") => {
            ["azconfig.io", "appconfig.azure.com"].map(str::to_owned)
        }
        Some(cloud) => ["azconfig", "appconfig"].map(|name| format!("{name}.{cloud}")),
    };
    let all = [old, new, host.to_owned()];
    all.map(|host| format!("https://{host}")).into()
}

fn reads(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn refused_signature(why: &str) -> Problem {
    Problem::unauthorized(&format!(
        "HMAC-SHA256 error=\"invalid_token\" error_description=\"{why}\", Bearer"
    ))
}

fn new_keys() -> Vec<AccessKey> {
    let key = |read_only| {
        let mut bytes = [0; 44];
        rand::fill(&mut bytes).expect("the system has a random source");
        let (id, secret) = bytes.split_at(12);
        AccessKey {
            id: format!("emu-l0-s0:{}", BASE64.encode(id)),
            secret: secret.to_vec(),
            read_only,
        }
    };
    vec![key(false), key(true)]
}
