//! Every text that a user can meet, pinned. `refused` looks at each for the value.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};
use insta::assert_snapshot;

use super::super::safe::HELD_BACK;
use super::*;
use crate::setting::ConfigurationSetting;

type Of<T> = BTreeMap<String, T>;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its errors matter")]
struct Database {
    host: String,
    #[serde(alias = "portnumber")]
    port: u16,
    max_connections: Option<u8>,
}

fn database(name: &str, given: Given) -> String {
    let mut all: Vec<_> = [text("db:host", "h"), text("db:port", "1")]
        .into_iter()
        .filter(|one| one.selected.setting.key() != name)
        .collect();
    all.push(given);
    refused::<Of<Database>>(&all)
}

#[test]
fn text_that_is_no_number() {
    let setting = ConfigurationSetting::new("db:port", CANARY).with_label("prod");
    let given = Given {
        selected: crate::setting::Selected {
            setting: setting.into(),
            selector: 0,
            snapshot: None,
        },
        secret: None,
        parse_json: false,
    };
    let config = config(&[text("db:host", "h"), given]);
    let error = from_config::<Of<Database>>(&config).unwrap_err();
    assert_eq!(error.path(), Some("db.port"));
    assert_eq!(error.key(), Some("db:port"));
    assert_eq!(error.label(), Some("prod"));
    assert_snapshot!(refused_by::<Of<Database>>(&config), @"db.port: expected u16, found text (from db:port, label prod, in contoso; set the content type to application/json or fix the value)");
}

#[test]
fn text_with_a_line_break() {
    assert_snapshot!(database("db:port", text("db:port", "5432\n")), @"db.port: expected u16, found text (from db:port, in contoso; remove the blanks or the line break around the value)");
    assert_snapshot!(database("db:port", text("db:port", "")), @"db.port: expected u16, found text (from db:port, in contoso; the text is empty; to mean nothing, leave it out)");
    assert_snapshot!(database("db:port", secret("db:port", "5432\n")), @"db.port: expected u16, found text (from db:port, in contoso, secret kv-orders.vault.azure.net/secrets/name; remove the blanks or the line break around the value)");
}

#[test]
fn a_secret() {
    assert_snapshot!(database("db:port", secret("db:port", CANARY)), @"db.port: expected u16, found text (from db:port, in contoso, secret kv-orders.vault.azure.net/secrets/name; fix the value of the secret)");
}

#[test]
fn a_number_that_does_not_fit() {
    assert_snapshot!(database("db:port", text("db:port", "70000")), @"db.port: expected u16 (0 to 65535), found a number out of its range (from db:port, in contoso)");
    assert_snapshot!(database("db:port", json("db:port", "-1")), @"db.port: expected u16 (0 to 65535), found a number out of its range (from db:port, in contoso)");
    assert_snapshot!(database("db:port", json("db:port", "80.6")), @"db.port: expected u16, found a fraction (from db:port, in contoso)");
    assert_snapshot!(database("", json("db:max_connections", "256")), @"db.max_connections: expected u8 (0 to 255), found a number out of its range (from db:max_connections, in contoso)");
    assert_snapshot!(refused::<Of<std::num::NonZeroU8>>(&[text("x", "0")]), @"x: expected a nonzero u8, found a number out of its range (from x, in contoso)");
}

#[test]
fn another_kind() {
    assert_snapshot!(database("db:host", json("db:host", "[1]")), @"db.host: expected a string, found a list (from db:host, in contoso)");
    assert_snapshot!(database("db:host", text("db:host:name", CANARY)), @"db.host: expected a string, found a table (from db:host:name, in contoso)");
    assert_snapshot!(refused::<Of<Database>>(&[text("db", CANARY)]), @"db: expected struct Database, found text (from db, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<Vec<u8>>>(&[text("x", "[1, 2]")]), @"x: expected a sequence, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<Vec<u8>>>(&[text("x:0", "1"), text("x:2", "1")]), @"x: expected a sequence, found a table (from x:0, in contoso; its names are indices, but not 0, 1, … without a gap)");
    assert_snapshot!(refused::<Of<Of<u8>>>(&[text("x", CANARY)]), @"x: expected a map, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<bool>>(&[text("x", CANARY)]), @"x: expected a boolean, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<char>>(&[text("x", CANARY)]), @"x: expected a single character, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<()>>(&[text("x", CANARY)]), @"x: expected unit, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<f64>>(&[text("x", CANARY)]), @"x: expected f64, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused::<Of<(u8, u8)>>(&[json("x", "[1]")]), @"x: expected a tuple of size 2, found another length (from x, in contoso)");
    assert_snapshot!(refused::<Of<(u8, u8)>>(&[json("x", "[1, 2, 3]")]), @"x: the list has more elements than its type takes (from x, in contoso)");
    assert_snapshot!(refused::<HashMap<String, HashMap<u8, u8>>>(&[text("x:256", "1")]), @"x.256: its name is not a valid u8 (from x:256, in contoso)");
    assert_snapshot!(refused::<HashMap<String, HashMap<u8, u8>>>(&[text("x:a", "1")]), @"x.a: its name is not a valid u8 (from x:a, in contoso)");
}

#[test]
fn a_field_that_is_not_there() {
    let without = |given| refused::<Of<Database>>(&[text("db:host", "h"), given]);
    assert_snapshot!(without(text("db:other", CANARY)), @"db.port: no value is set, and the field has no default");
    assert_snapshot!(without(json("db", r#"{"Port": 1}"#)), @"db.port: no value is set, and the field has no default ('Port' is set, but names must match exactly; see KeyCase, or rename the field for serde)");
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its errors matter")]
    struct Root {
        title: String,
    }
    assert_snapshot!(refused::<Root>(&[]), @"title: no value is set, and the field has no default");
}

#[test]
fn a_field_too_many() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "only its errors matter")]
        host: String,
    }
    let given = [text("db:host", "h"), text("db:Hsot", CANARY)];
    assert_snapshot!(refused::<Of<Strict>>(&given), @"db.hsot: not a known field; known are `host` (from db:Hsot, in contoso)");
    assert_snapshot!(database("", text("db:portnumber", "2")), @"db: `port` is set twice, under its name and under an alias");
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Debug,
    Custom(#[expect(dead_code, reason = "only its errors matter")] u8),
}

#[test]
fn enums() {
    let refused = |given| refused::<Of<Level>>(&[given]);
    assert_snapshot!(refused(text("x", CANARY)), @"x: expected one of `debug`, `custom`, found other text (from x, in contoso)");
    assert_snapshot!(refused(text("x", "Debug")), @"x: expected one of `debug`, `custom`, found other text (from x, in contoso; only upper and lower case differ)");
    assert_snapshot!(refused(text("x", "debug\n")), @"x: expected one of `debug`, `custom`, found other text (from x, in contoso; remove the blanks or the line break around the value)");
    assert_snapshot!(refused(text("x", "custom")), @"x: expected a table whose only name is the variant, because this variant holds data, found text (from x, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused(text("x:custom", CANARY)), @"x.custom: expected u8, found text (from x:custom, in contoso; set the content type to application/json or fix the value)");
    assert_snapshot!(refused(json("x", "[]")), @"x: expected the name of a variant, or a table whose only name is a variant, found a list (from x, in contoso)");
    assert_snapshot!(refused(json("x", r#"{"debug": 1}"#)), @"x.debug: expected unit, found an integer (from x, in contoso)");
    assert_snapshot!(refused(json("x", r#"{"hunter": 1}"#)), @"x: expected one of `debug`, `custom`, found other text (from x, in contoso)");
}

#[test]
fn durations() {
    #[derive(Debug, Deserialize)]
    struct Client {
        #[serde(with = "crate::humantime")]
        #[expect(dead_code, reason = "only its errors matter")]
        timeout: Duration,
    }
    let refused = |given| refused::<Client>(&[given]);
    assert_snapshot!(refused(text("timeout", CANARY)), @"timeout: expected a duration with a unit, such as `30s` or `1h 30m`, found other text (from timeout, in contoso)");
    assert_snapshot!(refused(text("timeout", "30")), @"timeout: expected a duration with a unit, such as `30s` or `1h 30m`, found other text (from timeout, in contoso)");
    assert_snapshot!(refused(json("timeout", "[]")), @"timeout: expected a duration with a unit, such as `30s` or `1h 30m`, found a list (from timeout, in contoso)");
}

/// A type whose own code puts the value into its words.
#[derive(Debug)]
struct Chatty;

impl<'de> Deserialize<'de> for Chatty {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(serde::de::Error::custom(format!("{text:?} is no good")))
    }
}

/// One whose words are its own.
#[derive(Debug)]
struct Discreet;

impl<'de> Deserialize<'de> for Discreet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?;
        Err(serde::de::Error::custom("only prime numbers are liked"))
    }
}

#[test]
fn words_of_other_code() {
    assert_snapshot!(refused::<Of<Chatty>>(&[text("x", "hunter2\n\"CANARY\"")]), @"x: its type refused the value; its words are not shown, as they may hold the value (from x, in contoso)");
    assert_snapshot!(refused::<Of<Chatty>>(&[secret("x", CANARY)]), @"x: its type refused the value; its words are not shown, as they may hold the value (from x, in contoso, secret kv-orders.vault.azure.net/secrets/name)");
    assert_snapshot!(refused::<Of<Discreet>>(&[text("x", CANARY)]), @"x: only prime numbers are liked (from x, in contoso)");
    assert_snapshot!(refused::<Of<Discreet>>(&[secret("x", CANARY)]), @"x: its type refused the value; its words are not shown, as they may hold the value (from x, in contoso, secret kv-orders.vault.azure.net/secrets/name)");
    assert_snapshot!(refused::<Of<IpAddr>>(&[secret("x", CANARY)]), @"x: invalid IP address syntax (from x, in contoso, secret kv-orders.vault.azure.net/secrets/name)");
}

/// One that puts a part of the value into its words, as a connection string that is read by its keywords.
#[derive(Debug)]
struct Parsed;

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let last = text.rsplit(';').next().unwrap_or_default();
        let words = format!("unknown keyword {last:?}");
        Err(serde::de::Error::custom(words))
    }
}

#[test]
fn words_of_other_code_with_a_part_of_the_value() {
    let held_back = format!("x: {HELD_BACK} (from x, in contoso)");
    for part in ["Password=hunter2", "hunter2\"\n!"] {
        let given = text("x", &format!("Server=db;{part}"));
        assert_eq!(refused::<Of<Parsed>>(&[given]), held_back);
    }
    assert_snapshot!(refused::<Of<Parsed>>(&[text("x", "Server=db;Timeout")]), @r#"x: unknown keyword "Timeout" (from x, in contoso)"#);
}

#[test]
fn words_of_other_code_above_a_secret() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Of<String>")]
    struct Whole;
    impl TryFrom<Of<String>> for Whole {
        type Error = String;
        fn try_from(all: Of<String>) -> Result<Self, String> {
            Err(format!(
                "not {}",
                all.values().rev().cloned().collect::<String>()
            ))
        }
    }
    let given = [text("x:a", "1"), secret("x:b", CANARY)];
    assert_snapshot!(refused::<Of<Whole>>(&given), @"x: its type refused the value; its words are not shown, as they may hold the value");
    assert_snapshot!(refused::<Whole>(&[text("a", "1"), secret("b", CANARY)]), @"its type refused the value; its words are not shown, as they may hold the value");
}

/// One that builds what it expects from the value.
#[derive(Debug)]
struct Expecting;

impl<'de> Deserialize<'de> for Expecting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = format!("not {text}");
        let unexpected = serde::de::Unexpected::Str(&text);
        Err(serde::de::Error::invalid_value(
            unexpected,
            &expected.as_str(),
        ))
    }
}

#[test]
fn expectations_made_from_the_value() {
    assert_snapshot!(refused::<Of<Expecting>>(&[text("x", CANARY)]), @"x: expected another value, found other text (from x, in contoso)");
    assert_snapshot!(refused::<Of<Expecting>>(&[secret("x", CANARY)]), @"x: expected another value, found other text (from x, in contoso, secret kv-orders.vault.azure.net/secrets/name; fix the value of the secret)");
}

#[test]
fn other_layers_name_themselves() {
    let variables = [("DB__HOST", "h"), ("DB__PORT", CANARY)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::default()
        .separator("__")
        .source(Some(variables.into_iter().collect()));
    let config = Config::builder().add_source(environment).build().unwrap();
    assert_snapshot!(refused_by::<Of<Database>>(&config), @"db.port: expected u16, found text (from the environment)");

    let text = format!(r#"{{"db": {{"host": "h", "port": "{CANARY}"}}}}"#);
    let file = File::from_str(&text, FileFormat::Json);
    let config = Config::builder().add_source(file).build().unwrap();
    assert_snapshot!(refused_by::<Of<Database>>(&config), @"db.port: expected u16, found text");

    let config = Config::builder()
        .set_override("x", CANARY)
        .unwrap()
        .build()
        .unwrap();
    assert_snapshot!(refused_by::<Of<u8>>(&config), @"x: expected u8, found text");
    assert_snapshot!(refused_by::<Of<Discreet>>(&config), @"x: its type refused the value; its words are not shown, as they may hold the value");
}

#[test]
fn t14_names_cannot_break_a_line() {
    let given = [json("x", "{\"a\\nb\\u001b[31m\": \"hunter2\"}")];
    assert_snapshot!(refused::<Of<Of<u8>>>(&given), @"x.a�b�[31m: expected u8, found text (from x, in contoso; set the content type to application/json or fix the value)");
}

#[test]
fn the_first_fault_is_always_the_same() {
    let given: Vec<_> = (0..50)
        .map(|i| text(&format!("x:k{i:02}"), CANARY))
        .collect();
    for _ in 0..20 {
        assert!(refused::<Of<Of<u8>>>(&given).starts_with("x.k00: "));
    }
}
