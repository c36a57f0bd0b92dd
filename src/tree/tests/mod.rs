//! The tree as a whole.

mod assembly;

use std::sync::Arc;

use super::*;
use crate::setting::ConfigurationSetting;
use crate::{Result, Secret};

/// One setting of a test store.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) selected: Selected,
    pub(super) secret: Option<(Arc<Secret>, SecretOrigin)>,
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
                    parse_json: false,
                },
            },
        }
    }
}

pub(super) fn text(key: &str, value: &str) -> Given {
    Given::of(ConfigurationSetting::new(key, value))
}

pub(super) fn json(key: &str, value: &str) -> Given {
    let setting = ConfigurationSetting::new(key, value).with_content_type("application/json");
    Given::of(setting)
}

pub(super) fn secret(key: &str, value: &str) -> Given {
    let origin = SecretOrigin {
        identifier: "kv-orders.vault.azure.net/secrets/name".into(),
        version: Some("v1".into()),
    };
    Given {
        secret: Some((Arc::new(Secret::new(value)), origin)),
        ..text(key, "{\"uri\": \"…\"}")
    }
}

pub(super) fn try_grow(given: &[Given], shape: &Shape) -> Result<(Tree, Vec<TreeWarning>)> {
    assemble("contoso", given.iter().map(Given::entry), &[], shape)
}

pub(super) fn grow(given: &[Given]) -> Tree {
    try_grow(given, &Shape::default()).unwrap().0
}

/// The tree as JSON text, secrets redacted.
pub(super) fn shown(tree: &Tree) -> String {
    serde_json::to_string(tree).unwrap()
}
