//! Stand-ins for rooms that are being built on other branches. Gone when they are merged.

use std::collections::BTreeSet;

use config::{Map, Value, ValueKind};

use crate::error::{Error, ErrorKind, Result};

/// Stands for `setting::Warning`.
#[derive(Debug, Clone)]
pub struct Warning;

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a warning")
    }
}

/// Stands for `tree::ChangeSet`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet(pub(crate) BTreeSet<String>);

impl ChangeSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Stands for `tree::Tree`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree(pub(crate) Map<String, Value>);

impl Tree {
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.0.clone()
    }

    pub(crate) fn merge_into(&self, cache: &mut Value) {
        if let ValueKind::Table(table) = &mut cache.kind {
            for (key, value) in &self.0 {
                table.insert(key.clone(), value.clone());
            }
        }
    }

    pub(crate) fn diff(old: &Self, new: &Self) -> ChangeSet {
        let names = old.0.keys().chain(new.0.keys());
        ChangeSet(
            names
                .filter(|name| old.0.get(*name) != new.0.get(*name))
                .cloned()
                .collect(),
        )
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl serde::Serialize for Tree {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.keys())
    }
}

/// Stands for `de::from_value`.
pub(crate) fn from_value<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    value
        .clone()
        .try_deserialize()
        .map_err(|_| Error::new(ErrorKind::InvalidValue, "a value does not fit"))
}
