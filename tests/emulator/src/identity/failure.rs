//! What goes wrong when a token is asked for, in the words of Entra ID.

use http::StatusCode;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Reply, State};

/// A failure of a token endpoint, for [`IdentityHandle::fail`](super::IdentityHandle::fail).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFailure {
    status: StatusCode,
    code: Option<u32>,
    error: String,
    message: String,
    retry_after: Option<u64>,
}

impl TokenFailure {
    /// The failure that Entra reports with this `AADSTS` code: its usual status, OAuth error and words. A code
    /// that is not known here becomes a 400 `invalid_request`.
    pub fn aadsts(code: u32) -> Self {
        let (status, error, message) = usual(code);
        Self {
            status: StatusCode::from_u16(status).expect("the table holds statuses"),
            code: Some(code),
            error: error.to_owned(),
            message: message.to_owned(),
            retry_after: None,
        }
    }

    /// A bare status, as an overloaded or broken endpoint answers, with an OAuth error body.
    ///
    /// # Panics
    /// If `status` is not between 400 and 599.
    pub fn status(status: u16) -> Self {
        assert!((400..600).contains(&status), "{status} is no failure");
        Self {
            status: StatusCode::from_u16(status).expect("it is in range"),
            code: None,
            error: "temporarily_unavailable".to_owned(),
            message: "The server is temporarily too busy to handle the request.".to_owned(),
            retry_after: None,
        }
    }

    /// Sends `Retry-After` with this many seconds.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Replaces the text.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// As the authority words it, with trace, correlation and time.
    pub(super) fn into_reply(self, state: &State, now: OffsetDateTime) -> Reply {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let timestamp = now
            .format(&format)
            .expect("a time with seconds can be written");
        let trace = state.trace_id();
        let code = self
            .code
            .map_or_else(String::new, |code| format!("AADSTS{code}: "));
        let mut body = json!({
            "error": self.error,
            "error_description": format!(
                "{code}{} Trace ID: {trace} Correlation ID: {trace} Timestamp: {timestamp}",
                self.message
            ),
            "error_codes": self.code.into_iter().collect::<Vec<_>>(),
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": trace,
        });
        if let Some(code) = self.code {
            let uri = format!("https://login.microsoftonline.com/error?code={code}");
            body["error_uri"] = uri.into();
        }
        let mut reply = Reply::new(self.status, body);
        reply.retry_after = self.retry_after;
        reply
    }

    /// As a managed identity endpoint words it: a refusal of Entra ID's is passed on with its code.
    pub(super) fn into_managed_reply(self) -> Reply {
        let description = match self.code {
            Some(code) => format!("AADSTS{code}: {}", self.message),
            None => self.message,
        };
        let body = json!({"error": self.error, "error_description": description});
        let mut reply = Reply::new(self.status, body);
        reply.retry_after = self.retry_after;
        reply
    }

    /// A failure of a managed identity endpoint.
    pub(super) fn managed(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: None,
            error: "invalid_request".to_owned(),
            message: message.into(),
            retry_after: None,
        }
    }
}

/// Failures that are still to come.
#[derive(Default)]
pub(super) struct Script {
    failure: Option<TokenFailure>,
    /// How often; without end if absent.
    left: Option<usize>,
}

impl Script {
    pub(super) fn new(failure: TokenFailure, times: Option<usize>) -> Self {
        Self {
            failure: Some(failure),
            left: times,
        }
    }

    /// The failure of the next request, if one is due.
    pub(super) fn next(&mut self) -> Option<TokenFailure> {
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        self.failure.clone()
    }
}

fn usual(code: u32) -> (u16, &'static str, &'static str) {
    match code {
        7_000_215 => (
            401,
            "invalid_client",
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID, for a secret added to the application.",
        ),
        7_000_222 => (
            401,
            "invalid_client",
            "The provided client secret keys for the application are expired.",
        ),
        700_016 => (
            400,
            "unauthorized_client",
            "The application was not found in the directory. This can happen if the application has not been \
             installed by the administrator of the tenant.",
        ),
        700_024 => (
            401,
            "invalid_client",
            "Client assertion is not within its valid time range.",
        ),
        70_021 => (
            401,
            "invalid_request",
            "No matching federated identity record found for presented assertion.",
        ),
        50_027 => (400, "invalid_request", "JWT token is invalid or malformed."),
        500_011 => (
            400,
            "invalid_resource",
            "The resource principal was not found in the tenant. This can happen if the application has not been \
             installed by the administrator of the tenant or consented to by any user in the tenant. You might have \
             sent your authentication request to the wrong tenant.",
        ),
        90_002 => (
            400,
            "invalid_request",
            "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct \
             cloud.",
        ),
        70_003 => (
            400,
            "unsupported_grant_type",
            "The app requested an unsupported grant type.",
        ),
        1_002_012 => (
            400,
            "invalid_scope",
            "The provided value for scope is not valid. Client credential flows must have a scope value with \
             /.default suffixed to the resource identifier (application ID URI).",
        ),
        900_144 => (
            400,
            "invalid_request",
            "The request body must contain a parameter that is missing.",
        ),
        7_000_216 => (
            401,
            "invalid_client",
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        ),
        50_196 => (
            400,
            "invalid_grant",
            "The server terminated an operation because it encountered a client request loop. Please contact your \
             app vendor.",
        ),
        90_033 => (
            503,
            "temporarily_unavailable",
            "A transient error has occurred. Please try again.",
        ),
        _ => (400, "invalid_request", "The request failed."),
    }
}
