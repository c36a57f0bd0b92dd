//! What the service writes of snapshots, and reads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, Serialize as DeriveSerialize};

use super::model::{Composition, NewSnapshot, Snapshot, Status};
use crate::store::json::{Fields, Selected, timestamp};
use crate::store::problem::Problem;
use crate::store::setting::Setting;
use crate::store::version::ApiVersion;

/// A snapshot with the selected fields.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) status: Status,
    pub(super) fields: &'a Fields,
    pub(super) version: ApiVersion,
}

impl<'a> View<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, fields: &'a Fields, version: ApiVersion) -> Self {
        Self {
            status: snapshot.status(),
            snapshot,
            fields,
            version,
        }
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Snapshot {
            order,
            etag,
            created,
            expires,
            items,
            ..
        } = self.snapshot;
        let made = !matches!(self.status, Status::Provisioning | Status::Failed);
        let items = if made { items.as_slice() } else { &[] };
        let mut map = Selected(serializer.serialize_map(None)?, self.fields);
        map.field("etag", etag)?;
        map.field("name", &order.name)?;
        map.field("status", &self.status.name())?;
        if self.version.has_description() {
            map.field("description", &order.description)?;
        }
        map.field("filters", &filters(order))?;
        map.field("composition_type", &composition_name(order.composition))?;
        map.field("created", &timestamp(*created))?;
        if let Some(expires) = expires {
            map.field("expires", &timestamp(*expires))?;
        }
        map.field("size", &size(items.iter().map(AsRef::as_ref)))?;
        map.field("items_count", &items.len())?;
        map.field("tags", &order.tags)?;
        map.field("retention_period", &order.retention.as_secs())?;
        map.0.end()
    }
}

/// The service counts in blocks of a thousand bytes.
fn size<'a>(items: impl Iterator<Item = &'a Setting>) -> usize {
    const BLOCK: usize = 1000;
    let bytes = |s: &Setting| s.key.len() + s.value.as_ref().map_or(0, String::len);
    let bytes: usize = items.map(bytes).sum();
    bytes.div_ceil(BLOCK) * BLOCK
}

fn composition_name(composition: Composition) -> &'static str {
    match composition {
        Composition::Key => "key",
        Composition::KeyLabel => "key_label",
    }
}

#[derive(DeriveSerialize, Deserialize)]
struct WireFilter {
    key: String,
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

fn filters(order: &NewSnapshot) -> Vec<WireFilter> {
    let filters = order.filters.iter();
    let filters = filters.map(|(key, label, tags)| WireFilter {
        key: key.clone(),
        label: label.clone(),
        tags: tags.clone(),
    });
    filters.collect()
}

#[derive(Deserialize)]
struct Written {
    filters: Vec<WireFilter>,
    composition_type: Option<String>,
    retention_period: Option<u64>,
    tags: Option<BTreeMap<String, Option<String>>>,
    description: Option<String>,
}

/// Reads what a client orders.
pub(super) fn parse_order(name: &str, body: &[u8]) -> Result<NewSnapshot, Problem> {
    let written: Written = serde_json::from_slice(body)
        .map_err(|_| Problem::invalid_argument("body", "body: not a snapshot"))?;
    let mut order = NewSnapshot::new(name);
    let filters = written.filters.into_iter();
    order.filters = filters.map(|f| (f.key, f.label, f.tags)).collect();
    order.composition = match written.composition_type.as_deref() {
        None | Some("key") => Composition::Key,
        Some("key_label") => Composition::KeyLabel,
        Some(_) => {
            let detail = "composition_type: key or key_label";
            return Err(Problem::invalid_argument("composition_type", detail));
        }
    };
    if let Some(seconds) = written.retention_period {
        order.retention = Duration::from_secs(seconds);
    }
    order.tags = written.tags.unwrap_or_default();
    order.description = written.description;
    Ok(order)
}

/// Reads the status that a client wants: whether the snapshot is to be archived.
pub(super) fn parse_archived(body: &[u8]) -> Result<bool, Problem> {
    #[derive(Deserialize)]
    struct Change {
        status: String,
    }
    let change: Option<Change> = serde_json::from_slice(body).ok();
    match change.as_ref().map(|change| change.status.as_str()) {
        Some("archived") => Ok(true),
        Some("ready") => Ok(false),
        _ => Err(Problem::invalid_argument(
            "status",
            "status: archived or ready",
        )),
    }
}
