//! What came back from the store: pure data, no I/O.

use std::collections::BTreeMap;
use std::fmt;

mod content_type;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod set;
mod warning;

pub(crate) use content_type::ContentKind;
pub(crate) use set::{Selected, SettingSet};
pub use warning::{Warning, WarningKind};

/// One key-value of the store, as the service sent it.
///
/// Its `Debug` shows the names and not the value: a secret pasted where a reference belongs must not reach a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigurationSetting {
    pub(crate) key: Box<str>,
    pub(crate) label: Label,
    pub(crate) value: Option<Box<str>>,
    pub(crate) content_type: Option<Box<str>>,
    pub(crate) etag: ETag,
    pub(crate) tags: BTreeMap<Box<str>, Box<str>>,
    pub(crate) locked: bool,
    pub(crate) last_modified: Option<Box<str>>,
}

impl ConfigurationSetting {
    /// A setting without label, content type or tags.
    #[must_use]
    pub fn new(key: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        Self {
            key: key.into(),
            label: Label::none(),
            value: Some(value.into()),
            content_type: None,
            etag: ETag::default(),
            tags: BTreeMap::new(),
            locked: false,
            last_modified: None,
        }
    }

    /// The same setting under a label.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<Label>) -> Self {
        self.label = label.into();
        self
    }

    /// The same setting with a content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Box<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The same setting with one more tag.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// The key, as it stands in the store.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The label.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// The value; `None` if the store holds a null.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The content type, as it stands in the store.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The ETag, which the service changes with every write.
    #[must_use]
    pub fn etag(&self) -> &ETag {
        &self.etag
    }

    /// The tags.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of one tag.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(|value| &**value)
    }

    /// True if the setting is locked against writes.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// When it was written last, in the service's own text (ISO 8601).
    #[must_use]
    pub fn last_modified(&self) -> Option<&str> {
        self.last_modified.as_deref()
    }

    /// What the content type says the value is.
    pub(crate) fn kind(&self) -> ContentKind {
        ContentKind::of(self.content_type())
    }
}

impl fmt::Debug for ConfigurationSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigurationSetting")
            .field("key", &self.key)
            .field("label", &self.label)
            .field("content_type", &self.content_type)
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}

/// A label, or the absence of one (the service's *null label*).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Option<Box<str>>);

impl Label {
    /// No label: the null label, not "any label".
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// From the store's own JSON, without a copy.
    pub(crate) fn from_store(text: Option<Box<str>>) -> Self {
        Self(text.filter(|text| !text.is_empty()))
    }

    /// The text, `None` for the null label.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<&str> for Label {
    /// An empty text means no label, as in the official providers.
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl From<String> for Label {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Option<&str>> for Label {
    fn from(text: Option<&str>) -> Self {
        Self::from(text.unwrap_or_default())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("(no label)"))
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The ETag of a setting or a page, without its quotes.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ETag(Box<str>);

impl ETag {
    /// From the header form (`"abc"`, `W/"abc"`) or the bare text of the JSON body.
    pub(crate) fn new(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix("W/").unwrap_or(text);
        Self(text.trim_matches('"').into())
    }

    /// The text, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
