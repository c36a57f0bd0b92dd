//! T11, T12: what a key or a value of bad will can cost.

use std::fmt::Write as _;

use super::*;
use crate::ErrorKind;

/// A bound on how much a tree of these settings holds, in nodes: what memory is proportional to, beside the texts.
fn nodes(tree: &Tree) -> usize {
    fn of(node: &Node) -> usize {
        1 + match node {
            Node::Leaf(_) => 0,
            Node::List(list) => list.items.iter().map(of).sum(),
            Node::Table(table) => table.members.iter().map(|(_, node)| of(node)).sum(),
        }
    }
    tree.root.members.iter().map(|(_, node)| of(node)).sum()
}

#[test]
fn t12_a_key_costs_no_more_than_its_names() {
    let deep = ["x"; 40].join(":");
    let keys = [
        "a[9999999]",
        "a[-9999999]",
        "a[18446744073709551616]",
        "hosts:9999999",
        "hosts:0:9999999",
        "hosts:4294967296",
        ".",
        "..",
        "a..b",
        "a.",
        "",
        ":",
        "\u{202e}evil",
        "e\u{301}",
        "é",
        "%00",
        "k=v;x",
        "' OR 1=1",
        "{{x}}",
        "$(x)",
        "a\u{7f}b",
        &deep,
        &"k".repeat(10_000),
        &"K-".repeat(5_000),
    ];
    for case in [KeyCase::Snake, KeyCase::Lower, KeyCase::Preserve] {
        for key in keys {
            let shape = Shape {
                keys: KeyRules::new(Vec::new(), vec![":".into(), ".".into()], case).unwrap(),
                ..Shape::default()
            };
            let (tree, warnings) = try_grow(&[text(key, "v")], &shape).unwrap();
            assert!(nodes(&tree) <= 32, "{key:?}");
            assert!(
                tree.leaves() + warnings.len() == 1 || tree.leaves() == 1,
                "{key:?}"
            );
            let config = config::Config::builder().add_source(Layer(Arc::new(tree)));
            let cache = config.build().unwrap().cache;
            assert!(size(&cache) <= 33, "{key:?}");
        }
    }
}

/// How many values there are in what the `config` crate made of it.
fn size(value: &config::Value) -> usize {
    1 + match &value.kind {
        config::ValueKind::Table(table) => table.values().map(size).sum(),
        config::ValueKind::Array(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}

#[test]
fn f70_the_same_result_every_time() {
    let given: Vec<Given> = [
        "a", "A:b", "c", "c.d", "é", "e\u{301}", "x.y", "x:y:z", "x:Y:w", "", "a:",
    ]
    .map(|key| text(key, "v"))
    .into();
    let shape = Shape {
        keys: KeyRules::new(Vec::new(), vec![":".into(), ".".into()], KeyCase::Snake).unwrap(),
        conflict: Conflict::KeepBranch,
        ..Shape::default()
    };
    let first = try_grow(&given, &shape).unwrap();
    for _ in 0..200 {
        let again = try_grow(&given, &shape).unwrap();
        assert_eq!(again.0.to_string(), first.0.to_string());
        assert_eq!(again.1, first.1);
        let built = config::Config::builder().add_source(Layer(Arc::new(again.0)));
        assert_eq!(
            built.build().unwrap().cache.into_table().unwrap(),
            first.0.to_map()
        );
    }
}

/// Two keys for one path are one error, which names both, however they come.
#[test]
fn f70_two_keys_for_one_path_are_the_same_error_every_time() {
    let shape = Shape {
        keys: KeyRules::new(Vec::new(), vec![":".into(), ".".into()], KeyCase::Snake).unwrap(),
        ..Shape::default()
    };
    for [one, other] in [["a", "a.b"], ["A", "a"], ["a:b", "A.b"]] {
        let said = |keys: [&str; 2]| {
            let error = try_grow(&keys.map(|key| text(key, "v")), &shape).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            error.to_string()
        };
        let first = said([one, other]);
        assert!(first.contains(&format!("'{one}'")) && first.contains(&format!("'{other}'")));
        for _ in 0..100 {
            assert_eq!(said([one, other]), first);
            assert_eq!(said([other, one]), first);
        }
    }
}

fn kept_as_text(value: &str) {
    let given = [json("x", value)];
    let (tree, warnings) = try_grow(&given, &Shape::default()).unwrap();
    assert_eq!(tree.leaves(), 1);
    assert_eq!(
        tree.find("x").and_then(|node| match node {
            Node::Leaf(leaf) => leaf.text(),
            _ => None,
        }),
        Some(value)
    );
    assert_eq!(warnings.len(), 1);
}

#[test]
fn f69_a_number_of_ten_megabytes_is_one_value() {
    let given = [json("x", &"9".repeat(10_000_000))];
    let (tree, _) = try_grow(&given, &Shape::default()).unwrap();
    assert_eq!((tree.leaves(), nodes(&tree)), (1, 1));
}

fn a_million_keys() -> String {
    let mut object = String::from("{");
    for key in 0..1_000_000 {
        write!(object, "\"k{key}\":1,").unwrap();
    }
    object + "\"x\":1}"
}

#[test]
fn f69_json_without_end() {
    kept_as_text(&"[".repeat(1_000_000));
    kept_as_text(&format!("/**/{}", "[".repeat(1_000_000)));
    kept_as_text(&"{\"a\":".repeat(1_000_000));
    kept_as_text(&format!("{}1{}", "[".repeat(33), "]".repeat(33)));
    kept_as_text(&format!("[{}1]", "1,".repeat(10_000)));
    kept_as_text(&format!("[{}[]]", "[],".repeat(10_000)));
    kept_as_text(&a_million_keys());
    kept_as_text(&format!("{{{}\"a\":1}}", "\"a\":1,".repeat(1_000_000)));
    kept_as_text("\"\\ud800\"");
    kept_as_text("{\"a\": 1} {\"a\": 2}");
    kept_as_text("[1, 2,]");
    kept_as_text("{'a': 1}");
    kept_as_text("NaN");
    kept_as_text("/* open");
}

#[test]
fn what_is_just_small_enough() {
    let deepest = format!("{}1{}", "[".repeat(32), "]".repeat(32));
    let largest = format!("[{}1]", "1,".repeat(9_999));
    let given = [
        json("deep", &deepest),
        json("large", &largest),
        json("bom", "\u{feff}{\"a\": 1}"),
        json("commented", "// why\n{\"a\": /* here */ 1}"),
        json(
            "big",
            "[18446744073709551615, -9223372036854775808, 1e400, 123456789012345678901234567890]",
        ),
    ];
    let (tree, warnings) = try_grow(&given, &Shape::default()).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        tree.find("commented.a").map(|node| node.is_null()),
        Some(false)
    );
    assert_eq!(nodes(&tree), 33 + 10_001 + 2 + 2 + 1);
}

#[test]
fn t11_too_many_in_all() {
    let list = format!("[{}1]", "1,".repeat(8_999));
    let given: Vec<Given> = (0..12).map(|i| json(&format!("k{i}"), &list)).collect();
    let error = try_grow(&given, &Shape::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        "the selected settings hold more than 100000 values"
    );
    let keys: Vec<Given> = (0..100_001).map(|i| text(&format!("k{i}"), "")).collect();
    assert_eq!(
        try_grow(&keys, &Shape::default()).unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    assert_eq!(grow(&keys[1..]).leaves(), 100_000);
}

#[test]
fn a_flat_hundred_thousand_in_reverse() {
    // Quadratic work would take minutes here.
    let keys: Vec<Given> = (0..100_000)
        .rev()
        .map(|i| text(&format!("Key{i:06}"), ""))
        .collect();
    assert_eq!(grow(&keys).leaves(), 100_000);
}
