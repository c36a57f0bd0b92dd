//! What to read from a store.

use std::fmt;
use std::time::SystemTime;

/// Which settings to read: a key filter under one or more labels, or a snapshot.
///
/// Without a label it means the settings that have *no* label, not those with any. Several selectors are read in
/// the order in which they were given, and a later one wins for a key that both select. Nothing is checked here;
/// `build()` names whatever is not valid.
///
/// ```
/// use config_azure::SettingSelector;
///
/// // Everything without a label.
/// let all = SettingSelector::all();
/// // One application, the values of production over those without a label.
/// let orders = SettingSelector::keys("orders:*").labels(["", "prod"]);
/// // Two keys, only where they carry a tag.
/// let some = SettingSelector::keys("orders:db,orders:queue").tag("region", "eu");
/// // A snapshot that must exist.
/// let frozen = SettingSelector::snapshot("release-42").required();
/// # let _ = (all, orders, some, frozen);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingSelector {
    pub(super) target: SelectorTarget,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SelectorTarget {
    Filter(Filter),
    Snapshot {
        name: String,
        required: bool,
    },
    /// Options of a filter were given to a snapshot, or the other way round; `build()` says so.
    Mixed(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) key: String,
    pub(super) labels: Vec<String>,
    pub(super) tags: Vec<(String, Option<String>)>,
    pub(super) as_of: Option<SystemTime>,
}

impl SettingSelector {
    /// All settings (without a label, unless labels are given).
    #[must_use]
    pub fn all() -> Self {
        Self::keys("*")
    }

    /// Settings by key, in the service's grammar: an exact key, a prefix that ends in `*`, or up to five exact
    /// keys separated by commas. `\` takes the meaning from `*`, `,` and `\`.
    #[must_use]
    pub fn keys(filter: impl Into<String>) -> Self {
        Self {
            target: SelectorTarget::Filter(Filter {
                key: filter.into(),
                labels: Vec::new(),
                tags: Vec::new(),
                as_of: None,
            }),
        }
    }

    /// The settings of a snapshot, as they were when it was made. Its composition must be `key`. A snapshot that
    /// does not exist gives no settings and a warning, unless it is [`required`](Self::required).
    ///
    /// `build()` refuses names that a request cannot carry: an empty one, `.`, `..`, one with `%` or a control
    /// character, and one of more than 256 characters.
    #[must_use]
    pub fn snapshot(name: impl Into<String>) -> Self {
        Self {
            target: SelectorTarget::Snapshot {
                name: name.into(),
                required: false,
            },
        }
    }

    /// One label, exactly as it stands in the store. An empty text means no label. Wildcards and lists are
    /// refused: which of several values of one key should win is a question of order, so say it with
    /// [`labels`](Self::labels).
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        self.labels([label])
    }

    /// Several labels, one after the other: a later one wins. `""` is no label.
    #[must_use]
    pub fn labels<L: Into<String>>(self, labels: impl IntoIterator<Item = L>) -> Self {
        self.filter("labels do not go with a snapshot", |filter| {
            filter.labels.extend(labels.into_iter().map(Into::into));
        })
    }

    /// Settings without a label, which is also the default.
    #[must_use]
    pub fn no_label(self) -> Self {
        self.label("")
    }

    /// Only settings that carry this tag with this value. Up to five tags can be asked for, and all of them must
    /// match. Both texts are taken literally.
    ///
    /// Needs the store's default `api-version` or a later one.
    #[must_use]
    pub fn tag(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter("tags do not go with a snapshot", |filter| {
            filter.tags.push((name.into(), Some(value.into())));
        })
    }

    /// Only settings that carry this tag with a null value.
    #[must_use]
    pub fn tag_null(self, name: impl Into<String>) -> Self {
        self.filter("tags do not go with a snapshot", |filter| {
            filter.tags.push((name.into(), None));
        })
    }

    /// The settings as they were at a moment in the past, to the second (the service keeps revisions for 7 or 30
    /// days, by tier). They cannot change any more, so refreshes leave them out.
    #[must_use]
    pub fn as_of(self, moment: SystemTime) -> Self {
        self.filter("as_of does not go with a snapshot", |filter| {
            filter.as_of = Some(moment);
        })
    }

    /// Makes a missing snapshot an error instead of a warning.
    #[must_use]
    pub fn required(mut self) -> Self {
        match &mut self.target {
            SelectorTarget::Snapshot { required, .. } => *required = true,
            SelectorTarget::Filter(_) => {
                self.target = SelectorTarget::Mixed("required() is for snapshots");
            }
            SelectorTarget::Mixed(_) => {}
        }
        self
    }

    fn filter(mut self, otherwise: &'static str, change: impl FnOnce(&mut Filter)) -> Self {
        match &mut self.target {
            SelectorTarget::Filter(filter) => change(filter),
            SelectorTarget::Snapshot { .. } => self.target = SelectorTarget::Mixed(otherwise),
            SelectorTarget::Mixed(_) => {}
        }
        self
    }
}

impl fmt::Display for SettingSelector {
    /// `keys 'orders:*', no label, then label 'prod'`, or `snapshot 'release-42'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = match &self.target {
            SelectorTarget::Filter(filter) => filter,
            SelectorTarget::Snapshot { name, .. } => return write!(f, "snapshot '{name}'"),
            SelectorTarget::Mixed(_) => return f.write_str("a snapshot with a filter"),
        };
        write!(f, "keys '{}'", filter.key)?;
        for (position, label) in filter.labels.iter().enumerate() {
            f.write_str(if position == 0 { ", " } else { ", then " })?;
            match label.as_str() {
                "" => f.write_str("no label")?,
                label => write!(f, "label '{label}'")?,
            }
        }
        filter
            .tags
            .iter()
            .try_for_each(|(name, _)| write!(f, ", tag '{name}'"))
    }
}
