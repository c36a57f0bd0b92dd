//! What a reference resolved to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use crate::secret::Secret;
use crate::setting::ContentKind;

/// The value of a secret with what is known about it. What a [`SecretResolver`](crate::SecretResolver) returns.
///
/// ```
/// use config_azure::ResolvedSecret;
///
/// let secret = ResolvedSecret::new("hunter2").with_content_type("text/plain");
/// assert_eq!(secret.content_type(), Some("text/plain"));
/// assert!(!format!("{secret:?}").contains("hunter2"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ResolvedSecret {
    value: Secret,
    version: Option<Box<str>>,
    content_type: Option<Box<str>>,
    life: Life,
    tags: BTreeMap<Box<str>, Box<str>>,
}

/// Dates and state of a secret or key, as the vault tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) enabled: Option<bool>,
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) expires_on: Option<SystemTime>,
    pub(crate) updated_on: Option<SystemTime>,
}

impl ResolvedSecret {
    /// A secret of which only the value is known.
    #[must_use]
    pub fn new(value: impl Into<Secret>) -> Self {
        Self {
            value: value.into(),
            version: None,
            content_type: None,
            life: Life::default(),
            tags: BTreeMap::new(),
        }
    }

    /// The same secret with the version that was read.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<Box<str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The same secret with a content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Box<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The same secret with the date from which it must not be used any more.
    #[must_use]
    pub fn with_expires_on(mut self, date: SystemTime) -> Self {
        self.life.expires_on = Some(date);
        self
    }

    /// The same secret with the date before which it must not be used.
    #[must_use]
    pub fn with_not_before(mut self, date: SystemTime) -> Self {
        self.life.not_before = Some(date);
        self
    }

    /// The same secret with one more tag.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    pub(crate) fn with_life(mut self, life: Life) -> Self {
        self.life = life;
        self
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Secret {
        &self.value
    }

    /// The version that was read; the newest one if the reference named none.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The secret's own content type (`application/x-pem-file` for a certificate, free text otherwise).
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The date from which the secret must not be used any more (`exp`).
    #[must_use]
    pub fn expires_on(&self) -> Option<SystemTime> {
        self.life.expires_on
    }

    /// The date before which the secret must not be used (`nbf`).
    #[must_use]
    pub fn not_before(&self) -> Option<SystemTime> {
        self.life.not_before
    }

    /// When the vault's copy was changed last.
    #[must_use]
    pub fn updated_on(&self) -> Option<SystemTime> {
        self.life.updated_on
    }

    /// The secret's own tags, in the order of their names.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|(name, value)| (&**name, &**value))
    }

    pub(crate) fn life(&self) -> Life {
        self.life
    }
}

impl fmt::Debug for ResolvedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedSecret")
            .field("value", &self.value)
            .field("version", &self.version)
            .field("content_type", &self.content_type)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedKey {
    /// A JSON Web Key with public members alone: `kid`, `kty`, `key_ops`, `n`, `e`, `crv`, `x`, `y`.
    pub(crate) jwk: serde_json::Value,
    pub(crate) version: Option<Box<str>>,
    pub(crate) life: Life,
    pub(crate) tags: BTreeMap<Box<str>, Box<str>>,
}

/// What a reference resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    Secret(ResolvedSecret),
    #[cfg_attr(
        not(feature = "keys"),
        allow(dead_code, reason = "only read with the feature `keys`")
    )]
    Key(ResolvedKey),
    /// Opens encrypted settings; it is never a setting's value itself.
    #[cfg(feature = "keys")]
    ContentKey(super::encrypted::ContentKey),
}

impl Resolved {
    pub(crate) fn version(&self) -> Option<&str> {
        match self {
            Self::Secret(secret) => secret.version(),
            Self::Key(key) => key.version.as_deref(),
            #[cfg(feature = "keys")]
            Self::ContentKey(_) => None,
        }
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        match self {
            Self::Secret(secret) => secret.content_type(),
            _ => None,
        }
    }

    /// Its own tags, in the order of their names.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = match self {
            Self::Secret(secret) => Some(&secret.tags),
            Self::Key(key) => Some(&key.tags),
            #[cfg(feature = "keys")]
            Self::ContentKey(_) => None,
        };
        let tags = tags.into_iter().flatten();
        tags.map(|(name, value)| (&**name, &**value))
    }

    /// True if its own content type says that the value is JSON.
    pub(crate) fn is_json(&self) -> bool {
        ContentKind::of(self.content_type()) == ContentKind::Json
    }

    /// Dates and state; the next read can be drawn forward to just before the expiry.
    pub(crate) fn life(&self) -> Life {
        match self {
            Self::Secret(secret) => secret.life(),
            Self::Key(key) => key.life,
            #[cfg(feature = "keys")]
            Self::ContentKey(_) => Life::default(),
        }
    }
}
