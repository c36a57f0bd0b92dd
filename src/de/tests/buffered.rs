//! What serde buffers before it knows the type.

use super::*;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Deserialize)]
struct Pool {
    min: u8,
    max: u8,
    ratio: f32,
    eager: bool,
    name: String,
}

fn pool(prefix: &str) -> Vec<Given> {
    [
        ("min", "1"),
        ("max", "2"),
        ("ratio", "0.5"),
        ("eager", "yes"),
        ("name", "7"),
    ]
    .map(|(name, value)| text(&format!("{prefix}{name}"), value))
    .into()
}

fn expected() -> Pool {
    Pool {
        min: 1,
        max: 2,
        ratio: 0.5,
        eager: true,
        name: "7".into(),
    }
}

#[test]
fn flattened() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        pool: Pool,
        #[serde(flatten)]
        rest: BTreeMap<String, String>,
    }
    let mut given = pool("");
    given.push(text("other", "8"));
    let outer: Outer = read(&given);
    assert_eq!(outer.pool, expected());
    assert_eq!(outer.rest, [("other".to_owned(), "8".to_owned())].into());
}

#[test]
fn many_flattened_cost_few_passes() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        pool: Pool,
    }
    let given: Vec<Given> = (0..200)
        .flat_map(|i| pool(&format!("pools:{i}:")))
        .collect();
    let pools: BTreeMap<String, Vec<Outer>> = read(&given);
    assert_eq!(pools["pools"].len(), 200);
    assert!(pools["pools"].iter().all(|outer| outer.pool == expected()));
}

#[test]
fn tagged_inside_and_beside() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Inside {
        Pool(Pool),
        Other { size: u64 },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", content = "content", rename_all = "snake_case")]
    enum Beside {
        Pool(Pool),
    }
    let mut given = pool("x:");
    given.push(text("x:kind", "pool"));
    assert_eq!(
        read::<BTreeMap<String, Inside>>(&given)["x"],
        Inside::Pool(expected())
    );
    let given = [
        text("x:kind", "other"),
        text("x:size", "18446744073709551615"),
    ];
    let size = u64::MAX;
    assert_eq!(
        read::<BTreeMap<String, Inside>>(&given)["x"],
        Inside::Other { size }
    );
    let mut given = pool("x:content:");
    given.push(text("x:kind", "pool"));
    assert_eq!(
        read::<BTreeMap<String, Beside>>(&given)["x"],
        Beside::Pool(expected())
    );
}

#[test]
fn untagged() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Shape {
        Circle { radius: u32 },
        Square { side: f64, solid: bool },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum PortOrName {
        Port(u16),
        Name(String),
    }
    type Shapes = BTreeMap<String, Shape>;
    let circle = &read::<Shapes>(&[text("x:radius", "3")])["x"];
    assert_eq!(*circle, Shape::Circle { radius: 3 });
    let square = &read::<Shapes>(&[text("x:side", "1.5"), text("x:solid", "true")])["x"];
    assert_eq!(
        *square,
        Shape::Square {
            side: 1.5,
            solid: true
        }
    );
    // The limit: text fits a variant, so it stays text. Typed JSON says what is meant.
    type Ports = BTreeMap<String, PortOrName>;
    assert_eq!(
        read::<Ports>(&[text("x", "80")])["x"],
        PortOrName::Name("80".into())
    );
    assert_eq!(read::<Ports>(&[json("x", "80")])["x"], PortOrName::Port(80));
}

#[test]
fn likes_that_are_not_alike() {
    // Of the same name and equally deep, once a number and once a text.
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        a: Numbered,
        b: Named,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Numbered {
        #[serde(flatten)]
        version: NumberVersion,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Named {
        #[serde(flatten)]
        version: TextVersion,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct NumberVersion {
        version: u32,
        other: u32,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct TextVersion {
        version: String,
        other: u32,
    }
    #[derive(Debug, Deserialize)]
    struct Root {
        #[serde(flatten)]
        outer: Outer,
    }
    let given = [
        text("a:version", "1"),
        text("a:other", "2"),
        text("b:version", "1"),
        text("b:other", "3"),
    ];
    let root: Root = read(&given);
    assert_eq!(root.outer.a.version.version, 1);
    assert_eq!(root.outer.b.version.version, "1");
}

#[test]
fn a_buffered_fault_still_names_its_path() {
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        _pool: Pool,
    }
    let mut given = pool("x:1:");
    given.extend(pool("x:0:"));
    given[1] = text("x:1:max", CANARY);
    insta::assert_snapshot!(
        refused::<BTreeMap<String, Vec<Outer>>>(&given),
        @"x[1].max: expected u8, found text (from x:1:max, in contoso; set the content type to application/json or fix the value)"
    );
    let config = config(&[text("x", CANARY)]);
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its errors matter")]
    enum Number {
        Small(u8),
        Large(u64),
    }
    insta::assert_snapshot!(refused_by::<BTreeMap<String, Number>>(&config), @"x: data did not match any variant of untagged enum Number (from x, in contoso)");
}
