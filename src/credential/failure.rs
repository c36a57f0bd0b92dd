//! Why no token could be had, in a form that many waiters can share.

use std::fmt;
use std::sync::Arc;

use azure_core::error::ErrorKind;

use crate::error::printable;
use crate::time::Instant;

/// A failure that is told to everybody who asks until the next attempt is due.
#[derive(Clone)]
pub(crate) struct CredentialFailure {
    text: Arc<str>,
    retry_at: Instant,
}

impl CredentialFailure {
    pub(super) fn new(text: impl Into<Arc<str>>, retry_at: Instant) -> Self {
        Self {
            text: text.into(),
            retry_at,
        }
    }

    /// Before this instant nobody asks again.
    pub(crate) fn retry_at(&self) -> Instant {
        self.retry_at
    }

    /// Why, as far as it may be told; of a chain, each member on a line.
    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// True if Entra ID has no resource of the name that the token was asked for (AADSTS500011).
    pub(crate) fn is_unknown_audience(&self) -> bool {
        self.text.contains("AADSTS500011")
    }

    /// The failure inside an error of a [`CachedCredential`](super::CachedCredential).
    pub(crate) fn in_error(error: &azure_core::Error) -> Option<&Self> {
        causes(error).find_map(|cause| cause.downcast_ref())
    }
}

impl From<CredentialFailure> for azure_core::Error {
    fn from(failure: CredentialFailure) -> Self {
        Self::new(ErrorKind::Credential, failure)
    }
}

impl fmt::Display for CredentialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CredentialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialFailure({:?})", self.text)
    }
}

impl std::error::Error for CredentialFailure {}

/// A text about a credential that was put together by this crate, name by name, and may be shown as it is.
#[derive(Debug)]
pub(super) struct OwnText(pub(super) String);

impl fmt::Display for OwnText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OwnText {}

/// What may be repeated of a credential's error: our own text, or the words of a foreign one.
pub(super) fn describe(error: &azure_core::Error) -> String {
    causes(error)
        .find_map(|cause| cause.downcast_ref::<OwnText>())
        .map_or_else(
            || with_code(&words(&error.to_string()), error),
            |own| own.0.clone(),
        )
}

/// What is told of an error, and its code of Entra ID if that is left out: a managed identity's error says, whatever the
/// reason, that no identity is assigned, and keeps the code in the answer's body.
pub(super) fn with_code(told: &str, error: &azure_core::Error) -> String {
    let code = entra_code(&error.to_string()).or_else(|| causes(error).find_map(code_in_body));
    match code {
        Some(code) if !told.contains(&code) => format!("{told} ({code})"),
        _ => told.to_owned(),
    }
}

fn code_in_body(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    let ErrorKind::HttpResponse { raw_response, .. } =
        cause.downcast_ref::<azure_core::Error>()?.kind()
    else {
        return None;
    };
    let body: &[u8] = raw_response.as_ref()?.body().as_ref();
    entra_code(&String::from_utf8_lossy(body))
}

/// The number of an error of Entra ID, such as `AADSTS500011`. No text of it is repeated.
fn entra_code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(ENTRA_CODE)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    (1..=LONGEST_CODE)
        .contains(&end)
        .then(|| format!("{ENTRA_CODE}{}", &rest[..end]))
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}

/// What the codes of Entra ID begin with.
pub(super) const ENTRA_CODE: &str = "AADSTS";
/// In digits.
const LONGEST_CODE: usize = 10;
/// At most this many characters of a foreign error are shown.
const LONGEST: usize = 400;
/// A quoted identifier is not longer than this, but every token and most keys are.
const LONGEST_WORD: usize = 39;

/// The plain words of a foreign message on one line. What could be a token, a key or an answer's body is left out.
pub(super) fn words(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if out.chars().count() + word.len() > LONGEST {
            out.push_str(" …");
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        if word.chars().count() <= LONGEST_WORD || word.starts_with("https://aka.ms/") {
            out.push_str(&printable(word));
        } else {
            out.push('…');
        }
    }
    out
}
