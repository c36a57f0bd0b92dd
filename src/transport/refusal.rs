//! Why the guard did not let a request or an answer through.

use std::fmt;

use azure_core::error::ErrorKind;

/// Travels inside an `azure_core::Error`, from which [`Refusal::in_error`] takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The host is not one of those this application is configured to talk to. Nothing was sent.
    ForeignHost,
    /// Plain http where https is required. Nothing was sent.
    Insecure,
    /// The answer is a redirect; they are never followed.
    Redirect(u16),
    /// The answer is longer than the bound for its kind of host, in bytes after decompression.
    TooLarge(usize),
    /// The answer was not complete in time.
    Deadline,
}

impl Refusal {
    /// The refusal inside an error of the transport, if that is what it is.
    pub(crate) fn in_error(error: &azure_core::Error) -> Option<Self> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
        while let Some(cause) = next {
            if let Some(refusal) = cause.downcast_ref::<Self>() {
                return Some(*refusal);
            }
            next = cause.source();
        }
        None
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignHost => f.write_str("the host is not one of the configured hosts"),
            Self::Insecure => f.write_str("plain http is not allowed for this request"),
            Self::Redirect(status) => {
                write!(f, "a redirect (status {status}), which is never followed")
            }
            Self::TooLarge(most) => write!(f, "the answer is longer than {most} bytes"),
            Self::Deadline => f.write_str("the answer was not complete in time"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for azure_core::Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Deadline => ErrorKind::Io,
            _ => ErrorKind::Other,
        };
        Self::new(kind, refusal)
    }
}
