//! The tree as values of the `config` crate, each with its origin as text.

use std::sync::Arc;

use config::{Map, Value, ValueKind};

use super::{Leaf, List, Node, Origin, Scalar, Table, Tree, locate};

impl Tree {
    /// The whole tree, for `Source::collect`. No name at the top is path syntax of the `config` crate.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        Writer::new(self).map(&self.root)
    }

    /// Merges the tree into what lower layers have set: tables join, everything else replaces.
    ///
    /// What `Source::collect_to` does with the result of `to_map`, without the copy in between.
    pub(crate) fn merge_into(&self, cache: &mut Value) {
        Writer::new(self).merge(&self.root, cache);
    }
}

/// Writes values and keeps the text of the last origin, which one JSON setting needs for every value in it.
struct Writer<'t> {
    prefix: String,
    text: String,
    last: Option<&'t Arc<Origin>>,
}

impl<'t> Writer<'t> {
    fn new(tree: &Tree) -> Self {
        Self {
            prefix: locate::prefix(&tree.store),
            text: String::new(),
            last: None,
        }
    }

    fn map(&mut self, table: &'t Table) -> Map<String, Value> {
        let mut map = Map::with_capacity(table.members.len());
        for (name, node) in &table.members {
            map.insert(String::from(&**name), self.value(node));
        }
        map
    }

    fn merge(&mut self, table: &'t Table, into: &mut Value) {
        let ValueKind::Table(map) = &mut into.kind else {
            *into = Value::new(None, ValueKind::Table(self.map(table)));
            return;
        };
        map.reserve(table.members.len());
        for (name, node) in &table.members {
            match (node, map.get_mut(&**name)) {
                (Node::Table(table), Some(lower)) => self.merge(table, lower),
                (node, Some(lower)) => *lower = self.value(node),
                (node, None) => {
                    map.insert(String::from(&**name), self.value(node));
                }
            }
        }
    }

    fn value(&mut self, node: &'t Node) -> Value {
        match node {
            Node::Table(table) => Value::new(None, ValueKind::Table(self.map(table))),
            Node::List(List { items, origin }) => {
                let items = items.iter().map(|item| self.value(item)).collect();
                let kind = ValueKind::Array(items);
                match origin {
                    Some(origin) => Value::new(Some(self.origin(origin)), kind),
                    None => Value::new(None, kind),
                }
            }
            Node::Leaf(leaf) => Value::new(Some(self.origin(&leaf.origin)), kind(leaf)),
        }
    }

    fn origin(&mut self, origin: &'t Arc<Origin>) -> &String {
        if !self.last.is_some_and(|last| Arc::ptr_eq(last, origin)) {
            self.text.clear();
            self.text.push_str(&self.prefix);
            locate::write(origin, &mut self.text);
            self.last = Some(origin);
        }
        &self.text
    }
}

fn kind(leaf: &Leaf) -> ValueKind {
    match &leaf.scalar {
        Scalar::Null => ValueKind::Nil,
        Scalar::Bool(value) => ValueKind::Boolean(*value),
        Scalar::I64(value) => ValueKind::I64(*value),
        Scalar::U64(value) => ValueKind::U64(*value),
        Scalar::F64(value) => ValueKind::Float(*value),
        Scalar::Own | Scalar::Text(_) | Scalar::Secret(_) => {
            ValueKind::String(leaf.text().unwrap_or_default().to_owned())
        }
    }
}
