//! What the store in memory holds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::error::SecretErrorKind;
use crate::secret::Secret;

use super::filter::Filter;

/// The content type of a reference to a secret.
const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

/// The store and its vault. Every write gets a number, which serves as its ETag and its version.
#[derive(Default)]
pub(super) struct State {
    settings: BTreeMap<Place, Item>,
    secrets: BTreeMap<Box<str>, Kept>,
    names: BTreeMap<Box<str>, Box<str>>,
    writes: u64,
    /// The status that the store answers everything with, if it is made to fail.
    pub(super) failing: Option<u16>,
    /// True if the store answers nothing.
    pub(super) hanging: bool,
}

/// Key and label. Sorts as the service does: by key, no label first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) key: Box<str>,
    pub(super) label: Option<Box<str>>,
}

impl Place {
    pub(super) fn new(key: &str, label: Option<&str>) -> Self {
        Self {
            key: key.into(),
            label: label.filter(|label| !label.is_empty()).map(Into::into),
        }
    }
}

/// A setting.
pub(super) struct Item {
    pub(super) value: Box<str>,
    pub(super) content_type: Option<Box<str>>,
    pub(super) write: u64,
}

/// A secret in the vault.
pub(super) struct Kept {
    pub(super) value: Secret,
    pub(super) write: u64,
    pub(super) failure: Option<SecretErrorKind>,
}

impl State {
    pub(super) fn put(&mut self, place: Place, content_type: Option<&str>, value: &str) {
        self.writes += 1;
        let item = Item {
            value: value.into(),
            content_type: content_type.map(Into::into),
            write: self.writes,
        };
        self.settings.insert(place, item);
    }

    pub(super) fn remove(&mut self, place: &Place) {
        self.settings.remove(place);
    }

    /// A new version of the secret behind `key`, which is made a reference to it if it is not one yet.
    pub(super) fn keep(&mut self, key: &str, value: Secret, vault: &str) {
        let name = self.name(key);
        let place = Place::new(key, None);
        let uri = serde_json::json!({ "uri": format!("{vault}secrets/{name}") }).to_string();
        if self
            .settings
            .get(&place)
            .is_none_or(|item| *item.value != *uri)
        {
            self.put(place, Some(REFERENCE), &uri);
        }
        self.writes += 1;
        let kept = Kept {
            value,
            write: self.writes,
            failure: None,
        };
        self.secrets.insert(name, kept);
    }

    /// Makes reads of the secret behind `key` fail, or succeed again.
    pub(super) fn fail(&mut self, key: &str, failure: Option<SecretErrorKind>) {
        let name = self.name(key);
        if let Some(kept) = self.secrets.get_mut(&name) {
            kept.failure = failure;
        }
    }

    /// The name of the secret behind a key: the key as far as a vault admits it, and a number.
    fn name(&mut self, key: &str) -> Box<str> {
        let number = self.names.len();
        let name = self.names.entry(key.into()).or_insert_with(|| {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            let name: String = key.chars().take(100).map(plain).collect();
            format!("{name}-{number}").into()
        });
        name.clone()
    }

    pub(super) fn secret(&self, name: &str) -> Option<&Kept> {
        self.secrets.get(name)
    }

    pub(super) fn setting(&self, place: &Place) -> Option<&Item> {
        self.settings.get(place)
    }

    /// All settings that both filters admit, in the service's order.
    pub(super) fn list(&self, key: &Filter, label: &Filter) -> Vec<(&Place, &Item)> {
        let admitted =
            |place: &Place| key.admits(Some(&place.key)) && label.admits(place.label.as_deref());
        self.settings
            .iter()
            .filter(|(place, _)| admitted(place))
            .collect()
    }
}

/// The ETag of a page: another one if anything in it was written, added or removed.
pub(super) fn page_etag(page: &[(&Place, &Item)]) -> String {
    let mut hasher = DefaultHasher::new();
    for (place, item) in page {
        (place, item.write).hash(&mut hasher);
    }
    format!("page-{}-{:016x}", page.len(), hasher.finish())
}
