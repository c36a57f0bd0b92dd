use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::*;
use crate::Secret;

#[test]
fn text_is_read_as_what_the_field_wants() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        a: u8,
        b: i64,
        c: u128,
        d: i128,
        e: f64,
        f: bool,
        g: char,
        h: String,
        i: Option<u16>,
        j: Option<u16>,
        k: (u8, String),
        l: Vec<u16>,
        m: Wrapper,
        n: Secret,
        o: f32,
        p: Vec<u8>,
        q: (),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapper(u32);

    let all: All = read(&[
        text("a", "255"),
        text("b", "-9223372036854775808"),
        text("c", "340282366920938463463374607431768211455"),
        text("d", "-170141183460469231731687303715884105728"),
        text("e", "1e3"),
        text("f", "Yes"),
        text("g", "ü"),
        text("h", "007"),
        text("i", "8080"),
        json("k", r#"["1", 2.5]"#),
        text("l:0", "1"),
        text("l:1", "2"),
        text("m", "7"),
        secret("n", CANARY),
        json("o", "1"),
        json("p", "[1, 2.0, \"3\"]"),
        json("q", "{}"),
    ]);
    let expected = All {
        a: 255,
        b: i64::MIN,
        c: u128::MAX,
        d: i128::MIN,
        e: 1000.0,
        f: true,
        g: 'ü',
        h: "007".into(),
        i: Some(8080),
        j: None,
        k: (1, "2.5".into()),
        l: vec![1, 2],
        m: Wrapper(7),
        n: Secret::new(CANARY),
        o: 1.0,
        p: vec![1, 2, 3],
        q: (),
    };
    assert_eq!(all, expected);
}

#[test]
fn booleans() {
    for (word, value) in [
        ("true", true),
        ("TRUE", true),
        ("1", true),
        ("yes", true),
        ("On", true),
        ("false", false),
        ("0", false),
        ("no", false),
        ("OFF", false),
    ] {
        let read: BTreeMap<String, bool> = read(&[text("x", word)]);
        assert_eq!(read["x"], value, "{word}");
    }
    let read: BTreeMap<String, bool> = read(&[json("a", "true"), json("b", "0")]);
    assert!(read["a"] && !read["b"]);
    for json_text in ["2", "1.0", "[]", "\"y\""] {
        refused::<BTreeMap<String, bool>>(&[json("x", json_text)]);
    }
}

#[test]
fn numbers_do_not_lose_or_invent_anything() {
    type Ints = BTreeMap<String, u16>;
    assert_eq!(read::<Ints>(&[json("x", "80.0")])["x"], 80);
    for json_text in [
        "80.6", "true", "null", "\"on\"", "\" 80\"", "\"80.0\"", "-1", "70000", "1e300",
    ] {
        let given = [json("x", &format!("[{json_text}]"))];
        refused::<BTreeMap<String, Vec<u16>>>(&given);
    }
}

#[test]
fn a_float_beyond_every_integer_is_none() {
    type Wide<T> = BTreeMap<String, T>;
    let (power_126, power_127) = (
        "85070591730234615865843651857942052864.0",
        "170141183460469231731687303715884105728.0",
    );
    assert_eq!(read::<Wide<i128>>(&[json("x", power_126)])["x"], 1 << 126);
    assert_eq!(read::<Wide<u128>>(&[json("x", power_127)])["x"], 1 << 127);
    assert_eq!(read::<Wide<i128>>(&[json("x", "-1e2")])["x"], -100);
    for beyond in [power_127, "1e300", "-1e300"] {
        refused::<Wide<i128>>(&[json("x", beyond)]);
    }
    for beyond in ["340282366920938463463374607431768211456.0", "1e300", "-1.0"] {
        refused::<Wide<u128>>(&[json("x", beyond)]);
    }
}

#[test]
fn lists_and_tables_of_indices() {
    let given = [text("x:0", "a"), text("x:1", "b")];
    assert_eq!(
        read::<BTreeMap<String, Vec<String>>>(&given)["x"],
        ["a", "b"]
    );
    let by_index = &read::<BTreeMap<String, HashMap<u8, String>>>(&given)["x"];
    assert_eq!((by_index[&0].as_str(), by_index[&1].as_str()), ("a", "b"));
    // As the environment yields them.
    let variables = [("X__0", "a"), ("X__1", "b")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = config::Environment::default()
        .separator("__")
        .source(Some(variables.into_iter().collect()));
    let config = config::Config::builder()
        .add_source(environment)
        .build()
        .unwrap();
    let lists: BTreeMap<String, Vec<String>> = from_config(&config).unwrap();
    assert_eq!(lists["x"], ["a", "b"]);
    let empty: BTreeMap<String, Vec<String>> = read(&[json("x", "{}")]);
    assert!(empty["x"].is_empty());
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Debug,
    Custom(u8),
    Pair(u8, String),
    Fields { a: u8 },
}

#[test]
fn enums() {
    type Levels = BTreeMap<String, Level>;
    let levels: Levels = read(&[
        text("a", "debug"),
        text("b:custom", "1"),
        json("c", r#"{"pair": ["1", "x"]}"#),
        text("d:fields:a", "2"),
        json("e", r#"{"debug": {}}"#),
        text("f:pair:0", "3"),
        text("f:pair:1", "y"),
    ]);
    let expected = [
        ("a", Level::Debug),
        ("b", Level::Custom(1)),
        ("c", Level::Pair(1, "x".into())),
        ("d", Level::Fields { a: 2 }),
        ("e", Level::Debug),
        ("f", Level::Pair(3, "y".into())),
    ];
    assert_eq!(
        levels,
        expected
            .map(|(name, level)| (name.to_owned(), level))
            .into()
    );
}

#[test]
fn no_enum_panics() {
    type Levels = BTreeMap<String, Level>;
    for value in [
        r#""custom""#,
        r#""pair""#,
        r#""fields""#,
        r#""hunter2-CANARY""#,
        "1",
        "[]",
        "{}",
        r#"{"debug": 1}"#,
        r#"{"custom": 1, "debug": 2}"#,
        r#"{"hunter2": 1}"#,
        r#"{"fields": "hunter2-CANARY"}"#,
        r#"{"pair": [1]}"#,
        r#"{"pair": [1, "x", 3]}"#,
    ] {
        let config = config(&[json("x", value)]);
        assert!(from_config::<Levels>(&config).is_err(), "{value}");
    }
}

#[test]
fn keys_of_maps() {
    #[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Region {
        North,
    }
    let given = [text("x:north", "1")];
    assert_eq!(
        read::<BTreeMap<String, HashMap<Region, u8>>>(&given)["x"][&Region::North],
        1
    );
    let given = [text("x:north", "1"), text("x:256", "1")];
    let config = config::Config::builder()
        .set_override("x.true", 1)
        .unwrap()
        .build()
        .unwrap();
    let flags: HashMap<String, HashMap<bool, u8>> = from_config(&config).unwrap();
    assert_eq!(flags["x"][&true], 1);
    refused::<BTreeMap<String, HashMap<u8, u8>>>(&given[..]);
}

#[test]
fn durations() {
    #[derive(Debug, Deserialize)]
    struct Timeouts {
        #[serde(with = "crate::humantime")]
        connect: Duration,
        #[serde(default, with = "crate::humantime")]
        idle: Option<Duration>,
    }
    let timeouts: Timeouts = read(&[text("connect", "1m 30s")]);
    assert_eq!(
        (timeouts.connect, timeouts.idle),
        (Duration::from_secs(90), None)
    );
    let timeouts: Timeouts = read(&[text("connect", "1s"), text("idle", "250ms")]);
    assert_eq!(timeouts.idle, Some(Duration::from_millis(250)));
}

#[test]
fn borrowed_and_whole_values() {
    let json: serde_json::Value = read(&[text("a:0", "x"), json("b", r#"{"c": [1, null]}"#)]);
    assert_eq!(json.to_string(), r#"{"a":["x"],"b":{"c":[1,null]}}"#);
}
