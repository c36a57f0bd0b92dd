//! What happens where two settings meet on one path.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::printable;
use crate::{Error, ErrorKind, Result};

use super::entry::{Conflict, TreeWarning, TreeWarningKind};
use super::key::JOINT;
use super::{List, Node, Origin, Table};

/// Joins nodes by one policy and reports what it hides.
pub(super) struct Joiner<'w> {
    conflict: Conflict,
    warnings: &'w mut Vec<TreeWarning>,
}

impl<'w> Joiner<'w> {
    pub(super) fn new(conflict: Conflict, warnings: &'w mut Vec<TreeWarning>) -> Self {
        Self { conflict, warnings }
    }

    /// Tables are joined name by name. A value, or a list, shares its path with nothing.
    pub(super) fn join(
        &mut self,
        path: &str,
        one: Option<Node>,
        other: Option<Node>,
    ) -> Result<Option<Node>> {
        let (one, other) = match (one, other) {
            (Some(one), Some(other)) => (one, other),
            (one, other) => return Ok(one.or(other)),
        };
        match (one, other) {
            (Node::Table(one), Node::Table(other)) => {
                self.join_tables(path, one, other).map(Node::Table)
            }
            (Node::Table(table), value) | (value, Node::Table(table)) => {
                self.choose(path, value, table)
            }
            (one, other) => Err(two_values(path, &one, &other)),
        }
        .map(Some)
    }

    fn join_tables(&mut self, path: &str, one: Table, other: Table) -> Result<Table> {
        let mut out = Vec::with_capacity(one.0.len() + other.0.len());
        let mut others = other.0.into_iter().peekable();
        for (name, node) in one.0 {
            while let Some(before) = others.next_if(|(other, _)| *other < name) {
                out.push(before);
            }
            let node = match others.next_if(|(other, _)| *other == name) {
                Some((_, other)) => {
                    let path = format!("{path}{JOINT}{name}");
                    self.join(&path, Some(node), Some(other))?
                }
                None => Some(node),
            };
            out.extend(node.map(|node| (name, node)));
        }
        out.extend(others);
        Ok(Table(out))
    }

    fn choose(&mut self, path: &str, value: Node, table: Table) -> Result<Node> {
        let table = Node::Table(table);
        let Some((above, below)) = origin(&value).zip(origin(&table)) else {
            // An empty table claims nothing.
            return Ok(value);
        };
        match self.conflict {
            Conflict::Error => Err(claimed(
                path,
                format!(
                    "claimed as a value by {} and as a table by {}; rename one, narrow the selectors or choose \
                     on_conflict",
                    who(above),
                    who(below)
                ),
                above,
            )),
            Conflict::KeepBranch => {
                self.hide(&value, &who(below));
                Ok(table)
            }
            Conflict::KeepLeaf => {
                self.hide(&table, &who(above));
                Ok(value)
            }
        }
    }

    fn hide(&mut self, node: &Node, by: &str) {
        for origin in origins(node) {
            let by = by.to_owned();
            let kind = TreeWarningKind::Hidden { by };
            self.warnings
                .push(TreeWarning::new(&origin.selected.setting, kind));
        }
    }
}

fn two_values(path: &str, one: &Node, other: &Node) -> Error {
    match origin(one).zip(origin(other)) {
        Some((one, other)) => claimed(
            path,
            format!(
                "claimed both by {} and by {}; rename one or narrow the selectors",
                who(one),
                who(other)
            ),
            one,
        ),
        None => Error::new(ErrorKind::Conflict, "two empty lists claim this path"),
    }
}

fn claimed(path: &str, message: String, first: &Origin) -> Error {
    Error::new(ErrorKind::Conflict, message)
        .with_path(printable(&path.replace(JOINT, ".")))
        .with_named_setting(first.key(), first.label())
}

fn who(origin: &Origin) -> String {
    let key = printable(origin.key());
    match origin.label() {
        Some(label) => format!("key '{key}', label '{}'", printable(label)),
        None => format!("key '{key}', no label"),
    }
}

/// The setting that stands for a node: its own, or the first below it.
pub(super) fn origin(node: &Node) -> Option<&Arc<Origin>> {
    match node {
        Node::Leaf(leaf) => Some(&leaf.origin),
        Node::List(List { items, origin: own }) => {
            own.as_ref().or_else(|| items.iter().find_map(origin))
        }
        Node::Table(table) => table.0.iter().find_map(|(_, node)| origin(node)),
    }
}

/// Every setting at or below a node, once.
fn origins(node: &Node) -> Vec<&Origin> {
    fn add<'n>(node: &'n Node, seen: &mut BTreeSet<*const Origin>, out: &mut Vec<&'n Origin>) {
        let own = match node {
            Node::Leaf(leaf) => Some(&leaf.origin),
            Node::List(list) => list.origin.as_ref(),
            Node::Table(_) => None,
        };
        match (own, node) {
            (Some(own), _) if seen.insert(Arc::as_ptr(own)) => out.push(own),
            (None, Node::List(list)) => list.items.iter().for_each(|item| add(item, seen, out)),
            (None, Node::Table(table)) => table.0.iter().for_each(|(_, node)| add(node, seen, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    add(node, &mut BTreeSet::new(), &mut out);
    out
}
