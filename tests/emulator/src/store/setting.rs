//! Settings (key-values) and the names they go by.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use time::OffsetDateTime;

/// One key-value of a store.
///
/// ```
/// use config_azure_emulator::Setting;
///
/// let setting = Setting::new("orders:title", "Shop").label("prod").tag("team", "blue");
/// assert_eq!(setting.label.as_deref(), Some("prod"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key, at most 256 characters.
    pub key: String,
    /// The label; none is the null label. There is no empty label.
    pub label: Option<String>,
    /// The value; the service allows none.
    pub value: Option<String>,
    /// The media type of the value.
    pub content_type: Option<String>,
    /// Tags by name; a tag's value may be null.
    pub tags: BTreeMap<String, Option<String>>,
    /// A description, shown from api-version 2026-04-01 on.
    pub description: Option<String>,
    /// Whether it is protected against changes.
    pub locked: bool,
    /// The ETag without quotes. The store sets it.
    pub etag: String,
    /// When it was written. The store sets it.
    pub last_modified: OffsetDateTime,
}

impl Setting {
    /// A setting without label, content type and tags.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::named(key.into(), None)
        }
    }

    pub(crate) fn named(key: String, label: Option<String>) -> Self {
        Self {
            key,
            label: label.filter(|label| !label.is_empty()),
            value: None,
            content_type: None,
            tags: BTreeMap::new(),
            description: None,
            locked: false,
            etag: String::new(),
            last_modified: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// With this label; the empty text is the null label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into()).filter(|label| !label.is_empty());
        self
    }

    /// With this media type.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// With one more tag.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), Some(value.into()));
        self
    }

    /// With this description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    pub(crate) fn name(&self) -> Name {
        Name::new(&self.key, self.label.as_deref())
    }
}

/// What identifies a setting: key and label, ordered as the service lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) key: Ordinal,
    pub(crate) label: Option<Ordinal>,
}

impl Name {
    pub(crate) fn new(key: &str, label: Option<&str>) -> Self {
        let label = label.filter(|label| !label.is_empty());
        Self {
            key: Ordinal(key.to_owned()),
            label: label.map(|label| Ordinal(label.to_owned())),
        }
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.label.as_ref().map(|label| label.0.as_str())
    }
}

/// Text in ordinal order: by UTF-16 code units, which differs from the order of `str` beyond the basic plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ordinal(pub(crate) String);

impl Ord for Ordinal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Ordinal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_key_then_label_with_null_first_and_by_utf16() {
        let name = Name::new;
        assert!(name("a", Some("z")) < name("b", None));
        assert!(name("a", None) < name("a", Some("A")));
        assert_eq!(name("a", Some("")), name("a", None));
        // U+1F600 is a surrogate pair (D83D DE00) and so comes before U+FF5E.
        assert!(name("\u{1F600}", None) < name("\u{FF5E}", None));
    }
}
