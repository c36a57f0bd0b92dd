//! The tree of plain text settings, made in the most obvious way: `:` separates, names stay as they are.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};
use config_azure::{ConfigurationSetting, Conflict};
use serde_json::{Map as Object, Value as Json};

/// `Some(None)`: the settings contradict each other. `None`: the model has no opinion.
pub fn assemble(settings: &[ConfigurationSetting], conflict: Conflict) -> Option<Option<Json>> {
    let mut leaves: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut is_twice = false;
    for setting in settings {
        if let Some(path) = path(setting.key()) {
            let value = setting.value().unwrap_or_default().to_owned();
            is_twice |= leaves.insert(path, value).is_some();
        }
    }
    if is_twice {
        return (conflict == Conflict::Error).then_some(None);
    }
    let above =
        |path: &[String]| (1..path.len()).any(|length| leaves.contains_key(&path[..length]));
    let below = |path: &[String]| {
        leaves
            .keys()
            .any(|other| other.len() > path.len() && other.starts_with(path))
    };
    let keeps = |path: &[String]| match conflict {
        Conflict::KeepBranch => !below(path),
        Conflict::KeepLeaf => !above(path),
        _ => true,
    };
    if conflict == Conflict::Error && leaves.keys().any(|path| below(path)) {
        return Some(None);
    }
    let mut root = Object::new();
    for (path, value) in leaves.iter().filter(|(path, _)| keeps(path)) {
        let (last, parents) = path.split_last()?;
        let table = parents.iter().fold(&mut root, |table, name| {
            let child = table
                .entry(name.as_str())
                .or_insert_with(|| Json::Object(Object::new()));
            child.as_object_mut().expect("conflicts are resolved")
        });
        table.insert(last.clone(), Json::from(value.as_str()));
    }
    Some(Some(Json::Object(
        root.into_iter()
            .map(|(name, value)| (name, listed(value)))
            .collect(),
    )))
}

/// `None`: the key has no place in a tree.
fn path(key: &str) -> Option<Vec<String>> {
    let key = key.strip_prefix(':').unwrap_or(key);
    let mut names: Vec<String> = key.split(':').map(str::to_owned).collect();
    let is_odd =
        names.len() > 32 || names.iter().any(String::is_empty) || key.chars().any(char::is_control);
    names[0] = names[0].replace(['.', '[', ']'], "_");
    (!is_odd).then_some(names)
}

/// Tables whose names count from 0 are lists.
fn listed(value: Json) -> Json {
    let Json::Object(table) = value else {
        return value;
    };
    let table: Object<String, Json> = table
        .into_iter()
        .map(|(name, value)| (name, listed(value)))
        .collect();
    if table.is_empty() || !(0..table.len()).all(|index| table.contains_key(&index.to_string())) {
        return Json::Object(table);
    }
    Json::Array(
        (0..table.len())
            .map(|index| table[&index.to_string()].clone())
            .collect(),
    )
}

pub fn json_of(tree: Map<String, Value>) -> Json {
    Json::Object(
        tree.into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect(),
    )
}

fn json(value: Value) -> Json {
    match value.kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(value) => value.into(),
        ValueKind::I64(value) => value.into(),
        ValueKind::U64(value) => value.into(),
        ValueKind::I128(value) => value.to_string().into(),
        ValueKind::U128(value) => value.to_string().into(),
        ValueKind::Float(value) => value.into(),
        ValueKind::String(value) => value.into(),
        ValueKind::Table(table) => json_of(table),
        ValueKind::Array(list) => list.into_iter().map(json).collect(),
    }
}
