//! What the service writes: key-values, pages of them, name sets.

use serde::ser::{Serialize, SerializeMap, Serializer};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::query::Query;
use super::setting::Setting;
use super::version::ApiVersion;

const ISO8601: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+00:00");

pub(crate) const KV: &str = "application/vnd.microsoft.appconfig.kv+json; charset=utf-8";
pub(crate) const KV_SET: &str = "application/vnd.microsoft.appconfig.kvset+json; charset=utf-8";
pub(crate) const KEY_SET: &str = "application/vnd.microsoft.appconfig.keyset+json; charset=utf-8";
pub(crate) const LABEL_SET: &str =
    "application/vnd.microsoft.appconfig.labelset+json; charset=utf-8";

pub(crate) const SNAPSHOT: &str =
    "application/vnd.microsoft.appconfig.snapshot+json; charset=utf-8";
pub(crate) const SNAPSHOT_SET: &str =
    "application/vnd.microsoft.appconfig.snapshotset+json; charset=utf-8";

/// `2023-04-18T05:50:16+00:00`.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let utc = at.to_offset(time::UtcOffset::UTC);
    utc.format(ISO8601).expect("every date can be formatted")
}

/// The fields that a request selects.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Option<Vec<String>>);

impl Fields {
    /// `$select`, or its alias `fields`. Nothing or `*` is everything; unknown names select nothing.
    pub(crate) fn parse(query: &Query) -> Self {
        let text = query.first("$select").or_else(|| query.first("fields"));
        let names = text.unwrap_or_default().split(',');
        let names = names.map(|name| name.trim().to_lowercase());
        let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
        let all = names.is_empty() || names.iter().any(|name| name == "*");
        Self((!all).then_some(names))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == field))
    }
}

/// A key-value with the selected fields.
pub(crate) struct KeyValue<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) fields: &'a Fields,
    pub(crate) version: ApiVersion,
}

impl Serialize for KeyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            setting,
            fields,
            version,
        } = self;
        let mut map = Selected(serializer.serialize_map(None)?, fields);
        map.field("etag", &setting.etag)?;
        map.field("key", &setting.key)?;
        map.field("label", &setting.label)?;
        map.field("content_type", &setting.content_type)?;
        map.field("value", &setting.value)?;
        if version.has_description() {
            map.field("description", &setting.description)?;
        }
        map.field("tags", &setting.tags)?;
        map.field("locked", &setting.locked)?;
        map.field("last_modified", &timestamp(setting.last_modified))?;
        map.0.end()
    }
}

/// Writes the selected fields of an object, in the order of the calls.
pub(crate) struct Selected<'a, M>(pub(crate) M, pub(crate) &'a Fields);

impl<M: SerializeMap> Selected<'_, M> {
    pub(crate) fn field(&mut self, name: &str, value: &impl Serialize) -> Result<(), M::Error> {
        if self.1.has(name) {
            self.0.serialize_entry(name, value)?;
        }
        Ok(())
    }
}

/// One page of a list.
pub(crate) struct Page<'a, T> {
    pub(crate) etag: Option<&'a str>,
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<&'a str>,
}

impl<T: Serialize> Serialize for Page<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(etag) = self.etag {
            map.serialize_entry("etag", etag)?;
        }
        map.serialize_entry("items", &self.items)?;
        if let Some(next) = self.next {
            map.serialize_entry("@nextLink", next)?;
        }
        map.end()
    }
}

/// A name in a set of keys or labels.
pub(crate) struct Named<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) fields: &'a Fields,
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = Selected(serializer.serialize_map(None)?, self.fields);
        map.field("name", &self.name)?;
        map.0.end()
    }
}
