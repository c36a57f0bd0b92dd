//! What differs between two trees: paths and reasons, never values.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::settle::origin;
use super::{Leaf, List, Node, Scalar, Table, Tree};

/// Why a value changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A setting was written, added, removed or hidden by another one.
    Setting,
    /// The setting is the same; the secret it refers to has a new version.
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

    /// The key of the setting, as it stands in the store.
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
enum Kind {
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
            let both = match (self.changes.remove(&path).map(|(kind, _)| kind), kind) {
                (Some(Kind::Added), Kind::Removed) => continue,
                (Some(Kind::Added), _) => Kind::Added,
                (Some(Kind::Removed), Kind::Added) => Kind::Changed,
                (_, kind) => kind,
            };
            self.changes.insert(path, (both, change));
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

    fn add(&mut self, kind: Kind, path: &str, node: &Node, cause: Option<Cause>) {
        let Some(origin) = origin(node) else { return };
        let own = if origin.flag {
            Cause::Flag
        } else {
            Cause::Setting
        };
        let change = Change {
            path: path.into(),
            key: origin.key().into(),
            label: origin.label().map(Into::into),
            cause: cause.unwrap_or(own),
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

impl Tree {
    /// What differs from `old` to `new`: empty if and only if they hold the same.
    pub(crate) fn diff(old: &Self, new: &Self) -> ChangeSet {
        let mut out = Differ::default();
        out.tables(&old.root, &new.root);
        out.changes
    }
}

#[derive(Default)]
struct Differ {
    path: String,
    changes: ChangeSet,
}

impl Differ {
    /// Both tables stand in the order of their names, so one walk is enough.
    fn tables(&mut self, old: &Table, new: &Table) {
        let (mut old, mut new) = (old.members.iter().peekable(), new.members.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some((one, _)), Some((other, _))) => one.cmp(other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return,
            };
            let before = (order != Ordering::Greater).then(|| old.next()).flatten();
            let after = (order != Ordering::Less).then(|| new.next()).flatten();
            let Some((name, _)) = before.or(after) else {
                return;
            };
            self.at(name, |differ| {
                differ.nodes(before.map(|(_, node)| node), after.map(|(_, node)| node));
            });
        }
    }

    fn nodes(&mut self, old: Option<&Node>, new: Option<&Node>) {
        match (old, new) {
            (Some(Node::Table(old)), Some(Node::Table(new))) => self.tables(old, new),
            (Some(Node::List(old)), Some(node @ Node::List(new)))
                if old.is_flags() && new.is_flags() =>
            {
                if !self.flags(old, new) && !same_list(old, new) {
                    self.changes.add(Kind::Changed, &self.path, node, None);
                }
            }
            (Some(old), Some(new)) if !is_branch(old) && !is_branch(new) => {
                if !same(old, new) {
                    let cause = only_secret(old, new).then_some(Cause::Secret);
                    self.changes.add(Kind::Changed, &self.path, new, cause);
                }
            }
            (old, new) => {
                self.all(Kind::Removed, old);
                self.all(Kind::Added, new);
            }
        }
    }

    /// Everything at or below a node appears or goes.
    fn all(&mut self, kind: Kind, node: Option<&Node>) {
        match node {
            None => {}
            Some(Node::Table(table)) if !table.is_empty() => {
                for (name, node) in &table.members {
                    self.at(name, |differ| differ.all(kind, Some(node)));
                }
            }
            Some(Node::List(list)) if list.is_flags() && !list.items.is_empty() => {
                for item in &list.items {
                    self.at(item.flag_id(), |differ| {
                        differ.changes.add(kind, &differ.path, item, None);
                    });
                }
            }
            Some(node) => self.changes.add(kind, &self.path, node, None),
        }
    }

    /// Each flag by its id. False if that shows no difference: another order, or two flags of one id.
    fn flags(&mut self, old: &List, new: &List) -> bool {
        let known = self.changes.len();
        let by_id = |list: &List| -> BTreeMap<String, Node> {
            let named = |item: &Node| (item.flag_id().to_owned(), item.clone());
            list.items.iter().map(named).collect()
        };
        let (old, new) = (by_id(old), by_id(new));
        for (id, after) in &new {
            self.at(id, |differ| match old.get(id) {
                Some(before) if same(before, after) => {}
                Some(_) => differ.changes.add(Kind::Changed, &differ.path, after, None),
                None => differ.changes.add(Kind::Added, &differ.path, after, None),
            });
        }
        for (id, before) in &old {
            if !new.contains_key(id) {
                self.at(id, |differ| {
                    differ
                        .changes
                        .add(Kind::Removed, &differ.path, before, None);
                });
            }
        }
        self.changes.len() > known
    }

    fn at(&mut self, name: &str, run: impl FnOnce(&mut Self)) {
        let above = self.path.len();
        if above > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        run(self);
        self.path.truncate(above);
    }
}

/// True for what is told by what is in it. An empty table has nothing in it, and is told as a value.
fn is_branch(node: &Node) -> bool {
    matches!(node, Node::Table(table) if !table.is_empty())
}

fn same(old: &Node, new: &Node) -> bool {
    match (old, new) {
        (Node::Leaf(old), Node::Leaf(new)) => same_leaf(old, new),
        (Node::List(old), Node::List(new)) => same_list(old, new),
        (Node::Table(old), Node::Table(new)) => {
            let mut pairs = old.members.iter().zip(&new.members);
            old.members.len() == new.members.len()
                && pairs.all(|((one, old), (other, new))| one == other && same(old, new))
        }
        _ => false,
    }
}

fn same_list(old: &List, new: &List) -> bool {
    let mut pairs = old.items.iter().zip(&new.items);
    old.items.len() == new.items.len() && pairs.all(|(old, new)| same(old, new))
}

fn same_leaf(old: &Leaf, new: &Leaf) -> bool {
    use std::sync::Arc;

    match (&old.scalar, &new.scalar) {
        (Scalar::Null, Scalar::Null) => true,
        (Scalar::Bool(old), Scalar::Bool(new)) => old == new,
        (Scalar::I64(old), Scalar::I64(new)) => old == new,
        (Scalar::U64(old), Scalar::U64(new)) => old == new,
        (Scalar::F64(old), Scalar::F64(new)) => old.to_bits() == new.to_bits(),
        (Scalar::Own, Scalar::Own)
            if Arc::ptr_eq(&old.origin.selected.setting, &new.origin.selected.setting) =>
        {
            true
        }
        _ => matches!((old.text(), new.text()), (Some(old), Some(new)) if old == new),
    }
}

/// True if both values are secrets behind one unchanged setting.
fn only_secret(old: &Node, new: &Node) -> bool {
    let Some((old, new)) = origin(old).zip(origin(new)) else {
        return false;
    };
    let (one, other) = (&old.selected.setting, &new.selected.setting);
    old.secret.is_some()
        && new.secret.is_some()
        && one.key() == other.key()
        && one.label() == other.label()
        && one.value() == other.value()
}
