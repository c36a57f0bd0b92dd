//! What is odd about a load without being wrong enough to refuse it.

use std::borrow::Cow;
use std::fmt;

use crate::error::printable;

/// What kind of oddity a [`Warning`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// A snapshot that is selected or referred to does not exist, or is not ready. It gives no settings.
    MissingSnapshot,
    /// A feature flag is not valid. It was left out.
    InvalidFlag,
    /// A value has a JSON content type and is not JSON, or is too deep or has too many values. It was kept as text.
    InvalidJson,
    /// A key cannot be a path. The setting was left out.
    SkippedKey,
    /// `.`, `[` or `]` in the first name of a key became `_`. The setting was not left out.
    RenamedKey,
    /// Two members of one JSON object have the same name once they are mapped. The later one counts; the setting was not
    /// left out.
    DuplicateMember,
    /// The setting lost its path to another one by [`Conflict`](crate::Conflict), and was left out.
    Hidden,
}

/// Something odd in a store that was met while loading; the load itself succeeded. What became of it is told by its kind.
///
/// It names keys and labels, and never a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Warning {
    kind: WarningKind,
    detail: Cow<'static, str>,
    key: Option<Box<str>>,
    label: Option<Box<str>>,
}

impl Warning {
    /// `detail` must hold names only, never a value.
    pub(crate) fn new(kind: WarningKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            key: None,
            label: None,
        }
    }

    pub(crate) fn with_setting(mut self, key: &str, label: Option<&str>) -> Self {
        self.key = Some(key.into());
        self.label = label.map(Into::into);
        self
    }

    /// What kind of oddity it is.
    #[must_use]
    pub fn kind(&self) -> WarningKind {
        self.kind
    }

    /// The key of the setting it is about.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The label of the setting it is about; `None` also for no label.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        let Some(key) = &self.key else { return Ok(()) };
        write!(f, " (key '{}'", printable(key))?;
        if let Some(label) = &self.label {
            write!(f, ", label '{}'", printable(label))?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Warning({:?}: {self})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_setting() {
        let warning = Warning::new(WarningKind::InvalidFlag, "the feature flag is not JSON")
            .with_setting("a\nb", Some("prod"));
        assert_eq!(
            warning.to_string(),
            "the feature flag is not JSON (key 'a\u{fffd}b', label 'prod')"
        );
        assert_eq!(warning.key(), Some("a\nb"));
    }
}
