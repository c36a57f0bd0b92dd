//! Untagged enums, which do not say what they want.

use super::*;
use crate::Secret;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Way {
    Tcp { port: u16, tls: String },
    Pipe { path: String, retry: bool },
}

fn tcp(port: u16, tls: &str) -> Way {
    let tls = tls.to_owned();
    Way::Tcp { port, tls }
}

/// Whatever the texts look like, the same variant takes them.
#[test]
fn a_text_that_looks_like_a_number_stays_one_where_text_is_wanted() {
    for tls in ["tls1.2", "1.2", "12", "true"] {
        let given = [text("x:port", "80"), text("x:tls", tls)];
        assert_eq!(read::<BTreeMap<String, Way>>(&given)["x"], tcp(80, tls));
    }
    let given = [text("x:path", "8"), text("x:retry", "false")];
    let (path, retry) = ("8".to_owned(), false);
    assert_eq!(
        read::<BTreeMap<String, Way>>(&given)["x"],
        Way::Pipe { path, retry }
    );
}

#[test]
fn each_of_several_enums_has_choices_of_its_own() {
    let tls = |i: u16| if i.is_multiple_of(2) { "1.2" } else { "tls1.2" };
    let given: Vec<Given> = (0..20)
        .flat_map(|i| {
            [
                text(&format!("ways:{i}:port"), &i.to_string()),
                text(&format!("ways:{i}:tls"), tls(i)),
            ]
        })
        .collect();
    let ways: BTreeMap<String, Vec<Way>> = read(&given);
    let wanted: Vec<Way> = (0..20).map(|i| tcp(i, tls(i))).collect();
    assert_eq!(ways["ways"], wanted);
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Access {
    Login { port: u16, password: Secret },
    Pin { pin: u32 },
}

#[test]
fn a_password_of_digits_is_a_password() {
    for password in ["hunter2", "12345678", "1.5", "true"] {
        let given = [text("x:port", "80"), secret("x:password", password)];
        match &read::<BTreeMap<String, Access>>(&given)["x"] {
            Access::Login {
                port,
                password: read,
            } => {
                assert_eq!((*port, read.expose_secret()), (80, password));
            }
            Access::Pin { .. } => panic!("{password} is no pin"),
        }
    }
}

/// Also where a variant would take it as a number.
#[test]
fn a_secret_of_digits_is_text_first() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only the variant matters")]
    enum Either {
        Number { port: u16, password: u64 },
        Text { port: u16, password: Secret },
    }
    type Eithers = BTreeMap<String, Either>;
    let port = text("x:port", "80");
    let hidden = [port.clone(), secret("x:password", "12345678")];
    assert!(matches!(read::<Eithers>(&hidden)["x"], Either::Text { .. }));
    let shown = [port, text("x:password", "12345678")];
    assert!(matches!(
        read::<Eithers>(&shown)["x"],
        Either::Number { .. }
    ));
}

/// Only where nothing else fits is a secret a number.
#[test]
fn a_secret_number() {
    let given = [secret("x:pin", "1234")];
    let access: BTreeMap<String, Access> = read(&given);
    assert!(matches!(access["x"], Access::Pin { pin: 1234 }));
}

/// Of many names, one or all but one may be texts that look like numbers; more are not found.
#[test]
fn many_names() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Wide {
        Texts {
            a: String,
            b: String,
            c: String,
            d: String,
            e: String,
            f: String,
            last: u8,
        },
        Numbers {
            a: u8,
            b: u8,
            c: u8,
            d: u8,
            e: u8,
            name: String,
            last: u8,
        },
        Halves {
            a: u8,
            b: u8,
            c: u8,
            d: String,
            e: String,
            half: String,
            last: u8,
        },
    }
    let given = |sixth: &str| -> Vec<Given> {
        let names = ["a", "b", "c", "d", "e", sixth, "last"];
        names.map(|name| text(&format!("x:{name}"), "7")).into()
    };
    type Wides = BTreeMap<String, Wide>;
    assert!(matches!(
        read::<Wides>(&given("f"))["x"],
        Wide::Texts { last: 7, .. }
    ));
    assert!(matches!(
        read::<Wides>(&given("name"))["x"],
        Wide::Numbers { e: 7, .. }
    ));
    insta::assert_snapshot!(refused::<Wides>(&given("half")), @"x: data did not match any variant of untagged enum Wide");
}

/// A neighbour that wants the same texts as they are is not the enum's to choose for.
#[test]
fn beside_others_that_are_flattened() {
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        texts: Texts,
        #[serde(flatten)]
        way: Way,
    }
    #[derive(Debug, Deserialize)]
    struct Texts {
        name: String,
    }
    let given = [text("name", "5"), text("port", "80"), text("tls", "1.2")];
    let outer: Outer = read(&given);
    assert_eq!(outer.texts.name, "5");
    assert_eq!(outer.way, tcp(80, "1.2"));
}
