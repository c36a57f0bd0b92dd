//! Why a read failed, and what that says about the vault as a whole.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use azure_core::error::{ErrorKind, ErrorResponse};
use azure_core::http::headers::HeaderName;

use crate::credential::CredentialFailure;
use crate::error::{SecretError, SecretErrorKind, word};
use crate::setting::ConfigurationSetting;
use crate::time::Instant;
use crate::transport::{Refusal, retry_after};

use super::ReferenceId;

/// Why one read failed: a kind, a status, a code and an id, never a text of the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadFailure {
    pub(crate) kind: SecretErrorKind,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<Box<str>>,
    /// The vault's own id of the request that it refused.
    request_id: Option<Box<str>>,
    /// What the credential said, without anything secret.
    cause: Option<Arc<str>>,
    /// No read of this vault is sent before this instant.
    pub(crate) retry_at: Option<Instant>,
    pub(crate) hint: Option<&'static str>,
}

impl ReadFailure {
    pub(super) fn new(kind: SecretErrorKind) -> Self {
        Self {
            kind,
            status: None,
            code: None,
            request_id: None,
            cause: None,
            retry_at: None,
            hint: None,
        }
    }

    /// Code that was asked on the way, such as a credential of the application, panicked.
    pub(crate) fn panicked() -> Self {
        Self::new(SecretErrorKind::Unreachable).with_hint("code of the application panicked")
    }

    pub(super) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(super) fn with_retry_at(mut self, retry_at: Instant) -> Self {
        self.retry_at = Some(retry_at);
        self
    }

    /// The same for a read that was not sent because this one failed.
    pub(super) fn unsent(&self) -> Self {
        Self {
            request_id: None,
            ..self.clone()
        }
    }

    /// The public error of the object itself, whatever setting refers to it.
    pub(crate) fn of_object(&self, id: &ReferenceId) -> SecretError {
        self.about(id, SecretError::new(self.kind))
    }

    /// The public error of one setting that refers to what could not be read.
    pub(crate) fn to_error(
        &self,
        id: &ReferenceId,
        setting: &ConfigurationSetting,
        read_before: bool,
    ) -> SecretError {
        let error = SecretError::new(self.kind)
            .with_setting(setting.key(), setting.label().as_str())
            .with_read_before(read_before);
        self.about(id, error)
    }

    /// Completes an error by what failed, and how.
    pub(super) fn about(&self, id: &ReferenceId, error: SecretError) -> SecretError {
        let mut error = error.with_secret(id.vault_host(), id.name(), id.version());
        if let Some(status) = self.status {
            error = error.with_status(status);
        }
        if let Some(code) = &self.code {
            error = error.with_code(code);
        }
        if let Some(request_id) = &self.request_id {
            error = error.with_request_id(request_id);
        }
        if let Some(hint) = self.hint {
            error = error.with_hint(hint);
        }
        if let Some(cause) = &self.cause {
            error = error.with_cause(Arc::clone(cause));
        }
        if let Some(retry_at) = self.retry_at {
            error = error.with_retry_after(retry_at.saturating_duration_since(Instant::now()));
        }
        error
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

const UNKNOWN_AUDIENCE: &str = "the audience is unknown in this tenant; check the tenant and \
    `AZURE_AUTHORITY_HOST`, or set `VaultOptions::audience`";

/// What a failed request says beyond the one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The vault answered; only this secret is concerned.
    Secret,
    /// The vault asks for fewer requests, perhaps for how long.
    Throttled(Option<Duration>),
    /// The vault refused the token.
    Token,
    /// No answer at all: the request may be sent once more.
    NoAnswer,
    /// The vault did not answer in time, or answered with an error of its own.
    Vault,
}

/// A failed request, taken apart.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) failure: ReadFailure,
    pub(super) reach: Reach,
}

impl Trouble {
    pub(super) fn new(reach: Reach, failure: ReadFailure) -> Self {
        Self { failure, reach }
    }

    /// The answer came, but it is not what was asked for.
    pub(super) fn answer(hint: &'static str) -> Self {
        let failure = ReadFailure::new(SecretErrorKind::InvalidAnswer).with_hint(hint);
        Self::new(Reach::Secret, failure)
    }

    pub(super) fn timeout() -> Self {
        let failure = ReadFailure::new(SecretErrorKind::Unreachable)
            .with_hint("the vault did not answer in time");
        Self::new(Reach::Vault, failure)
    }

    /// From an error of the Azure SDK's pipeline, or of the transport under it.
    pub(super) fn of(error: azure_core::Error, asked: &ReferenceId, today: SystemTime) -> Self {
        if let Some(failure) = CredentialFailure::in_error(&error) {
            return Self::new(Reach::Vault, no_token(failure));
        }
        if let Some(refusal) = Refusal::in_error(&error) {
            return Self::new(Reach::Vault, refused(refusal));
        }
        let (status, wish, request_id) = match error.kind() {
            ErrorKind::HttpResponse {
                status,
                raw_response,
                ..
            } => {
                let headers = raw_response.as_ref().map(|response| response.headers());
                let wish = headers.and_then(|headers| retry_after(headers, today));
                let request_id = headers.and_then(|headers| headers.get_optional_str(&REQUEST_ID));
                (u16::from(*status), wish, request_id.map(Box::from))
            }
            ErrorKind::Credential => {
                return Self::new(Reach::Vault, ReadFailure::new(SecretErrorKind::Credential));
            }
            ErrorKind::Connection | ErrorKind::Io => {
                let failure = ReadFailure::new(SecretErrorKind::Unreachable);
                return Self::new(Reach::NoAnswer, failure);
            }
            // The challenge could not be read, or it names another audience.
            _ => {
                let failure = ReadFailure::new(SecretErrorKind::InvalidAnswer)
                    .with_hint("the vault's challenge names another audience than its cloud's");
                return Self::new(Reach::Vault, failure);
            }
        };
        let said = Said::by(error);
        let (kind, reach) = classify(status, &said, wish);
        #[cfg(feature = "keys")]
        if let (400, ReferenceId::ContentKey(_)) = (status, asked) {
            let mut trouble = undecryptable("the key does not open the content key");
            trouble.failure.request_id = request_id;
            return trouble;
        }
        let mut failure = ReadFailure::new(kind);
        failure.status = Some(status);
        failure.request_id = request_id;
        failure.hint = hint(kind, &said, asked);
        failure.code = said.code;
        Self::new(reach, failure)
    }
}

/// An encrypted setting that cannot be opened.
#[cfg(feature = "keys")]
pub(super) fn undecryptable(hint: &'static str) -> Trouble {
    let failure = ReadFailure::new(SecretErrorKind::Undecryptable).with_hint(hint);
    Trouble::new(Reach::Secret, failure)
}

/// What the guard of the transport did not let pass.
fn refused(refusal: Refusal) -> ReadFailure {
    let (kind, hint) = match refusal {
        Refusal::ForeignHost | Refusal::Insecure => (
            SecretErrorKind::ForeignVault,
            "the transport does not admit this host",
        ),
        Refusal::Redirect(_) => (
            SecretErrorKind::InvalidAnswer,
            "the vault answered with a redirect, which is never followed",
        ),
        Refusal::TooLarge(_) => (
            SecretErrorKind::InvalidAnswer,
            "the vault's answer is longer than any secret",
        ),
        Refusal::Deadline => (
            SecretErrorKind::Unreachable,
            "the vault did not answer in time",
        ),
    };
    ReadFailure::new(kind).with_hint(hint)
}

pub(super) fn no_token(failure: &CredentialFailure) -> ReadFailure {
    let unread = ReadFailure {
        cause: Some(failure.text()),
        ..ReadFailure::new(SecretErrorKind::Credential).with_retry_at(failure.retry_at())
    };
    match failure.is_unknown_audience() {
        true => unread.with_hint(UNKNOWN_AUDIENCE),
        false => unread,
    }
}

fn classify(status: u16, said: &Said, wish: Option<Duration>) -> (SecretErrorKind, Reach) {
    match status {
        401 => (SecretErrorKind::Credential, Reach::Token),
        403 => (said.refusal(), Reach::Secret),
        404 => (SecretErrorKind::NotFound, Reach::Secret),
        429 => (SecretErrorKind::Throttled, Reach::Throttled(wish)),
        503 if wish.is_some() => (SecretErrorKind::Unreachable, Reach::Throttled(wish)),
        408 | 500.. => (SecretErrorKind::Unreachable, Reach::Vault),
        _ => (SecretErrorKind::InvalidAnswer, Reach::Secret),
    }
}

fn hint(kind: SecretErrorKind, said: &Said, asked: &ReferenceId) -> Option<&'static str> {
    match kind {
        SecretErrorKind::Forbidden => Some(match said.code.as_deref() {
            Some("ForbiddenByRbac") => match asked {
                ReferenceId::Secret(_) => "grant the role `Key Vault Secrets User` on the vault",
                _ => "grant the role `Key Vault Crypto User` on the vault",
            },
            Some("ForbiddenByFirewall" | "ForbiddenByConnection") => {
                "the vault's firewall does not admit this address"
            }
            Some("AccessDenied" | "ForbiddenByPolicy") => {
                "the vault's access policy lacks the permission Get for this kind of object"
            }
            _ => "the identity needs the permission to read this kind of object in the vault",
        }),
        SecretErrorKind::Credential => Some("the vault refused the token"),
        SecretErrorKind::InvalidAnswer => Some("the vault does not understand the request"),
        _ => None,
    }
}

/// What an error answer said, reduced to its innermost code and to the words that tell refusals apart.
struct Said {
    code: Option<Box<str>>,
    message: String,
}

impl Said {
    fn by(error: azure_core::Error) -> Self {
        let detail = ErrorResponse::try_from(error)
            .ok()
            .and_then(|response| response.error);
        let Some(detail) = detail else {
            return Self {
                code: None,
                message: String::new(),
            };
        };
        let mut code = detail.code;
        let mut inner = detail.inner_error;
        while let Some(next) = inner {
            code = next.code.or(code);
            inner = next.inner_error.map(|boxed| *boxed);
        }
        let code = code.map(|code| word(&code)).filter(|code| !code.is_empty());
        Self {
            code: code.map(Into::into),
            message: detail.message.unwrap_or_default().to_ascii_lowercase(),
        }
    }

    /// Tells the kinds of 403 apart: by code, or by the message of older service versions.
    fn refusal(&self) -> SecretErrorKind {
        let code = self.code.as_deref().unwrap_or_default();
        // A code that says more than the status has the last word: a network may be "disabled", too.
        let by_words = matches!(code, "" | "Forbidden");
        let is = |name: &str, words: &str| {
            code.ends_with(name) || (by_words && self.message.contains(words))
        };
        if is("Disabled", "on a disabled ") {
            SecretErrorKind::Disabled
        } else if is("NotYetValid", "not yet valid") {
            SecretErrorKind::NotYetValid
        } else if is("Expired", "on an expired ") {
            SecretErrorKind::Expired
        } else {
            SecretErrorKind::Forbidden
        }
    }
}
