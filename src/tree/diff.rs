//! What differs between two generations, in words: paths and reasons, never values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Origin;

/// Why a value changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A setting was written, added, removed or hidden by another one.
    Setting,
    /// The setting is the same; the secret it refers to has a new version. Of a value that several settings make (a list
    /// of keys): nothing but such secrets.
    Secret,
    /// A feature flag was changed.
    Flag,
}

/// One path whose value changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    path: Arc<str>,
    key: Box<str>,
    label: Option<Box<str>>,
    cause: Cause,
}

impl Change {
    /// The path in the configuration, such as `db.password`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The key of the setting, as it stands in the store. Of several (a list of keys) it is the first one that made the
    /// difference.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The label of the setting; `None` for the null label.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Why it changed.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Changed,
    Removed,
}

/// What differs between two generations: the paths that were added, changed and removed, and why. Never values.
///
/// A list is one path, and so is an empty JSON object. A feature flag is the path of the list and its id:
/// `feature_management.feature_flags.Beta`.
///
/// ```
/// use config_azure::ChangeSet;
///
/// let none = ChangeSet::default();
/// assert!(none.is_empty());
/// assert!(!none.touches("db"));
/// assert_eq!(none.to_string(), "no change");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The keys are the paths of the changes.
    changes: BTreeMap<Arc<str>, (Kind, Change)>,
}

impl ChangeSet {
    /// What differs after both: this set first, then `later`.
    pub(crate) fn then(mut self, later: Self) -> Self {
        for (path, (kind, change)) in later.changes {
            let Some((earlier_kind, earlier)) = self.changes.remove(&path) else {
                self.changes.insert(path, (kind, change));
                continue;
            };
            let kind = match (earlier_kind, kind) {
                (Kind::Added, Kind::Removed) => continue,
                (Kind::Added, _) => Kind::Added,
                (Kind::Removed, Kind::Added) => Kind::Changed,
                (_, kind) => kind,
            };
            // A rotation on top does not undo that a setting was written.
            let is_rotation = change.cause == Cause::Secret;
            let change = if is_rotation { earlier } else { change };
            self.changes.insert(path, (kind, change));
        }
        self
    }

    /// Paths that had no value before.
    pub fn added(&self) -> impl Iterator<Item = &Change> {
        self.of(Kind::Added)
    }

    /// Paths that have another value than before.
    pub fn changed(&self) -> impl Iterator<Item = &Change> {
        self.of(Kind::Changed)
    }

    /// Paths that have no value any more.
    pub fn removed(&self) -> impl Iterator<Item = &Change> {
        self.of(Kind::Removed)
    }

    /// All of them, in the order of their paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Change> {
        self.changes.values().map(|(_, change)| change)
    }

    /// How many paths differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// True if nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// True if `path` itself, something below it or something above it differs.
    #[must_use]
    pub fn touches(&self, path: &str) -> bool {
        self.changes
            .keys()
            .any(|own| is_at_or_below(own, path) || is_at_or_below(path, own))
    }

    fn of(&self, wanted: Kind) -> impl Iterator<Item = &Change> {
        self.changes
            .values()
            .filter(move |(kind, _)| *kind == wanted)
            .map(|(_, change)| change)
    }

    /// A change that `origin` has to answer for.
    pub(super) fn add(&mut self, kind: Kind, path: &str, origin: &Origin, cause: Cause) {
        let change = Change {
            path: path.into(),
            key: origin.key().into(),
            label: origin.label().map(Into::into),
            cause,
        };
        self.changes
            .insert(Arc::clone(&change.path), (kind, change));
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl fmt::Display for ChangeSet {
    /// One line: counts, then up to 20 paths with `+`, `~` or `-` in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 20;
        if self.is_empty() {
            return f.write_str("no change");
        }
        for (at, (kind, change)) in self.changes.values().take(MOST).enumerate() {
            let lead = if at == 0 { "" } else { ", " };
            let sign = match kind {
                Kind::Added => '+',
                Kind::Changed => '~',
                Kind::Removed => '-',
            };
            let path = crate::error::printable(&change.path);
            write!(f, "{lead}{sign}{path}")?;
        }
        match self.len().checked_sub(MOST) {
            Some(more) if more > 0 => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for ChangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeSet({self})")
    }
}
