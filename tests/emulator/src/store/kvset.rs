//! The file format of `az appconfig kv export --profile appconfig/kvset`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::setting::Setting;
use crate::error::EmulatorError;

#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

/// What the export has of a setting; ETag and date are the store's own affair.
#[derive(Serialize, Deserialize)]
struct Item<'a> {
    key: std::borrow::Cow<'a, str>,
    value: Option<String>,
    label: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, Option<String>>>,
}

/// Reads a file of this format.
pub(crate) fn parse(json: &str) -> Result<Vec<Setting>, EmulatorError> {
    let file: File<'_> = serde_json::from_str(json)
        .map_err(|e| EmulatorError::because("not a file of the appconfig/kvset profile", e))?;
    let settings = file.items.into_iter().map(|item| {
        let mut setting = Setting::named(item.key.into_owned(), item.label);
        setting.value = item.value;
        setting.content_type = item.content_type;
        setting.tags = item.tags.unwrap_or_default();
        setting
    });
    Ok(settings.collect())
}

/// Writes a file of this format.
pub(crate) fn write<'a>(settings: impl Iterator<Item = &'a Setting>) -> String {
    let items = settings.map(|setting| Item {
        key: setting.key.as_str().into(),
        value: setting.value.clone(),
        label: setting.label.clone(),
        content_type: setting.content_type.clone(),
        tags: Some(setting.tags.clone()),
    });
    let file = File {
        items: items.collect(),
    };
    serde_json::to_string_pretty(&file).expect("settings are plain text")
}
