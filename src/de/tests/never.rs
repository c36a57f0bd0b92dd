//! f90, T7: whatever stands where, nothing panics and no error holds a value.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Secret;

/// All that serde can be asked for.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its errors matter")]
struct Everything {
    a: u16,
    b: Option<bool>,
    c: Vec<Choice>,
    d: HashMap<u8, f32>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its errors matter")]
struct Rest {
    e: Option<Box<Tagged>>,
    f: Untagged,
    #[serde(default, with = "crate::humantime")]
    g: Option<Duration>,
    h: (u8, char),
    i: Secret,
    j: std::net::SocketAddr,
    k: std::path::PathBuf,
    l: (),
    m: i128,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its errors matter")]
enum Choice {
    Unit,
    Newtype(u8),
    Tuple(u8, bool),
    Fields { a: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "a", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its errors matter")]
enum Tagged {
    Unit,
    Fields { b: u8, c: Choice },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its errors matter")]
enum Untagged {
    Small(u8),
    Fields { a: i64, b: bool },
    List(Vec<f64>),
}

/// Every value holds the canary, except those that a type might take.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        4 => Just(serde_json::json!(CANARY)),
        1 => prop::sample::select(vec![
            serde_json::json!(null), serde_json::json!(true), serde_json::json!(1), serde_json::json!(70_000),
            serde_json::json!(1.5), serde_json::json!("1"), serde_json::json!("true"), serde_json::json!(""),
            serde_json::json!("unit"), serde_json::json!("newtype"), serde_json::json!("30s"),
            serde_json::json!("127.0.0.1:80"),
        ]),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let name = prop::sample::select(vec![
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "0", "1", "unit",
            "newtype", "tuple", "fields", "A",
        ]);
        let members = prop::collection::btree_map(name, inner.clone(), 0..14);
        prop_oneof![
            3 => members.prop_map(|members| serde_json::json!(members)),
            1 => prop::collection::vec(inner, 0..4).prop_map(|items| serde_json::json!(items)),
        ]
    })
}

fn quiet<T: DeserializeOwned>(config: &config::Config) {
    if let Err(error) = from_config::<T>(config) {
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                !shown.contains("CANARY") && !shown.contains("hunter2"),
                "{shown}"
            );
            assert!(!shown.contains("70000"), "{shown}");
        }
        let again = from_config::<T>(config)
            .err()
            .map(|error| error.to_string());
        assert_eq!(again, Some(error.to_string()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_value_is_ever_said(value in value(), secret_text: bool) {
        let text = value.to_string();
        let setting = if secret_text { secret("x", CANARY) } else { json("x", &text) };
        let config = config(&[setting, json("y", &text)]);
        quiet::<BTreeMap<String, Everything>>(&config);
        quiet::<BTreeMap<String, Rest>>(&config);
        quiet::<BTreeMap<String, Choice>>(&config);
        quiet::<BTreeMap<String, Tagged>>(&config);
        quiet::<BTreeMap<String, Untagged>>(&config);
        quiet::<BTreeMap<String, serde_json::Value>>(&config);
    }
}
