//! The tree as a whole.

mod assembly;
mod builders;
mod diff;
mod explain;
mod hostile;
mod model;
mod render;

use std::sync::Arc;

use super::*;
use crate::setting::ConfigurationSetting;
use crate::{Result, Secret};

/// One setting of a test store.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) selected: Selected,
    pub(crate) secret: Option<(Arc<Secret>, SecretOrigin)>,
    pub(crate) parse_json: bool,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = &self.selected.setting;
        write!(f, "{:?} = {:?}", setting.key(), setting.value())
    }
}

impl Given {
    fn of(setting: ConfigurationSetting) -> Self {
        Self {
            selected: Selected {
                setting: Arc::new(setting),
                selector: 0,
                snapshot: None,
            },
            secret: None,
            parse_json: false,
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            selected: &self.selected,
            losers: &[],
            content: match &self.secret {
                None => Content::Own,
                Some((text, origin)) => Content::Secret {
                    text: Arc::clone(text) as Arc<dyn SecretText>,
                    origin: origin.clone(),
                    parse_json: self.parse_json,
                },
            },
        }
    }
}

pub(crate) fn text(key: &str, value: &str) -> Given {
    Given::of(ConfigurationSetting::new(key, value))
}

pub(crate) fn json(key: &str, value: &str) -> Given {
    let setting = ConfigurationSetting::new(key, value).with_content_type("application/json");
    Given::of(setting)
}

pub(crate) fn secret(key: &str, value: &str) -> Given {
    let origin = SecretOrigin {
        identifier: "kv-orders.vault.azure.net/secrets/name".into(),
        version: Some("v1".into()),
        content_type: None,
    };
    Given {
        secret: Some((Arc::new(Secret::new(value)), origin)),
        ..text(key, "{\"uri\": \"…\"}")
    }
}

pub(crate) fn try_grow(given: &[Given], shape: &Shape) -> Result<(Tree, Vec<TreeWarning>)> {
    assemble("contoso", given.iter().map(Given::entry), &[], shape)
}

pub(crate) fn grow(given: &[Given]) -> Tree {
    try_grow(given, &Shape::default()).unwrap().0
}

/// The tree as JSON text, secrets redacted.
pub(crate) fn shown(tree: &Tree) -> String {
    serde_json::to_string(tree).unwrap()
}

/// A tree as a source of both kinds, as the handle will be one.
#[derive(Debug, Clone)]
pub(crate) struct Layer(pub(crate) Arc<Tree>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok(self.0.to_map())
    }

    fn collect_to(&self, cache: &mut config::Value) -> Result<(), config::ConfigError> {
        self.0.merge_into(cache);
        Ok(())
    }
}

#[async_trait::async_trait]
impl config::AsyncSource for Layer {
    async fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok(self.0.to_map())
    }

    async fn collect_to(&self, cache: &mut config::Value) -> Result<(), config::ConfigError> {
        self.0.merge_into(cache);
        Ok(())
    }
}

/// The settings as the only layer.
pub(crate) fn config(given: &[Given]) -> config::Config {
    let builder = config::Config::builder().add_source(Layer(Arc::new(grow(given))));
    builder.build().unwrap()
}

/// A tree of feature flags alone, by id.
fn flags(flags: &[(&str, bool)]) -> Tree {
    let given: Vec<Given> = flags.iter().map(|(id, _)| text(id, "")).collect();
    let jsons: Vec<serde_json::Value> = flags
        .iter()
        .map(|(id, enabled)| serde_json::json!({"id": id, "enabled": enabled}))
        .collect();
    let flags: Vec<Flag<'_>> = given
        .iter()
        .zip(&jsons)
        .map(|(given, json)| Flag {
            selected: &given.selected,
            json,
        })
        .collect();
    assemble("contoso", [], &flags, &Shape::default())
        .unwrap()
        .0
}
