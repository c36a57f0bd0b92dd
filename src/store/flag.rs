//! Feature flags in Microsoft's schema, with their telemetry metadata (provider-spec 6).

use serde_json::{Map, Value};

use super::allocation::allocation_id;
use crate::setting::{ConfigurationSetting, Selected, Warning, WarningKind};

/// A flag that is valid, as the feature management libraries read it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FeatureFlag {
    pub(crate) selected: Selected,
    /// The flag's own JSON; with telemetry on, its metadata holds what telemetry is correlated by.
    pub(crate) json: Value,
}

/// Reads a flag. `endpoint` is the store's primary endpoint, even if a replica answered: the metadata that is
/// made of it must not depend on which did.
pub(super) fn feature_flag(selected: &Selected, endpoint: &str) -> Result<FeatureFlag, Warning> {
    let setting = &selected.setting;
    let refused = |detail: &'static str| {
        Warning::new(WarningKind::InvalidFlag, detail)
            .with_setting(setting.key(), setting.label().as_str())
    };
    let value = setting.value().unwrap_or_default();
    let json: Value = serde_json::from_str(value)
        .map_err(|_| refused("the feature flag is not JSON; it was left out"))?;
    let Value::Object(mut flag) = json else {
        return Err(refused(
            "the feature flag is not a JSON object; it was left out",
        ));
    };
    check(&flag).map_err(refused)?;
    add_metadata(&mut flag, setting, endpoint);
    Ok(FeatureFlag {
        selected: selected.clone(),
        json: Value::Object(flag),
    })
}

/// What a feature management library cannot do without: an id, and fields of the right type.
fn check(flag: &Map<String, Value>) -> Result<(), &'static str> {
    match flag.get("id") {
        Some(Value::String(id)) if !id.is_empty() => {}
        _ => return Err("the feature flag has no id; it was left out"),
    }
    let fits = |name: &str, test: fn(&Value) -> bool| {
        flag.get(name).is_none_or(|v| v.is_null() || test(v))
    };
    if !fits("enabled", is_bool) {
        return Err("`enabled` of the feature flag is not a boolean; it was left out");
    }
    if !(fits("conditions", Value::is_object)
        && fits("variants", Value::is_array)
        && fits("allocation", Value::is_object)
        && fits("telemetry", Value::is_object))
    {
        return Err(
            "a field of the feature flag has another type than the schema says; it was left out",
        );
    }
    Ok(())
}

/// A boolean, or the text of one, which the official provider accepts too.
fn is_bool(value: &Value) -> bool {
    truth(value).is_some()
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Adds what was computed to what the user put into `telemetry.metadata`; computed fields win.
fn add_metadata(flag: &mut Map<String, Value>, setting: &ConfigurationSetting, endpoint: &str) {
    let on = flag
        .get("telemetry")
        .and_then(|telemetry| telemetry.get("enabled"))
        .and_then(truth);
    if on != Some(true) {
        return;
    }
    let id = allocation_id(flag);
    let Some(telemetry) = flag.get_mut("telemetry").and_then(Value::as_object_mut) else {
        return;
    };
    let metadata = telemetry
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("ETag".to_owned(), setting.etag().as_str().into());
        metadata.insert(
            "FeatureFlagReference".to_owned(),
            reference(setting, endpoint).into(),
        );
        if let Some(id) = id {
            metadata.insert("AllocationId".to_owned(), id.into());
        }
    }
}

/// Endpoint, key and label, nothing of it percent-encoded: telemetry is joined by this very text.
fn reference(setting: &ConfigurationSetting, endpoint: &str) -> String {
    let reference = format!("{}/kv/{}", endpoint.trim_end_matches('/'), setting.key());
    match setting
        .label()
        .as_str()
        .filter(|label| !label.trim().is_empty())
    {
        Some(label) => format!("{reference}?label={label}"),
        None => reference,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::setting::ETag;

    const ENDPOINT: &str = "https://contoso.azconfig.io";

    fn read(value: &str, label: &str) -> Result<FeatureFlag, Warning> {
        let mut setting = ConfigurationSetting::new(".appconfig.featureflag/Beta x", value)
            .with_label(label)
            .with_content_type("application/vnd.microsoft.appconfig.ff+json;charset=utf-8");
        setting.etag = ETag::new("\"abc\"");
        let selected = Selected {
            setting: Arc::new(setting),
            selector: 0,
            snapshot: None,
        };
        feature_flag(&selected, ENDPOINT)
    }

    #[test]
    fn untouched_without_telemetry() {
        let text = r#"{"id":"Beta","enabled":true,"conditions":{"client_filters":[]},"own":[1]}"#;
        assert_eq!(
            read(text, "").unwrap().json,
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn telemetry_metadata_joins_the_users_own() {
        let flag = json!({
            "id": "Beta", "enabled": true,
            "telemetry": {"enabled": true, "metadata": {"owner": "orders", "ETag": "theirs"}}
        });
        let read = read(&flag.to_string(), "prod").unwrap();
        assert_eq!(
            read.json["telemetry"]["metadata"],
            json!({
                "owner": "orders",
                "ETag": "abc",
                "FeatureFlagReference": "https://contoso.azconfig.io/kv/.appconfig.featureflag/Beta x?label=prod"
            })
        );
    }

    #[test]
    fn the_allocation_id_is_among_it() {
        let flag = json!({
            "id": "Beta", "enabled": true,
            "variants": [{"name": "True_Override", "configuration_value": "default"}],
            "allocation": {"default_when_enabled": "True_Override"},
            "telemetry": {"enabled": "true"}
        });
        let metadata = &read(&flag.to_string(), "").unwrap().json["telemetry"]["metadata"];
        assert_eq!(metadata["AllocationId"], "MExY1waco2tqen4EcJKK");
        assert_eq!(
            metadata["FeatureFlagReference"],
            "https://contoso.azconfig.io/kv/.appconfig.featureflag/Beta x"
        );
    }

    #[test]
    fn an_invalid_flag_is_a_warning_without_its_value() {
        for text in [
            "",
            "hunter2",
            "[]",
            "\"hunter2\"",
            "{}",
            r#"{"id":""}"#,
            r#"{"id":5}"#,
            r#"{"id":"a","enabled":"hunter2"}"#,
            r#"{"id":"a","enabled":1}"#,
            r#"{"id":"a","conditions":"hunter2"}"#,
            r#"{"id":"a","telemetry":[]}"#,
        ] {
            let warning = read(text, "prod").unwrap_err();
            assert_eq!(warning.kind(), WarningKind::InvalidFlag);
            assert_eq!(warning.label(), Some("prod"));
            assert!(!format!("{warning} {warning:?}").contains("hunter2"));
        }
        assert!(read(r#"{"id":"a","enabled":null,"conditions":null}"#, "").is_ok());
    }
}
