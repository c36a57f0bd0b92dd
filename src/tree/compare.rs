//! The walk over two trees that finds what differs, and which setting has to answer for it.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::diff::{Cause, ChangeSet, Kind};
use super::settle::origins;
use super::{Leaf, List, Node, Origin, Scalar, Table, Tree};

impl Tree {
    /// What differs from `old` to `new`: empty if and only if they hold the same.
    pub(crate) fn diff(old: &Self, new: &Self) -> ChangeSet {
        let mut out = Differ {
            path: String::new(),
            changes: ChangeSet::default(),
            secrets: Secrets::of(old, new),
        };
        out.tables(&old.root, &new.root);
        out.changes
    }
}

struct Differ<'t> {
    path: String,
    changes: ChangeSet,
    secrets: Secrets<'t>,
}

impl<'t> Differ<'t> {
    fn tables(&mut self, old: &'t Table, new: &'t Table) {
        pairs(old, new, |name, old, new| {
            self.at(name, |differ| differ.nodes(old, new));
        });
    }

    fn nodes(&mut self, old: Option<&'t Node>, new: Option<&'t Node>) {
        match (old, new) {
            (Some(Node::Table(old)), Some(Node::Table(new))) => self.tables(old, new),
            (Some(Node::List(one)), Some(Node::List(other)))
                if one.is_flags() && other.is_flags() =>
            {
                if !self.flags(one, other) && !same_list(one, other) {
                    self.add(Kind::Changed, old, new);
                }
            }
            (Some(one), Some(other)) if !is_branch(one) && !is_branch(other) => {
                if !same(one, other) {
                    self.add(Kind::Changed, old, new);
                }
            }
            (old, new) => {
                self.all(Kind::Removed, old);
                self.all(Kind::Added, new);
            }
        }
    }

    /// Everything at or below a node appears or goes.
    fn all(&mut self, kind: Kind, node: Option<&'t Node>) {
        match node {
            None => {}
            Some(Node::Table(table)) if !table.is_empty() => {
                for (name, node) in &table.members {
                    self.at(name, |differ| differ.all(kind, Some(node)));
                }
            }
            Some(Node::List(list)) if list.is_flags() && !list.items.is_empty() => {
                for item in &list.items {
                    self.at(item.flag_id(), |differ| differ.one(kind, item));
                }
            }
            Some(node) => self.one(kind, node),
        }
    }

    fn one(&mut self, kind: Kind, node: &'t Node) {
        match kind {
            Kind::Removed => self.add(kind, Some(node), None),
            Kind::Added | Kind::Changed => self.add(kind, None, Some(node)),
        }
    }

    /// Each flag by its id. False if that shows no difference: another order, or two flags of one id.
    fn flags(&mut self, old: &'t List, new: &'t List) -> bool {
        fn by_id(list: &List) -> BTreeMap<&str, &Node> {
            list.items
                .iter()
                .map(|item| (item.flag_id(), item))
                .collect()
        }
        let known = self.changes.len();
        let (old, new) = (by_id(old), by_id(new));
        for (id, after) in &new {
            self.at(id, |differ| match old.get(id) {
                Some(before) if same(before, after) => {}
                Some(before) => differ.add(Kind::Changed, Some(before), Some(after)),
                None => differ.one(Kind::Added, after),
            });
        }
        for (id, before) in &old {
            if !new.contains_key(id) {
                self.at(id, |differ| differ.one(Kind::Removed, before));
            }
        }
        self.changes.len() > known
    }

    /// One change at this path. The first setting that really differs answers for it, and before all others one that was
    /// written.
    fn add(&mut self, kind: Kind, old: Option<&'t Node>, new: Option<&'t Node>) {
        let mut blamed: Option<(&Origin, Cause)> = None;
        differing(old, new, &mut |before, after| {
            let Some(origin) = after.or(before) else {
                return;
            };
            if blamed.is_none_or(|(_, cause)| cause == Cause::Secret) {
                let cause = self.secrets.cause(before, after);
                if blamed.is_none() || cause != Cause::Secret {
                    blamed = Some((origin, cause));
                }
            }
        });
        if let Some((origin, cause)) = blamed {
            self.changes.add(kind, &self.path, origin, cause);
        }
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

/// The settings of both trees that refer to secrets, by their keys; collected when they are first asked for.
struct Secrets<'t> {
    old: &'t Tree,
    new: &'t Tree,
    known: OnceCell<[BTreeMap<&'t str, &'t Origin>; 2]>,
}

impl<'t> Secrets<'t> {
    fn of(old: &'t Tree, new: &'t Tree) -> Self {
        Self {
            old,
            new,
            known: OnceCell::new(),
        }
    }

    /// Why a value differs that came from one setting before, and from another, or the same, after.
    fn cause(&self, old: Option<&Origin>, new: Option<&Origin>) -> Cause {
        let is_secret = match (old, new) {
            (Some(old), Some(new)) => is_one_reference(old, new),
            (Some(old), None) => self.is_rotated(old, 1),
            (None, Some(new)) => self.is_rotated(new, 0),
            (None, None) => false,
        };
        if new.or(old).is_some_and(|origin| origin.flag) {
            Cause::Flag
        } else if is_secret {
            Cause::Secret
        } else {
            Cause::Setting
        }
    }

    /// True if the other tree has the same reference with another version of its secret: what is inside it came or went
    /// (a member of its JSON). With the same version it is another setting that took or gave it its place.
    fn is_rotated(&self, origin: &Origin, other: usize) -> bool {
        let version = |origin: &'_ Origin| origin.secret.as_ref().and_then(|s| s.version.clone());
        if origin.secret.is_none() {
            return false;
        }
        let known = self
            .known
            .get_or_init(|| [by_key(self.old), by_key(self.new)]);
        known[other].get(origin.key()).is_some_and(|other| {
            let versions = version(origin).zip(version(other));
            is_one_reference(origin, other) && versions.is_none_or(|(one, other)| one != other)
        })
    }
}

fn by_key(tree: &Tree) -> BTreeMap<&str, &Origin> {
    let nodes = tree.root.members.iter().map(|(_, node)| node);
    nodes
        .flat_map(origins)
        .filter(|origin| origin.secret.is_some())
        .map(|origin| (origin.key(), origin))
        .collect()
}

/// True if both are secrets behind one unchanged setting.
fn is_one_reference(old: &Origin, new: &Origin) -> bool {
    let (one, other) = (&old.selected.setting, &new.selected.setting);
    old.secret.is_some()
        && new.secret.is_some()
        && one.key() == other.key()
        && one.label() == other.label()
        && one.value() == other.value()
}

/// Visits the members of both tables by name. Both stand in the order of their names, so one walk is enough.
fn pairs<'t>(
    old: &'t Table,
    new: &'t Table,
    mut visit: impl FnMut(&'t str, Option<&'t Node>, Option<&'t Node>),
) {
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
        visit(
            name,
            before.map(|(_, node)| node),
            after.map(|(_, node)| node),
        );
    }
}

/// Visits the origins of the single values that differ, in their order.
fn differing<'t>(
    old: Option<&'t Node>,
    new: Option<&'t Node>,
    visit: &mut dyn FnMut(Option<&'t Origin>, Option<&'t Origin>),
) {
    match (old, new) {
        (Some(old), Some(new)) if same(old, new) => {}
        (Some(Node::Leaf(old)), Some(Node::Leaf(new))) => {
            visit(Some(&old.origin), Some(&new.origin));
        }
        (Some(Node::List(old)), Some(Node::List(new))) => {
            for at in 0..old.items.len().max(new.items.len()) {
                differing(old.items.get(at), new.items.get(at), visit);
            }
        }
        (Some(Node::Table(old)), Some(Node::Table(new))) => {
            pairs(old, new, |_, old, new| differing(old, new, visit));
        }
        (old, new) => {
            let of = |node: Option<&'t Node>| node.map(origins).unwrap_or_default();
            let (old, new) = (of(old), of(new));
            if let ([old], [new]) = (&*old, &*new) {
                return visit(Some(old), Some(new));
            }
            old.into_iter().for_each(|old| visit(Some(old), None));
            new.into_iter().for_each(|new| visit(None, Some(new)));
        }
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
