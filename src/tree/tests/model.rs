//! The tree against a naive model, and against itself in other orders.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::*;

/// What one path holds in the model: everything that claims it.
#[derive(Default)]
struct Slot {
    leaves: Vec<Json>,
    /// A JSON object stands here. An empty one claims nothing.
    is_table: bool,
    below: BTreeMap<String, Slot>,
}

impl Slot {
    fn claim(&mut self, path: &[String], value: Json) {
        match (path, value) {
            ([name, rest @ ..], value) => {
                self.below
                    .entry(name.clone())
                    .or_default()
                    .claim(rest, value);
            }
            // A JSON object is the same as a key for each of its members.
            ([], Json::Object(members)) => {
                self.is_table = true;
                for (name, value) in members {
                    self.claim(&[name], value);
                }
            }
            ([], value) => self.leaves.push(value),
        }
    }

    /// `Err` if two settings claim one path.
    fn settle(self, conflict: Conflict) -> Result<Json, ()> {
        let mut leaves = self.leaves.into_iter();
        let (leaf, more) = (leaves.next(), leaves.next().is_some());
        if self.below.is_empty() {
            let empty = self.is_table.then(|| Json::Object(Map::new()));
            return if more {
                Err(())
            } else {
                leaf.or(empty).ok_or(())
            };
        }
        let table = settle_table(self.below, conflict)?;
        match (leaf, conflict) {
            (None, _) | (_, Conflict::KeepBranch) => Ok(table),
            (Some(leaf), Conflict::KeepLeaf) if !more => Ok(leaf),
            _ => Err(()),
        }
    }
}

fn settle_table(below: BTreeMap<String, Slot>, conflict: Conflict) -> Result<Json, ()> {
    let mut table = Map::new();
    for (name, slot) in below {
        table.insert(name, slot.settle(conflict)?);
    }
    let list: Option<Vec<Json>> = (0..table.len())
        .map(|index| table.get(&index.to_string()).cloned())
        .collect();
    Ok(match list {
        Some(list) => Json::Array(list),
        None => Json::Object(table),
    })
}

fn model(given: &[Given], conflict: Conflict) -> Result<Json, ()> {
    let mut root = Slot::default();
    for one in given {
        let setting = &one.selected.setting;
        let path: Vec<String> = setting
            .key()
            .split(':')
            .map(|name| KeyCase::Snake.convert(name).into_owned())
            .collect();
        let value = match setting.content_type() {
            Some(_) => serde_json::from_str(setting.value().unwrap()).unwrap(),
            None => Json::from(setting.value().unwrap()),
        };
        root.claim(&path, value);
    }
    let mut table = Map::new();
    for (name, slot) in root.below {
        table.insert(name, slot.settle(conflict)?);
    }
    Ok(Json::Object(table))
}

/// Few names, so that they meet often.
fn settings() -> impl Strategy<Value = Vec<Given>> {
    let name = prop::sample::select(vec!["a", "A", "b", "0", "1", "x_y", "xY"]);
    let key = prop::collection::vec(name, 1..4).prop_map(|names| names.join(":"));
    let value = prop_oneof![
        3 => "[a-z]{0,3}".prop_map(|value| (value, false)),
        1 => prop::sample::select(vec![
            "{}", r#"{"a": 1}"#, r#"{"b": {"a": true, "c": [1, 2]}}"#, "[1, \"x\"]", "7", r#"{"0": 1}"#,
        ])
        .prop_map(|value| (value.to_owned(), true)),
    ];
    prop::collection::vec((key, value), 0..8).prop_map(|pairs| {
        let unique: BTreeMap<String, (String, bool)> = pairs.into_iter().collect();
        let settings = unique.into_iter().map(|(key, (value, is_json))| {
            if is_json {
                json(&key, &value)
            } else {
                text(&key, &value)
            }
        });
        settings.collect()
    })
}

fn conflicts() -> impl Strategy<Value = Conflict> {
    prop::sample::select(vec![
        Conflict::Error,
        Conflict::KeepBranch,
        Conflict::KeepLeaf,
    ])
}

/// Members of a JSON object that are indices stay a table: the author wrote one. The model makes lists of them.
fn lists_only(json: Json) -> Json {
    match json {
        Json::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (name, lists_only(value)));
            let members: Map<String, Json> = members.collect();
            let list: Option<Vec<Json>> = (0..members.len())
                .map(|index| members.get(&index.to_string()).cloned())
                .collect();
            match list {
                Some(list) if !list.is_empty() => Json::Array(list),
                _ => Json::Object(members),
            }
        }
        Json::Array(items) => Json::Array(items.into_iter().map(lists_only).collect()),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_tree_is_what_the_model_says(given in settings(), conflict in conflicts()) {
        let shape = Shape { conflict, ..Shape::default() };
        let tree = try_grow(&given, &shape).map(|(tree, _)| match serde_json::to_value(&tree).unwrap() {
            Json::Object(members) => {
                Json::Object(members.into_iter().map(|(name, value)| (name, lists_only(value))).collect())
            }
            other => other,
        });
        prop_assert_eq!(tree.map_err(|_| ()), model(&given, conflict));
    }

    #[test]
    fn no_order_makes_a_difference(given in settings(), conflict in conflicts(), seed: u64) {
        let shape = Shape { conflict, ..Shape::default() };
        let said = |given: &[Given]| match try_grow(given, &shape) {
            Ok((tree, mut warnings)) => {
                warnings.sort_by_key(ToString::to_string);
                (tree.to_string(), shown(&tree), format!("{warnings:?}"))
            }
            Err(error) => (error.to_string(), String::new(), String::new()),
        };
        let mut other = given.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        prop_assert_eq!(said(&given), said(&other));
    }

    #[test]
    fn whatever_a_key_holds_both_builders_agree(
        keys in prop::collection::vec("[a-cA-C.:\\[\\]0-9_ /\\-ü\u{0}]{0,12}", 0..12),
        case in prop::sample::select(vec![KeyCase::Snake, KeyCase::Lower, KeyCase::Preserve]),
    ) {
        let given: Vec<Given> = keys.iter().map(|key| text(key, "1")).collect();
        let rules = KeyRules::new(Vec::new(), vec![":".into()], case).unwrap();
        let shape = Shape { keys: rules, conflict: Conflict::KeepBranch, ..Shape::default() };
        // Two keys on one path are an error, which both builders never see.
        if let Ok((tree, _)) = try_grow(&given, &shape) {
            let tree = Arc::new(tree);
            let [sync, asynchronous] = builders::both("{}", &tree, &[]);
            prop_assert_eq!(&sync, &asynchronous);
            prop_assert_eq!(sync.into_table().unwrap(), tree.to_map());
        }
    }

    #[test]
    fn a_diff_is_empty_for_equal_trees_only(old in settings(), new in settings(), conflict in conflicts()) {
        let shape = Shape { conflict, ..Shape::default() };
        if let (Ok((old, _)), Ok((new, _))) = (try_grow(&old, &shape), try_grow(&new, &shape)) {
            prop_assert_eq!(Tree::diff(&old, &new).is_empty(), shown(&old) == shown(&new));
        }
    }

    #[test]
    fn snake_case_is_reached_at_once(name in "\\PC{0,12}") {
        let once = KeyCase::Snake.convert(&name).into_owned();
        prop_assert_eq!(KeyCase::Snake.convert(&once), once.as_str());
        let has_lower = |c: char| c.to_lowercase().next() != Some(c);
        prop_assert!(!once.contains(|c: char| has_lower(c) || c.is_whitespace()));
    }
}

#[test]
fn two_hundred_shuffles_one_tree() {
    let mut given: Vec<Given> = (0..300)
        .map(|i| text(&format!("Section{}:Key{i}:Name", i % 17), "v"))
        .collect();
    given.push(json("Section3", r#"{"deep": {"list": [1, 2]}}"#));
    given.extend((0..20).map(|i| text(&format!("Section4:Hosts:{i}"), "h")));
    let expected = grow(&given);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        random.shuffle(&mut given);
        let tree = grow(&given);
        assert_eq!(tree.to_string(), expected.to_string());
        assert_eq!(tree.to_map(), expected.to_map());
        assert!(Tree::diff(&expected, &tree).is_empty());
    }
}
