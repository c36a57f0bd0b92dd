//! A secret text that never shows itself.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret text: a password, a key, a connection string.
///
/// `Debug` prints `[redacted]`; there is no `Display` and no `Serialize`. Two secrets compare in a time that
/// does not depend on where they differ. The text is erased when the last copy goes, but copies that other
/// crates made on the way (a `config::Value`, a JSON buffer) are not: redaction is promised, erasure is not.
///
/// ```
/// use config_azure::Secret;
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Database { user: String, password: Secret }
///
/// let db: Database = serde_json::from_str(r#"{"user": "orders", "password": "hunter2"}"#)?;
/// assert_eq!(db.password.expose_secret(), "hunter2");
/// assert_eq!(format!("{db:?}"), r#"Database { user: "orders", password: [redacted] }"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of a text. The buffer is cut to its length first, so that no stale tail stays behind.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(
            text.into().into_boxed_str().into_string(),
        ))
    }

    /// The text itself. Every call is a place to look at in a review.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(
            self.expose_secret().as_bytes(),
            other.expose_secret().as_bytes(),
        )
        .is_ok()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_text() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        assert_ne!(Secret::new("a"), Secret::new("b"));
        assert_ne!(Secret::new("a"), Secret::new("aa"));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
        assert_eq!(
            format!("{:#?}", Some(Secret::new("hunter2"))),
            "Some(\n    [redacted],\n)"
        );
    }
}
