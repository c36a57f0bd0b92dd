//! What happens where two settings meet on one path.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::printable;
use crate::{Error, ErrorKind, Result};

use super::entry::{Conflict, TreeWarning, TreeWarningKind};
use super::{List, Node, Origin, Table};

/// Decides by one policy and reports what it hides.
pub(super) struct Settler<'w> {
    conflict: Conflict,
    warnings: &'w mut Vec<TreeWarning>,
    /// The names down to the path in question.
    path: Vec<Box<str>>,
}

impl<'w> Settler<'w> {
    pub(super) fn new(conflict: Conflict, warnings: &'w mut Vec<TreeWarning>) -> Self {
        Self {
            conflict,
            warnings,
            path: Vec::new(),
        }
    }

    pub(super) fn enter(&mut self, name: &str) {
        self.path.push(name.into());
    }

    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// What stays of the values (or lists) and the table on this path.
    pub(super) fn settle(
        &mut self,
        mut values: Vec<Node>,
        table: Option<Table>,
    ) -> Result<Option<Node>> {
        // An empty table claims nothing.
        let is_claim = table.as_ref().is_some_and(|table| !table.is_empty());
        let table = table.map(Node::Table);
        let Some(branch) = table.as_ref().filter(|_| is_claim).and_then(origin) else {
            if let [one, other, ..] = values.as_slice() {
                return Err(two_values(&self.path, one, other));
            }
            return Ok(values.pop().or(table));
        };
        let Some(leaf) = values.first().and_then(origin) else {
            return Ok(table);
        };
        match self.conflict {
            Conflict::Error => Err(self.value_and_table(leaf, branch)),
            Conflict::KeepBranch => {
                let by = who(branch);
                values.iter().for_each(|value| self.hide(value, &by));
                Ok(table)
            }
            Conflict::KeepLeaf => {
                if let [one, other, ..] = values.as_slice() {
                    return Err(two_values(&self.path, one, other));
                }
                let by = who(leaf);
                if let Some(table) = &table {
                    self.hide(table, &by);
                }
                Ok(values.pop())
            }
        }
    }

    fn value_and_table(&self, leaf: &Origin, branch: &Origin) -> Error {
        let message = format!(
            "claimed as a value by {} and as a table by {}; rename one, narrow the selectors or choose on_conflict",
            who(leaf),
            who(branch)
        );
        claimed(&self.path, message, leaf)
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

fn two_values(path: &[Box<str>], one: &Node, other: &Node) -> Error {
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

fn claimed(path: &[Box<str>], message: String, first: &Origin) -> Error {
    Error::new(ErrorKind::Conflict, message)
        .with_path(printable(&path.join(".")))
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
        Node::Table(Table {
            members,
            origin: own,
        }) => own
            .as_ref()
            .or_else(|| members.iter().find_map(|(_, node)| origin(node))),
    }
}

/// Every setting at or below a node, once.
pub(super) fn origins(node: &Node) -> Vec<&Origin> {
    fn add<'n>(node: &'n Node, seen: &mut BTreeSet<*const Origin>, out: &mut Vec<&'n Origin>) {
        let own = match node {
            Node::Leaf(leaf) => Some(&leaf.origin),
            Node::List(list) => list.origin.as_ref(),
            Node::Table(table) => table.origin.as_ref(),
        };
        match (own, node) {
            (Some(own), _) if seen.insert(Arc::as_ptr(own)) => out.push(own),
            (None, Node::List(list)) => list.items.iter().for_each(|item| add(item, seen, out)),
            (None, Node::Table(table)) => {
                let nodes = table.members.iter().map(|(_, node)| node);
                nodes.for_each(|node| add(node, seen, out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    add(node, &mut BTreeSet::new(), &mut out);
    out
}
