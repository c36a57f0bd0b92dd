//! The one error type. It names keys, labels, vaults, secrets, fields and statuses, and never holds a value.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod secret;
mod text;

pub use secret::{SecretError, SecretErrorKind};
pub(crate) use text::{printable, word};

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option of a builder is not valid; the message names it.
    InvalidOption,
    /// The handle has not loaded yet.
    NotLoaded,
    /// The layers given to `live` do not contain this handle.
    MissingSource,
    /// Another layer of the application's own builder failed (a file, the environment).
    Layer,
    /// No token could be had, or the service refused the one it got.
    Credential,
    /// Reading the store is not allowed (403): the identity lacks the role, or the store's network does not admit this
    /// address.
    Forbidden,
    /// Something named does not exist (404).
    NotFound,
    /// The service asks for fewer requests (429).
    Throttled,
    /// No connection, or it broke.
    Unreachable,
    /// A deadline passed.
    Timeout,
    /// The service answered with another error status.
    Service,
    /// The answer is not a configuration: wrong media type, cut or malformed JSON, a loop of pages.
    Protocol,
    /// An answer, a load or a value is larger than its bound.
    TooLarge,
    /// One or more references could not be resolved; [`Error::failures`] lists all of them.
    Reference,
    /// Two settings claim the same path.
    Conflict,
    /// Every selected setting is gone, and [`RefreshOptions::refuse_emptied`](crate::RefreshOptions::refuse_emptied) is set.
    Emptied,
    /// A value does not fit the type that the application asked for.
    InvalidValue,
    /// The application's validator refused the new values, or panicked.
    Rejected,
    /// There is no usable Tokio runtime, the call is not possible inside one, or the machine denies a thread or random
    /// numbers. Also a panic that was caught, in code of the application (such as `map_key`) or in the refresh.
    Runtime,
    /// The handle was shut down.
    Closed,
    /// An event given to `notify` is not one.
    InvalidEvent,
}

/// Why a load, a refresh or a read failed.
///
/// The text names the endpoint, key, label, vault, secret, path or status that matters, and never a value.
/// It is one word wide. The cause, where there is one, is reachable through [`source`](StdError::source).
/// Clones share it: several callers of one refresh get the same error.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use config_azure::{ErrorKind, SecretErrorKind, StartupOptions};
///
/// let (builder, store) = config_azure::in_memory();
/// store.set_secret("db:password", "hunter2");
/// store.fail_secret("db:password", SecretErrorKind::Disabled);
///
/// let error = builder.startup(StartupOptions::new().fail_fast()).load().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Reference);
/// for failure in error.failures() {
///     // "db:password", and why it cannot be read
///     println!("{}: {}", failure.key(), failure.kind());
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    context: Context,
    failures: Vec<SecretError>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

#[derive(Default, Clone)]
struct Context {
    endpoint: Option<String>,
    key: Option<String>,
    label: Option<String>,
    /// The message itself says the key and the label.
    named: bool,
    path: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
}

impl Error {
    /// A new error. `message` must hold names only, never a value.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            context: Context::default(),
            failures: Vec::new(),
            source: None,
        }))
    }

    /// An option that `build()` refuses.
    pub(crate) fn option(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidOption, message)
    }

    /// All references that failed in one pass.
    pub(crate) fn references(failures: Vec<SecretError>) -> Self {
        let message = match failures.len() {
            1 => "a reference could not be resolved".to_owned(),
            many => format!("{many} references could not be resolved"),
        };
        let mut error = Self::new(ErrorKind::Reference, message);
        // One missing token fails many references for one reason.
        if let Some(cause) = failures.iter().find_map(SecretError::cause) {
            error = error.with_source(cause.clone());
        }
        error.inner().failures = failures;
        error
    }

    /// For the methods below, which complete an error that nobody shares yet.
    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.inner().source = Some(Arc::from(source.into()));
        self
    }

    /// The same error with more to say. `note` must hold names only, never a value.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        let message = format!("{}; {note}", self.0.message);
        self.inner().message = message.into();
        self
    }

    pub(crate) fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.inner().context.endpoint = Some(endpoint.into());
        self
    }

    pub(crate) fn with_setting(mut self, key: &str, label: Option<&str>) -> Self {
        self.inner().context.key = Some(printable(key));
        self.inner().context.label = label.map(printable);
        self
    }

    /// The setting at fault, where the message names it already.
    pub(crate) fn with_named_setting(mut self, key: &str, label: Option<&str>) -> Self {
        self.inner().context.named = true;
        self.with_setting(key, label)
    }

    pub(crate) fn with_path(mut self, path: impl Into<String>) -> Self {
        self.inner().context.path = Some(path.into());
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.inner().context.status = Some(status);
        self
    }

    /// The service's error code. Whatever is not a plain word is dropped.
    pub(crate) fn with_code(mut self, code: &str) -> Self {
        self.inner().context.code = Some(word(code));
        self
    }

    /// The service's own id of the request. Whatever is not a plain word is dropped.
    pub(crate) fn with_request_id(mut self, id: &str) -> Self {
        self.inner().context.request_id = Some(word(id)).filter(|id| !id.is_empty());
        self
    }

    pub(crate) fn with_retry_after(mut self, delay: Duration) -> Self {
        self.inner().context.retry_after = Some(delay);
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The endpoint that failed, where there is one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.0.context.endpoint.as_deref()
    }

    /// The key of the setting at fault.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0
            .context
            .key
            .as_deref()
            .or_else(|| match self.failures() {
                [one] => Some(one.key()),
                _ => None,
            })
    }

    /// The label of the setting at fault; `None` also for the null label.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.0
            .context
            .label
            .as_deref()
            .or_else(|| match self.failures() {
                [one] => one.label(),
                _ => None,
            })
    }

    /// The path inside the typed value, such as `db.port`.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.0.context.path.as_deref()
    }

    /// The HTTP status of the answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.context.status
    }

    /// The store's own id of the request that it answered with an error status (the header `x-ms-request-id`): what
    /// Microsoft's support asks for. That of a vault is in [`failures`](Self::failures).
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.context.request_id.as_deref()
    }

    /// How long the service asked to wait, as it said it (the caller caps it).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.context.retry_after
    }

    /// Every reference that could not be resolved, in the order of their keys. Empty for other kinds.
    #[must_use]
    pub fn failures(&self) -> &[SecretError] {
        &self.0.failures
    }

    /// True if the service asked for fewer requests.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.kind() == ErrorKind::Throttled
            || self.any_failure(|kind| kind == SecretErrorKind::Throttled)
    }

    /// True if there is no credential, no token could be had, or it was refused.
    #[must_use]
    pub fn is_credential(&self) -> bool {
        self.kind() == ErrorKind::Credential
            || self.any_failure(|kind| {
                matches!(
                    kind,
                    SecretErrorKind::Credential | SecretErrorKind::NoCredential
                )
            })
    }

    /// True if something named does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
            || self.any_failure(|kind| kind == SecretErrorKind::NotFound)
    }

    /// True if a reference is at fault, rather than the store.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        self.kind() == ErrorKind::Reference
    }

    /// True if the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind() {
            ErrorKind::Throttled | ErrorKind::Unreachable | ErrorKind::Timeout => true,
            // A redirect is an answer for good, too: whoever is asked is not the service.
            ErrorKind::Service | ErrorKind::Protocol => {
                !matches!(self.status(), Some(status) if (300..500).contains(&status) && ![304, 408].contains(&status))
            }
            ErrorKind::Reference => {
                !self.failures().is_empty() && self.failures().iter().all(SecretError::is_transient)
            }
            _ => false,
        }
    }

    fn any_failure(&self, test: impl Fn(SecretErrorKind) -> bool) -> bool {
        self.failures().iter().any(|failure| test(failure.kind()))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.kind())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Error> for config::ConfigError {
    /// Into the `config` crate's error, from which it can be taken back by matching `Foreign` and downcasting.
    fn from(error: Error) -> Self {
        Self::Foreign(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_wide_and_shareable() {
        fn shareable<T: Send + Sync + 'static>() {}
        shareable::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn taken_back_from_the_config_crate() {
        let foreign = config::ConfigError::from(Error::option("no"));
        let config::ConfigError::Foreign(inner) = foreign else {
            panic!("not foreign")
        };
        assert_eq!(
            inner.downcast_ref::<Error>().map(Error::kind),
            Some(ErrorKind::InvalidOption)
        );
    }
}
