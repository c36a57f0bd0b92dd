//! What a provider reads is a flat map of keys; what this library reads is a tree. One is compared with the other.

use serde_json::{Map, Value};

/// The paths at which the tree made of `theirs` differs from `ours`, with both values.
pub fn differences(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Vec<String> {
    let mut different = Vec::new();
    compare(
        "",
        &nested(theirs),
        &Value::Object(ours.clone()),
        &mut different,
    );
    different
}

fn nested(flat: &Map<String, Value>) -> Value {
    let mut root = Map::new();
    for (key, value) in flat {
        let mut segments: Vec<&str> = key.split(':').collect();
        let last = segments.pop().expect("a key has a segment");
        let table = segments.into_iter().fold(&mut root, |table, segment| {
            let child = table
                .entry(segment)
                .or_insert_with(|| Value::Object(Map::new()));
            child
                .as_object_mut()
                .expect("no key of the data set is leaf and branch")
        });
        table.insert(last.to_owned(), value.clone());
    }
    listed(Value::Object(root))
}

/// Takes away what the Python provider adds to every feature flag: fields that are null, and the ETag of a flag that
/// has telemetry off (provider-spec 6.3).
pub fn take_additions(tree: &mut Map<String, Value>) {
    let flags = tree.get_mut("feature_management");
    let flags = flags.and_then(|management| management.get_mut("feature_flags"));
    for flag in flags
        .and_then(Value::as_array_mut)
        .expect("a list of flags")
    {
        let flag = flag.as_object_mut().expect("a flag");
        flag.retain(|name, value| match name.as_str() {
            "telemetry" => value.get("enabled") == Some(&Value::Bool(true)),
            _ => !value.is_null(),
        });
    }
}

/// Tables of which the names count from 0 are lists, as in the JavaScript provider's own configuration object.
fn listed(value: Value) -> Value {
    let Value::Object(table) = value else {
        return value;
    };
    let counts =
        !table.is_empty() && (0..table.len()).all(|index| table.contains_key(&index.to_string()));
    if counts {
        let items = (0..table.len()).map(|index| table[&index.to_string()].clone());
        return Value::Array(items.map(listed).collect());
    }
    Value::Object(
        table
            .into_iter()
            .map(|(name, value)| (name, listed(value)))
            .collect(),
    )
}

fn compare(path: &str, theirs: &Value, ours: &Value, different: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for name in theirs
                .keys()
                .chain(ours.keys().filter(|name| !theirs.contains_key(*name)))
            {
                let path = format!("{path}/{name}");
                match (theirs.get(name), ours.get(name)) {
                    (Some(theirs), Some(ours)) => compare(&path, theirs, ours, different),
                    (theirs, ours) => different.push(format!("{path}: {theirs:?} and {ours:?}")),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                compare(&format!("{path}/{index}"), theirs, ours, different);
            }
        }
        // JavaScript has one kind of number, Python and Rust have two.
        (Value::Number(theirs), Value::Number(ours)) if theirs.as_f64() == ours.as_f64() => {}
        _ if theirs == ours => {}
        _ => different.push(format!("{path}: {theirs} and {ours}")),
    }
}

#[test]
fn the_comparison_sees_every_kind_of_difference() {
    let theirs = serde_json::json!({"a:b": 1, "a:c:0": 1.0, "a:c:1": "x", "d": null});
    let object = |value: &Value| value.as_object().expect("an object").clone();
    let same = serde_json::json!({"a": {"b": 1.0, "c": [1, "x"]}, "d": null});
    assert_eq!(
        differences(&object(&theirs), &object(&same)),
        Vec::<String>::new()
    );
    for other in [
        serde_json::json!({"a": {"b": 2, "c": [1, "x"]}, "d": null}),
        serde_json::json!({"a": {"b": "1", "c": [1, "x"]}, "d": null}),
        serde_json::json!({"a": {"b": 1, "c": [1]}, "d": null}),
        serde_json::json!({"a": {"b": 1, "c": [1, "y"]}, "d": null}),
        serde_json::json!({"a": {"b": 1, "c": [1, "x"]}}),
        serde_json::json!({"a": {"b": 1, "c": [1, "x"]}, "d": null, "e": 1}),
        serde_json::json!({"a": {"b": 1, "c": [1, "x"]}, "d": {}}),
    ] {
        assert_eq!(
            differences(&object(&theirs), &object(&other)).len(),
            1,
            "{other}"
        );
    }
}
