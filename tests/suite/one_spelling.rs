//! The README's table of spellings: what the store, a file and the environment call the same field.

use std::collections::HashMap;

use config::{Config, Environment, File, FileFormat};
use config_azure::from_config;
use serde::Deserialize;
use serde_json::json;

/// The rows of the table, each cell with its words in backticks.
fn rows() -> Vec<Vec<Vec<String>>> {
    let readme = include_str!("../../README.md");
    let table = readme
        .split("| In the store |")
        .nth(1)
        .expect("the table of spellings");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let quoted = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    rows.map(|row| row.trim_matches('|').split('|').map(quoted).collect())
        .collect()
}

/// The store alone, with `".."` at each of these keys.
async fn from_store(keys: &[String]) -> Config {
    let (builder, store) = config_azure::in_memory();
    for key in keys {
        store.set(key, "..");
    }
    let azure = builder.trim_key_prefix("orders:").load().await;
    let layers = Config::builder().add_source(azure.expect("a load"));
    layers.build().expect("one layer")
}

/// A file alone; the table has its lines side by side.
fn from_file(text: &str) -> Config {
    let lines = text.replacen("] ", "]\n", usize::from(text.starts_with('[')));
    let layers = Config::builder().add_source(File::from_str(&lines, FileFormat::Toml));
    layers.build().expect("a file")
}

/// The environment alone.
fn from_environment(name: &str) -> Config {
    let variables = HashMap::from([(name.to_owned(), "..".to_owned())]);
    let environment = Environment::with_prefix("ORDERS")
        .separator("__")
        .source(Some(variables));
    let layers = Config::builder().add_source(environment);
    layers.build().expect("an environment")
}

#[tokio::test(start_paused = true)]
async fn the_readme_names_one_field_in_three_places() {
    let rows = rows();
    assert_eq!(rows.len(), 4);
    let mut compared = 0;
    for row in &rows {
        let [keys, field, file, environment] = row.as_slice() else {
            panic!("{row:?}");
        };
        // `hosts: Vec<String>` names its type, too; the JSON row has no path.
        let Some(path) = field
            .first()
            .map(|field| field.split(':').next().unwrap_or_default())
        else {
            continue;
        };
        let (store, file) = (from_store(keys).await, from_file(&file[0]));
        if keys.len() > 1 {
            let wanted = vec!["..".to_owned(); keys.len()];
            let listed = |config: &Config| {
                let all: HashMap<String, Vec<String>> = from_config(config).expect("a list");
                all.get(path).cloned()
            };
            assert_eq!(listed(&store), Some(wanted.clone()), "{path}");
            assert_eq!(listed(&file), Some(wanted), "{path}");
        } else {
            let environment = from_environment(&environment[0]);
            for layer in [&store, &file, &environment] {
                assert_eq!(layer.get_string(path).expect(path), "..", "{path}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[derive(Deserialize, Debug, PartialEq)]
struct Limited {
    limits: Limits,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Limits {
    burst: u32,
    per: Vec<f64>,
}

#[tokio::test(start_paused = true)]
async fn a_json_value_is_a_typed_table_as_in_a_file() {
    let (builder, store) = config_azure::in_memory();
    store.set_json("orders:limits", &json!({"burst": 3, "per": [0.5, 2.0]}));
    let azure = builder.trim_key_prefix("orders:").load().await;
    let layers = Config::builder().add_source(azure.expect("a load"));
    let store = layers.build().expect("one layer");
    let file = from_file("[limits] burst = 3\nper = [0.5, 2.0]");
    let [store, file] = [store, file].map(|layer| from_config::<Limited>(&layer).expect("fits"));
    assert_eq!(store, file);
}
