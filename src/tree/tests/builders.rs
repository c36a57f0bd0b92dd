//! What the builders of the `config` crate make of a tree.

use config::{Config, Environment, File, FileFormat, Map};

use super::*;

/// The sync builder and the async builder, over the same layers.
pub(super) fn both(below: &str, tree: &Arc<Tree>, above: &[(&str, &str)]) -> [config::Value; 2] {
    let file = File::from_str(below, FileFormat::Json);
    let variables: Map<String, String> = above
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let environment = Environment::with_prefix("APP")
        .separator("__")
        .source(Some(variables));
    let sync = Config::builder()
        .add_source(file.clone())
        .add_source(Layer(Arc::clone(tree)))
        .add_source(environment.clone());
    let asynchronous = Config::builder()
        .add_source(file)
        .add_async_source(Layer(Arc::clone(tree)))
        .add_source(environment);
    let asynchronous = futures::executor::block_on(asynchronous.build()).unwrap();
    [sync.build().unwrap().cache, asynchronous.cache]
}

#[test]
fn the_same_field_from_store_file_and_environment() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Settings {
        db: Database,
    }
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Database {
        host: String,
        max_connections: u16,
    }
    let expected = Settings {
        db: Database {
            host: "db.local".into(),
            max_connections: 5,
        },
    };
    let file = r#"{"db": {"host": "db.local", "max_connections": 5}}"#;
    let store = [text("Db:Host", "db.local"), text("Db:MaxConnections", "5")];
    let environment = [
        ("APP__DB__HOST", "db.local"),
        ("APP__DB__MAX_CONNECTIONS", "5"),
    ];
    let nothing = Arc::new(grow(&[]));
    for [sync, asynchronous] in [
        both(file, &nothing, &[]),
        both("{}", &Arc::new(grow(&store)), &[]),
        both("{}", &nothing, &environment),
        // One field from each.
        both(
            r#"{"db": {"host": "file", "max_connections": 1}}"#,
            &Arc::new(grow(&[
                text("Db:Host", "store"),
                text("db:max-connections", "5"),
            ])),
            &environment[..1],
        ),
    ] {
        for value in [sync, asynchronous] {
            assert_eq!(crate::de::from_value::<Settings>(&value).unwrap(), expected);
        }
    }
}

#[test]
fn tables_join_and_the_rest_replaces() {
    let tree = Arc::new(grow(&[
        text("a:b", "store"),
        text("hosts:0", "store"),
        text("table", "store"),
        text("value:x", "store"),
        json("empty", "{}"),
    ]));
    let below = r#"{"a": {"b": "file", "c": "file"}, "hosts": ["x", "y"], "table": {"x": 1}, "value": 1, "empty": 1}"#;
    let [sync, asynchronous] = both(below, &tree, &[("APP__A__D", "env")]);
    assert_eq!(sync, asynchronous);
    let expected = r#"{"a":{"b":"store","c":"file","d":"env"},"empty":{},"hosts":["store"],"table":"store","value":{"x":"store"}}"#;
    let json: serde_json::Value = sync.try_deserialize().unwrap();
    assert_eq!(json.to_string(), expected);
}

#[test]
fn origins() {
    let labelled = ConfigurationSetting::new("Db:Port", "1").with_label("prod");
    let tree = grow(&[
        Given::of(labelled),
        text("a b:c?", "1"),
        secret("Db:Password", "x"),
    ]);
    let map = tree.to_map();
    let origin = |table: &str, name: &str| {
        let table = map[table].clone().into_table().unwrap();
        table[name].origin().unwrap().to_owned()
    };
    assert_eq!(
        origin("db", "port"),
        "azappconfig://contoso/Db:Port?label=prod"
    );
    assert_eq!(origin("a_b", "c"), "azappconfig://contoso/a%20b:c%3F");
    assert_eq!(
        origin("db", "password"),
        "azappconfig://contoso/Db:Password -> kv-orders.vault.azure.net/secrets/name"
    );
}
