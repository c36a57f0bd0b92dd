//! Why one reference could not be resolved.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{printable, word};

/// Why a reference could not be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretErrorKind {
    /// The vault has no such secret or version (404).
    NotFound,
    /// The secret is disabled (403 with the inner code `SecretDisabled`).
    Disabled,
    /// Not allowed (403): the identity lacks the permission, or the vault's network does not admit this address;
    /// [`code()`](SecretError::code) and the hint in the text say which.
    Forbidden,
    /// The secret's `exp` date has passed (403).
    Expired,
    /// The secret's `nbf` date has not come (403).
    NotYetValid,
    /// The vault asks for fewer requests (429).
    Throttled,
    /// The vault could not be reached, did not answer in time, or answered with an error of its own (5xx).
    Unreachable,
    /// No token for the vault could be had, or the vault refused it (401).
    Credential,
    /// No credential for Key Vault was given to the builder. Waiting does not mend it.
    NoCredential,
    /// The setting's value is not a reference to a secret.
    InvalidReference,
    /// The reference names a host that the vault policy does not allow. Nothing was sent to it.
    ForeignVault,
    /// The vault's answer is not the secret that was asked for: another identifier, no value, not JSON.
    InvalidAnswer,
    /// An encrypted setting could not be decrypted: wrong key, changed text, unknown algorithm.
    Undecryptable,
}

/// Why the reference in one setting could not be resolved: names and codes, never a value. It is one word wide.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: SecretErrorKind,
    key: String,
    label: Option<String>,
    vault: Option<String>,
    secret: Option<String>,
    version: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    hint: Option<&'static str>,
    cause: Option<Cause>,
    retry_after: Option<Duration>,
    read_before: bool,
}

/// What a credential said: a text that was cleaned where it was made.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Cause(Arc<str>);

impl SecretError {
    pub(crate) fn new(kind: SecretErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            key: String::new(),
            label: None,
            vault: None,
            secret: None,
            version: None,
            status: None,
            code: None,
            request_id: None,
            hint: None,
            cause: None,
            retry_after: None,
            read_before: false,
        }))
    }

    /// The setting that holds the reference.
    pub(crate) fn with_setting(mut self, key: &str, label: Option<&str>) -> Self {
        self.0.key = printable(key);
        self.0.label = label.map(printable);
        self
    }

    /// The secret that is referred to: the vault's host, the object's name, its version.
    pub(crate) fn with_secret(mut self, vault: &str, name: &str, version: Option<&str>) -> Self {
        self.0.vault = Some(printable(vault));
        self.0.secret = Some(printable(name));
        self.0.version = version.map(printable);
        self
    }

    /// Only the host, for a reference that goes no further.
    pub(crate) fn with_vault(mut self, vault: &str) -> Self {
        self.0.vault = Some(printable(vault));
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_code(mut self, code: &str) -> Self {
        self.0.code = Some(word(code));
        self
    }

    /// What the reader can do about it, or what exactly is wrong: fixed text, so that no value can get in.
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// The vault's own id of the request. Whatever is not a plain word is dropped.
    pub(crate) fn with_request_id(mut self, id: &str) -> Self {
        self.0.request_id = Some(word(id)).filter(|id| !id.is_empty());
        self
    }

    /// Why no token could be had, as the credential's cache tells it: names and codes, never a value.
    pub(crate) fn with_cause(mut self, text: Arc<str>) -> Self {
        self.0.cause = Some(Cause(text));
        self
    }

    pub(super) fn cause(&self) -> Option<&Cause> {
        self.0.cause.as_ref()
    }

    pub(crate) fn with_retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    pub(crate) fn with_read_before(mut self, read_before: bool) -> Self {
        self.0.read_before = read_before;
        self
    }

    /// Why it failed.
    #[must_use]
    pub fn kind(&self) -> SecretErrorKind {
        self.0.kind
    }

    /// The key of the setting that holds the reference.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// The label of that setting; `None` for the null label.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// The vault's host, as far as the reference could be read.
    #[must_use]
    pub fn vault(&self) -> Option<&str> {
        self.0.vault.as_deref()
    }

    /// The name of the secret (or key).
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.0.secret.as_deref()
    }

    /// The version, if the reference names one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.0.version.as_deref()
    }

    /// The HTTP status of the vault's answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The vault's innermost error code, such as `SecretDisabled` or `ForbiddenByRbac`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// What to do about it, or what exactly is wrong, where that is known: fixed text of this library.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// The vault's own id of the request that it answered with an error status (the header `x-ms-request-id`): what
    /// Microsoft's support asks for. `None` if no request was sent, as while the vault wants none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long no other read is sent: until the vault's own date and a random time more if it asks for fewer requests
    /// ([`Throttled`](SecretErrorKind::Throttled)), until the credential is asked again if no token could be had
    /// ([`Credential`](SecretErrorKind::Credential)).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// True if this identifier was read before, so that [`KeepLast`](crate::SecretPolicy::KeepLast) has a value to keep.
    #[must_use]
    pub fn was_read_before(&self) -> bool {
        self.0.read_before
    }

    /// True if the same read may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.0.kind,
            SecretErrorKind::Throttled | SecretErrorKind::Unreachable | SecretErrorKind::Credential
        )
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.key)?;
        if let Some(label) = &self.0.label {
            write!(f, " (label {label})")?;
        }
        write!(f, ": {}", self.0.kind.text())?;
        match (&self.0.vault, &self.0.secret) {
            (Some(vault), Some(secret)) => write!(f, ": {vault}/{secret}")?,
            (Some(vault), None) => write!(f, ": {vault}")?,
            (None, _) => {}
        }
        if let Some(version) = &self.0.version {
            write!(f, "/{version}")?;
        }
        let answer = [
            self.0.status.map(|status| status.to_string()),
            self.0.code.clone(),
        ];
        let answer: Vec<String> = answer.into_iter().flatten().collect();
        let id = self.0.request_id.as_ref();
        let answer = [
            Some(answer.join(" ")).filter(|answer| !answer.is_empty()),
            id.map(|id| format!("request id {id}")),
        ];
        let answer: Vec<String> = answer.into_iter().flatten().collect();
        if !answer.is_empty() {
            write!(f, " ({})", answer.join(", "))?;
        }
        match self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SecretError {
    /// Why no token could be had, if that is the reason: of a chain of credentials, each member on a line.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {}

impl fmt::Display for SecretErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl SecretErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "the secret does not exist",
            Self::Disabled => "the secret is disabled",
            Self::Forbidden => "reading the secret is not allowed",
            Self::Expired => "the secret has expired",
            Self::NotYetValid => "the secret is not valid yet",
            Self::Throttled => "the vault asks for fewer requests",
            Self::Unreachable => "the vault could not be reached",
            Self::NoCredential => "there is no credential for the vault",
            Self::Credential => "no token for the vault",
            Self::InvalidReference => "not a reference to a secret",
            Self::ForeignVault => "the reference names a host that is not an allowed vault",
            Self::InvalidAnswer => "the vault's answer is not the secret asked for",
            Self::Undecryptable => "the encrypted setting cannot be decrypted",
        }
    }
}
