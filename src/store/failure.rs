//! What went wrong, in our own words, with a hint where one is known.

use std::time::SystemTime;

use azure_core::error::ErrorKind as AzureErrorKind;
use azure_core::http::headers::{HeaderName, Headers};

use super::endpoint::Endpoint;
use super::wire::problem_code;
use crate::error::{Error, ErrorKind};
use crate::transport::{Refusal, retry_after};

/// How a request was authorised, for the hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    AccessKey,
    Token,
    Anonymous,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const WWW_AUTHENTICATE: HeaderName = HeaderName::from_static("www-authenticate");

/// An answer whose status is an error.
pub(super) fn from_status(
    endpoint: &Endpoint,
    scheme: Scheme,
    status: u16,
    headers: &Headers,
    body: &[u8],
    now: SystemTime,
) -> Error {
    let (kind, message) = match status {
        401 => (ErrorKind::Credential, unauthorised(scheme, headers)),
        403 => (ErrorKind::Forbidden, forbidden(scheme)),
        404 => (
            ErrorKind::NotFound,
            "the store knows no such resource; is this the endpoint of an App Configuration store?",
        ),
        429 => (ErrorKind::Throttled, "the store asks for fewer requests"),
        400 => (
            ErrorKind::Service,
            "the store refused the request as malformed",
        ),
        _ => (ErrorKind::Service, "the store answered with an error"),
    };
    let mut error = Error::new(kind, message)
        .with_endpoint(endpoint.as_str())
        .with_status(status);
    if let Some(code) = problem_code(body) {
        error = error.with_code(&code);
    }
    let id = [REQUEST_ID, CORRELATION_REQUEST_ID]
        .iter()
        .find_map(|name| headers.get_optional_str(name));
    if let Some(id) = id {
        error = error.with_request_id(id);
    }
    match retry_after(headers, now) {
        Some(delay) => error.with_retry_after(delay),
        None => error,
    }
}

/// The hint for a 401, from the service's own description, none of which is repeated.
fn unauthorised(scheme: Scheme, headers: &Headers) -> &'static str {
    let described = headers
        .get_optional_str(&WWW_AUTHENTICATE)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let says = |word: &str| described.contains(word);
    match scheme {
        Scheme::Anonymous => "the store needs a credential",
        Scheme::Token => {
            "the store refused the token; check that its audience is this store's cloud and that the \
             tenant is the store's own"
        }
        Scheme::AccessKey if says("date") || says("expired") => {
            "the store refused the date of the request; check this machine's clock"
        }
        Scheme::AccessKey if says("credential") => {
            "the store does not know the id of the access key; was the key regenerated, or access by \
             key disabled?"
        }
        Scheme::AccessKey => {
            "the store refused the access key; was it regenerated, or access by key disabled?"
        }
    }
}

fn forbidden(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Token => {
            "the identity may not read this store; grant it the role App Configuration Data Reader (a \
             new role takes up to 15 minutes), and check the store's network rules"
        }
        _ => "reading this store is not allowed; check its access keys and network rules",
    }
}

/// A request that brought no answer.
pub(super) fn from_transport(endpoint: &Endpoint, error: azure_core::Error) -> Error {
    let (kind, message) = match Refusal::in_error(&error) {
        Some(Refusal::Deadline) => (ErrorKind::Timeout, "the store did not answer in time"),
        Some(Refusal::TooLarge(_)) => (ErrorKind::TooLarge, "an answer of the store is too large"),
        Some(Refusal::Redirect(status)) => {
            return Error::new(
                ErrorKind::Protocol,
                "the store answered with a redirect, which is never followed",
            )
            .with_endpoint(endpoint.as_str())
            .with_status(status);
        }
        Some(Refusal::ForeignHost | Refusal::Insecure) => (
            ErrorKind::InvalidOption,
            "the endpoint is not one that may be asked",
        ),
        None if names_a_certificate(&error) => (
            ErrorKind::Unreachable,
            "the store's certificate is not trusted; check this machine's clock and certificates",
        ),
        None => (ErrorKind::Unreachable, "the store cannot be reached"),
    };
    Error::new(kind, message)
        .with_endpoint(endpoint.as_str())
        .with_source(error)
}

fn names_a_certificate(error: &azure_core::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("certificate") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// True if the same request may succeed when it is simply sent again.
pub(super) fn is_retriable(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Throttled | ErrorKind::Unreachable | ErrorKind::Timeout => true,
        ErrorKind::Service => {
            matches!(error.status(), Some(status) if status == 408 || status >= 500)
        }
        _ => false,
    }
}

/// True if the endpoint itself seems to be gone: no connection, or no answer in time. With another endpoint at
/// hand, asking it again is a waste of the caller's time.
pub(super) fn is_gone(error: &Error) -> bool {
    error.kind() == ErrorKind::Timeout
        || std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<azure_core::Error>())
            .is_some_and(|source| *source.kind() == AzureErrorKind::Connection)
}

/// True if another endpoint of the same store may do better. Without a token no request was sent, to this endpoint or
/// any other: that is no endpoint's fault. Nor is it one's fault that all settings together are too large: they are so
/// everywhere. Only a single answer that is too large, which has what refused it as its source, may be an odd one.
pub(super) fn is_failoverable(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Credential => error.status().is_some(),
        ErrorKind::Forbidden | ErrorKind::Protocol => true,
        ErrorKind::TooLarge => std::error::Error::source(error).is_some(),
        _ => is_retriable(error),
    }
}
