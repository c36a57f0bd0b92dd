//! What serde buffers before it knows the type.

use super::*;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, PartialEq, Deserialize)]
struct Pool {
    min: u8,
    max: u8,
    ratio: f32,
    eager: bool,
    name: String,
    #[serde(with = "crate::humantime")]
    timeout: Duration,
    #[serde(default, with = "crate::humantime")]
    pause: Option<Duration>,
    #[serde(default, with = "crate::humantime")]
    never: Option<Duration>,
}

fn pool(prefix: &str) -> Vec<Given> {
    [
        ("min", "1"),
        ("max", "2"),
        ("ratio", "0.5"),
        ("eager", "yes"),
        ("name", "7"),
        ("timeout", "1m 30s"),
        ("pause", "250ms"),
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
        timeout: Duration::from_secs(90),
        pause: Some(Duration::from_millis(250)),
        never: None,
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

/// Numbers, but one name of them is a text in a place that is as deep.
#[test]
fn one_unlike_name_among_many() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        pools: BTreeMap<String, Flat>,
        other: BTreeMap<String, Flags>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        pool: Pool,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flags {
        #[serde(flatten)]
        texts: BTreeMap<String, String>,
    }
    let pools = (0..200).flat_map(|i| pool(&format!("pools:p{i}:")));
    let mut given: Vec<Given> = pools.collect();
    given.extend([text("other:one:max", "2"), text("other:one:eager", "yes")]);
    let outer: Outer = read(&given);
    assert_eq!(outer.pools.len(), 200);
    assert!(outer.pools.values().all(|flat| flat.pool == expected()));
    assert_eq!(outer.other["one"].texts["max"], "2");
    assert_eq!(outer.other["one"].texts["eager"], "yes");
}

/// Each of many likes is wanted as something else than the one before.
#[test]
fn more_unlike_names_than_a_fixed_number_of_tries() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Limit {
        Number { value: u8 },
        Text { value: String },
    }
    let given = (0..200).flat_map(|i| {
        let kind = if i % 2 == 0 { "number" } else { "text" };
        let at = |name: &str| format!("limits:l{i:03}:{name}");
        [text(&at("kind"), kind), text(&at("value"), &i.to_string())]
    });
    let given: Vec<Given> = given.collect();
    let limits: BTreeMap<String, BTreeMap<String, Limit>> = read(&given);
    assert_eq!(limits["limits"].len(), 200);
    assert_eq!(limits["limits"]["l198"], Limit::Number { value: 198 });
    let value = "199".to_owned();
    assert_eq!(limits["limits"]["l199"], Limit::Text { value });
}

/// A number that its like can hold and it cannot is told with its place.
#[test]
fn out_of_the_range_of_its_own_type() {
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its errors matter")]
    enum Limit {
        Wide { value: u16 },
        Narrow { value: u8 },
        Some { value: std::num::NonZeroU8 },
    }
    let refused = |kind: &str, value: &str| {
        refused::<BTreeMap<String, Limit>>(&[
            text("a:kind", "wide"),
            text("a:value", "300"),
            text("b:kind", kind),
            text("b:value", value),
        ])
    };
    insta::assert_snapshot!(refused("narrow", "301"), @"b.value: expected u8 (0 to 255), found a number out of its range (from b:value, in contoso)");
    insta::assert_snapshot!(refused("narrow", "-1"), @"b.value: expected u8 (0 to 255), found a number out of its range (from b:value, in contoso)");
    insta::assert_snapshot!(refused("some", "0"), @"b.value: expected a nonzero u8, found a number out of its range (from b:value, in contoso)");
}

/// A text that is a boolean here, and is not made a number by its like over there.
#[test]
fn a_like_does_not_change_what_was_learned() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Limit {
        Switch { value: bool },
        Number { value: u8 },
    }
    let given = [
        text("a:kind", "switch"),
        text("a:value", "1"),
        text("b:kind", "number"),
        text("b:value", "12"),
    ];
    let limits: BTreeMap<String, Limit> = read(&given);
    assert_eq!(limits["a"], Limit::Switch { value: true });
    assert_eq!(limits["b"], Limit::Number { value: 12 });
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
    given[1] = text("x:1:max", "300");
    insta::assert_snapshot!(
        refused::<BTreeMap<String, Vec<Outer>>>(&given),
        @"x[1].max: expected u8 (0 to 255), found a number out of its range (from x:1:max, in contoso)"
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
