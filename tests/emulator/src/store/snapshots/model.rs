//! What a snapshot is and how it is composed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::store::filter::{Filter, TagFilters};
use crate::store::problem::Problem;
use crate::store::setting::Setting;
use crate::store::state::{Items, random_etag};

const MOST_FILTERS: usize = 3;
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
const SHORTEST_RETENTION: Duration = Duration::from_secs(3600);
const LONGEST_RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);

/// What makes two settings of a snapshot the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Composition {
    /// The key: each key once, a later filter wins.
    #[default]
    Key,
    /// Key and label: everything that the filters select.
    KeyLabel,
}

/// A snapshot to be made.
///
/// ```
/// use config_azure_emulator::{Composition, NewSnapshot};
///
/// let snapshot = NewSnapshot::new("release-7").filter("orders:*", Some("prod"));
/// assert_eq!(snapshot.composition, Composition::Key);
/// ```
#[derive(Clone, Debug)]
pub struct NewSnapshot {
    /// The name, unique in the store.
    pub name: String,
    /// Key filter, label filter (none: the null label) and tag filters, one to three times.
    pub filters: Vec<(String, Option<String>, Vec<String>)>,
    /// What makes two settings the same.
    pub composition: Composition,
    /// How long it is kept once archived: between an hour and 90 days, 30 days by default.
    pub retention: Duration,
    /// Tags of the snapshot itself.
    pub tags: BTreeMap<String, Option<String>>,
    /// A description, shown from api-version 2026-04-01 on.
    pub description: Option<String>,
    /// How long it stays `provisioning`. Zero by default.
    pub ready_in: Duration,
    /// Whether it ends `failed` instead of `ready`.
    pub fails: bool,
}

impl NewSnapshot {
    /// A snapshot without filters yet, composed by key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            filters: Vec::new(),
            composition: Composition::Key,
            retention: RETENTION,
            tags: BTreeMap::new(),
            description: None,
            ready_in: Duration::ZERO,
            fails: false,
        }
    }

    /// With the settings that this key filter and label filter (none: the null label) select.
    #[must_use]
    pub fn filter(mut self, key: impl Into<String>, label: Option<&str>) -> Self {
        self.filters
            .push((key.into(), label.map(str::to_owned), Vec::new()));
        self
    }

    /// As [`filter`](Self::filter), of settings that have all of these tags, each as `name=value`.
    #[must_use]
    pub fn filter_tagged(
        mut self,
        key: impl Into<String>,
        label: Option<&str>,
        tags: &[&str],
    ) -> Self {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self.filters
            .push((key.into(), label.map(str::to_owned), tags));
        self
    }

    /// With another composition.
    #[must_use]
    pub fn composition(mut self, composition: Composition) -> Self {
        self.composition = composition;
        self
    }

    /// Stays `provisioning` so long, by the emulator's clock.
    #[must_use]
    pub fn ready_in(mut self, time: Duration) -> Self {
        self.ready_in = time;
        self
    }

    /// Ends `failed`.
    #[must_use]
    pub fn failing(mut self) -> Self {
        self.fails = true;
        self
    }
}

/// The state that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Provisioning,
    Ready,
    Archived,
    Failed,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Ready => "ready",
            Self::Archived => "archived",
            Self::Failed => "failed",
        }
    }
}

/// A snapshot of the store.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) order: NewSnapshot,
    pub(crate) etag: String,
    pub(crate) created: OffsetDateTime,
    /// Set while archived.
    pub(crate) expires: Option<OffsetDateTime>,
    /// Whether the service is done with it, well or not.
    done: bool,
    pub(crate) items: Vec<Arc<Setting>>,
}

impl Snapshot {
    /// Composes a snapshot of `items`.
    pub(crate) fn compose(
        order: NewSnapshot,
        items: &Items,
        now: OffsetDateTime,
    ) -> Result<Self, Problem> {
        check(&order)?;
        let mut composed = Items::new();
        for (key, label, tags) in &order.filters {
            let key = Filter::parse("filters", key)?;
            let label = Filter::parse("filters", label.as_deref().unwrap_or("\0"))?;
            let tags = TagFilters::parse(tags.iter().map(String::as_str))?;
            for (name, setting) in items {
                if key.matches(Some(&setting.key))
                    && label.matches(setting.label.as_deref())
                    && tags.matches(setting)
                {
                    if order.composition == Composition::Key {
                        composed.retain(|other, _| other.key != name.key);
                    }
                    composed.insert(name.clone(), setting.clone());
                }
            }
        }
        Ok(Self {
            order,
            etag: random_etag(),
            created: now,
            expires: None,
            done: false,
            items: composed.into_values().collect(),
        })
    }

    pub(crate) fn status(&self) -> Status {
        if !self.done {
            Status::Provisioning
        } else if self.order.fails {
            Status::Failed
        } else if self.expires.is_some() {
            Status::Archived
        } else {
            Status::Ready
        }
    }

    /// What can be read of it: nothing until it is ready, and nothing if it failed.
    pub(crate) fn readable(&self) -> &[Arc<Setting>] {
        match self.status() {
            Status::Ready | Status::Archived => &self.items,
            Status::Provisioning | Status::Failed => &[],
        }
    }

    /// When the service is done with it.
    pub(crate) fn due(&self) -> OffsetDateTime {
        self.created + self.order.ready_in
    }

    /// Ready, or failed: with the same ETag.
    pub(crate) fn made(&self) -> Self {
        Self {
            done: true,
            ..self.clone()
        }
    }

    /// Archived or taken back; its retention begins with the archiving.
    pub(crate) fn archived(&self, archived: bool, now: OffsetDateTime) -> Self {
        Self {
            expires: archived.then(|| now + self.order.retention),
            etag: random_etag(),
            ..self.clone()
        }
    }
}

fn check(order: &NewSnapshot) -> Result<(), Problem> {
    let refuse = |name: &str, why: &str| Err(Problem::invalid_argument(name, why));
    if order.filters.is_empty() || order.filters.len() > MOST_FILTERS {
        return refuse("filters", "filters: one to three filters are supported");
    }
    if order.filters.iter().any(|(key, ..)| key.is_empty()) {
        return refuse("filters", "filters: a key filter is required");
    }
    if order.retention < SHORTEST_RETENTION || order.retention > LONGEST_RETENTION {
        return refuse("retention_period", "retention_period: out of range");
    }
    let many_labels = |label: &Option<String>| {
        let filter = Filter::parse("label", label.as_deref().unwrap_or("\0"));
        !matches!(filter, Ok(Filter::OneOf(values)) if values.len() == 1)
    };
    let by_key = order.composition == Composition::Key;
    if by_key && order.filters.iter().any(|(_, label, _)| many_labels(label)) {
        return refuse(
            "filters",
            "filters: composition by key takes one label a filter",
        );
    }
    Ok(())
}

/// The snapshots of a store by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshots(BTreeMap<String, Arc<Snapshot>>);

impl Snapshots {
    /// The snapshot of this name, unless it has expired.
    pub(crate) fn get(&self, name: &str, now: OffsetDateTime) -> Option<&Snapshot> {
        let found = self.0.get(name).map(AsRef::as_ref);
        found.filter(|snapshot| alive(snapshot, now))
    }

    /// Those that are still being made although they are due by `now`, the first one first.
    pub(crate) fn due(&self, now: OffsetDateTime) -> Vec<Arc<Snapshot>> {
        let late = |snapshot: &&Arc<Snapshot>| !snapshot.done && snapshot.due() <= now;
        let mut due: Vec<_> = self.0.values().filter(late).cloned().collect();
        due.sort_by_key(|snapshot| snapshot.due());
        due
    }

    pub(crate) fn insert(&mut self, snapshot: Arc<Snapshot>) {
        self.0.insert(snapshot.order.name.clone(), snapshot);
    }

    pub(crate) fn alive(&self, now: OffsetDateTime) -> impl Iterator<Item = &Snapshot> {
        let all = self.0.values().map(AsRef::as_ref);
        all.filter(move |snapshot| alive(snapshot, now))
    }
}

fn alive(snapshot: &Snapshot, now: OffsetDateTime) -> bool {
    snapshot.expires.is_none_or(|expires| now < expires)
}
