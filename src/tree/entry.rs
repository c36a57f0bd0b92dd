//! What goes into a tree: the winning settings with what they stand for, and the rules to place them.

use std::fmt;
use std::sync::Arc;

use crate::Secret;
use crate::error::printable;
use crate::setting::{ConfigurationSetting, Selected};

use super::case::KeyCase;
use super::key::{KeyPath, KeyRules, OddKey};

/// A secret text that somebody else keeps; the tree only shares it.
pub(crate) trait SecretText: Send + Sync {
    fn expose(&self) -> &str;
}

impl SecretText for Secret {
    fn expose(&self) -> &str {
        self.expose_secret()
    }
}

/// Where a value that is not the setting's own came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretOrigin {
    /// `kv-orders.vault.azure.net/secrets/db-password`, without a version.
    pub(crate) identifier: Arc<str>,
    /// The version that was read.
    pub(crate) version: Option<Arc<str>>,
    /// What it says its text is: `application/x-pkcs12`.
    pub(crate) content_type: Option<Arc<str>>,
}

/// One winning setting.
pub(crate) struct Entry<'a> {
    pub(crate) selected: &'a Selected,
    /// The settings of the same key that a later selector or label hid, for `explain`.
    pub(crate) losers: &'a [Selected],
    pub(crate) content: Content<'a>,
}

/// What an entry stands for.
pub(crate) enum Content<'a> {
    /// The setting's own value, read by its content type: text, JSON or nothing.
    Own,
    /// The secret that the setting refers to, or its own value decrypted.
    Secret {
        text: Arc<dyn SecretText>,
        origin: SecretOrigin,
        parse_json: bool,
    },
    /// A public key that the setting refers to. Not a secret.
    Key {
        jwk: &'a serde_json::Value,
        origin: SecretOrigin,
    },
}

/// One feature flag, in the order in which it is to appear.
pub(crate) struct Flag<'a> {
    pub(crate) selected: &'a Selected,
    /// Microsoft's schema, telemetry metadata included.
    pub(crate) json: &'a serde_json::Value,
}

/// What to do if one path is claimed both by a value and by a table.
///
/// A .NET store may hold both `Logging:LogLevel` and `Logging:LogLevel:Default`; a tree cannot.
/// Two values on one path are an error whatever this says: nothing tells which of them was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Conflict {
    /// The load fails with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict), naming both settings.
    #[default]
    Error,
    /// The table stays, the value above it is left out and reported.
    ///
    /// ```
    /// # use config_azure::Conflict;
    /// # #[derive(serde::Deserialize)]
    /// # struct Options { on_conflict: Conflict }
    /// let options: Options = serde_json::from_str(r#"{"on_conflict": "keep_branch"}"#)?;
    /// assert_eq!(options.on_conflict, Conflict::KeepBranch);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    KeepBranch,
    /// The value stays, everything below it is left out and reported.
    KeepLeaf,
}

/// What a null in the store, or in a JSON value, becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Nulls {
    /// As if the setting or the member were not there, so that a default or a lower layer shows through.
    #[default]
    Absent,
    /// An explicit nothing, which overrides lower layers and reads as `None`.
    Keep,
}

/// How far one load may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Levels of one JSON value.
    pub(crate) depth: usize,
    /// Values in one JSON value.
    pub(crate) leaves_per_setting: usize,
    /// Values in all.
    pub(crate) leaves: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 32,
            leaves_per_setting: 10_000,
            leaves: 100_000,
        }
    }
}

/// The application's own mapping of a setting to a path; `None` leaves the setting out.
pub(crate) type MapKey = Arc<dyn Fn(&ConfigurationSetting) -> Option<KeyPath> + Send + Sync>;

/// The rules of one tree.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) keys: KeyRules,
    pub(crate) map_key: Option<MapKey>,
    pub(crate) conflict: Conflict,
    pub(crate) nulls: Nulls,
    /// What becomes of the names inside a JSON value.
    pub(crate) json_case: KeyCase,
    pub(crate) limits: Limits,
    /// What each selector says, for `explain`.
    pub(crate) selectors: Arc<[Box<str>]>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            keys: KeyRules::default(),
            map_key: None,
            conflict: Conflict::default(),
            nulls: Nulls::default(),
            json_case: KeyCase::Preserve,
            limits: Limits::default(),
            selectors: Arc::default(),
        }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape")
            .field("keys", &self.keys)
            .field("map_key", &self.map_key.is_some())
            .field("conflict", &self.conflict)
            .field("nulls", &self.nulls)
            .field("json_case", &self.json_case)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Something in the store that the tree had to work round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeWarning {
    pub(crate) key: String,
    pub(crate) label: Option<String>,
    pub(crate) kind: TreeWarningKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TreeWarningKind {
    /// Left out.
    OddKey(OddKey),
    /// `.`, `[` or `]` in the first name became `_`.
    RootRenamed,
    /// Kept as text.
    InvalidJson,
    /// Kept as text: deeper or larger than the limit.
    JsonTooLarge,
    /// Two members of one JSON object have this name after mapping; the later one stays.
    DuplicateMember(String),
    /// Left out in favour of the named setting.
    Hidden { by: String },
    /// A reference that nobody resolved: left out.
    Unresolved,
}

impl TreeWarning {
    pub(super) fn new(setting: &ConfigurationSetting, kind: TreeWarningKind) -> Self {
        Self {
            key: printable(setting.key()),
            label: setting.label().as_str().map(printable),
            kind,
        }
    }
}

impl fmt::Display for TreeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key '{}'", self.key)?;
        if let Some(label) = &self.label {
            write!(f, ", label '{label}'")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl fmt::Display for TreeWarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OddKey(odd) => write!(f, "left out, because {odd}"),
            Self::RootRenamed => f.write_str(
                "'.', '[' and ']' in its first name became '_'; if they separate names, say so with separators(..)",
            ),
            Self::InvalidJson => {
                f.write_str("kept as text, because its content type says JSON and its value is not")
            }
            Self::JsonTooLarge => {
                f.write_str("kept as text, because its JSON is too deep or has too many values")
            }
            Self::DuplicateMember(name) => {
                write!(f, "two members of its JSON are called '{name}'; the later one counts")
            }
            Self::Hidden { by } => write!(f, "left out in favour of {by}"),
            Self::Unresolved => f.write_str("left out, because it was not resolved"),
        }
    }
}
