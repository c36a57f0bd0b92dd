//! The tree for a person and for a debug page, with secrets redacted.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::error::printable;

use super::settle::origin;
use super::{Leaf, Node, Origin, Scalar, Table, Tree};

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// The most columns that are set apart for values.
const WIDEST: usize = 40;

impl fmt::Display for Tree {
    /// One line per value: path, value, setting. Lists are one value. Secrets are `[redacted]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        self.walk(&mut |path, node| rows.push([printable(path), shown(node), source(node)]));
        let width = |column: usize| {
            let lengths = rows
                .iter()
                .map(|row: &[String; 3]| row[column].chars().count());
            lengths.max().unwrap_or_default()
        };
        // One long value must not push all the others to the right.
        let (paths, values) = (width(0), width(1).min(WIDEST));
        for [path, value, source] in &rows {
            writeln!(f, "{path:paths$}  {value:values$}  {source}")?;
        }
        Ok(())
    }
}

/// The value in one line of at most about 128 characters.
fn shown(node: &Node) -> String {
    match origin(node) {
        Some(origin) if origin.redacted => REDACTED.to_owned(),
        _ => match serde_json::to_string(&Shown(node)) {
            Ok(json) => printable(&json),
            Err(_) => String::new(),
        },
    }
}

fn source(node: &Node) -> String {
    origin(node).map_or_else(String::new, |origin| describe(origin))
}

fn describe(origin: &Origin) -> String {
    let mut out = printable(origin.key());
    if let Some(label) = origin.label() {
        out.push_str(", label ");
        out.push_str(&printable(label));
    }
    if let Some(snapshot) = &origin.selected.snapshot {
        out.push_str(", snapshot ");
        out.push_str(&printable(snapshot));
    }
    if let Some(secret) = &origin.secret {
        out.push_str(" -> ");
        out.push_str(&printable(&secret.identifier));
    }
    out
}

impl Serialize for Tree {
    /// The nested tables, with `"[redacted]"` for secrets.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ShownTable(&self.root).serialize(serializer)
    }
}

struct Shown<'n>(&'n Node);

struct ShownTable<'n>(&'n Table);

impl Serialize for ShownTable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.members.len()))?;
        for (name, node) in &self.0.members {
            map.serialize_entry(&**name, &Shown(node))?;
        }
        map.end()
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Node::Table(table) => ShownTable(table).serialize(serializer),
            Node::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.items.len()))?;
                for item in &list.items {
                    seq.serialize_element(&Shown(item))?;
                }
                seq.end()
            }
            Node::Leaf(leaf) => serialize_leaf(leaf, serializer),
        }
    }
}

fn serialize_leaf<S: Serializer>(leaf: &Leaf, serializer: S) -> Result<S::Ok, S::Error> {
    if leaf.origin.redacted {
        return serializer.serialize_str(REDACTED);
    }
    match &leaf.scalar {
        Scalar::Null => serializer.serialize_unit(),
        Scalar::Bool(value) => serializer.serialize_bool(*value),
        Scalar::I64(value) => serializer.serialize_i64(*value),
        Scalar::U64(value) => serializer.serialize_u64(*value),
        Scalar::F64(value) => serializer.serialize_f64(*value),
        Scalar::Own | Scalar::Text(_) => serializer.serialize_str(leaf.text().unwrap_or_default()),
        Scalar::Secret(_) => serializer.serialize_str(REDACTED),
    }
}
