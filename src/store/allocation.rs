//! The allocation id, by which telemetry tells two ways of handing out variants apart (provider-spec 6.4).

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use azure_core::base64;
use serde_json::{Map, Value};

const ID_BYTES: usize = 15;

/// The id of a flag's allocation; `None` if it has no seed and hands out no variant.
pub(super) fn allocation_id(flag: &Map<String, Value>) -> Option<String> {
    let text = allocation_text(flag)?;
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    Some(base64::encode_url_safe(&hash.as_ref()[..ID_BYTES]))
}

/// The text that is hashed. Names are ordered by code point, and values written as compact JSON with sorted keys.
fn allocation_text(flag: &Map<String, Value>) -> Option<String> {
    let allocation = flag.get("allocation")?;
    let seed = allocation.get("seed").and_then(Value::as_str);
    let default = allocation
        .get("default_when_enabled")
        .and_then(Value::as_str);
    let mut collected: BTreeSet<&str> = default.into_iter().collect();
    let ranges = ranges(allocation);
    collected.extend(ranges.iter().map(|range| range.variant));
    if seed.is_none() && collected.is_empty() {
        return None;
    }
    let ranges: Vec<String> = ranges.iter().map(Range::to_text).collect();
    let variants = variants(flag, &collected);
    Some(format!(
        "seed={}\ndefault_when_enabled={}\npercentiles={}\nvariants={}",
        seed.unwrap_or_default(),
        default.unwrap_or_default(),
        ranges.join(";"),
        variants.join(";"),
    ))
}

/// One share of the users.
struct Range<'a> {
    from: f64,
    to: f64,
    variant: &'a str,
}

impl Range<'_> {
    fn to_text(&self) -> String {
        format!("{},{},{}", self.from, base64::encode(self.variant), self.to)
    }
}

/// The shares that are not empty, by where they begin.
fn ranges(allocation: &Value) -> Vec<Range<'_>> {
    let all = allocation.get("percentile").and_then(Value::as_array);
    let mut ranges: Vec<Range<'_>> = all
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            Some(Range {
                from: number(entry.get("from")?)?,
                to: number(entry.get("to")?)?,
                variant: entry.get("variant")?.as_str()?,
            })
        })
        .filter(|range| range.from != range.to)
        .collect();
    ranges.sort_by(|a, b| a.from.total_cmp(&b.from));
    ranges
}

/// A number, or the text of one, which the official provider accepts too.
fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|number| number.is_finite())
}

fn variants(flag: &Map<String, Value>, collected: &BTreeSet<&str>) -> Vec<String> {
    let all = flag.get("variants").and_then(Value::as_array);
    let mut variants: Vec<(&str, &Value)> = all
        .into_iter()
        .flatten()
        .filter_map(|variant| Some((variant.get("name")?.as_str()?, variant)))
        .filter(|(name, _)| collected.contains(name))
        .collect();
    variants.sort_by_key(|(name, _)| *name);
    variants
        .into_iter()
        .map(|(name, variant)| {
            let value = match variant.get("configuration_value") {
                None | Some(Value::Null) => String::new(),
                // Without the feature `preserve_order`, serde_json keeps the keys of an object sorted; with it
                // (another crate may turn it on) they are sorted here.
                Some(value) => sorted(value).to_string(),
            };
            format!("{},{value}", base64::encode(name))
        })
        .collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            let entries = entries.into_iter();
            Value::Object(
                entries
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(flag: &Value) -> Option<String> {
        allocation_id(flag.as_object().unwrap())
    }

    /// The golden values of the official .NET provider's own tests.
    #[test]
    fn golden_values() {
        let default = json!({
            "variants": [{"name": "True_Override", "configuration_value": "default"}],
            "allocation": {"default_when_enabled": "True_Override"}
        });
        assert_eq!(id(&default).unwrap(), "MExY1waco2tqen4EcJKK");

        // As text, because a lint takes one of its numbers for a rough pi.
        let object: Value = serde_json::from_str(
            r#"{
                "variants": [{"name": "True_Override", "configuration_value": {
                    "someOtherKey": {"someSubKey": "someSubValue"}, "someKey4": [3, 1, 4, true],
                    "someKey": "someValue", "someKey3": 3.14, "someKey2": 3
                }}],
                "allocation": {
                    "default_when_enabled": "True_Override",
                    "percentile": [{"variant": "True_Override", "from": 0, "to": 100}]
                }
            }"#,
        )
        .unwrap();
        assert_eq!(id(&object).unwrap(), "YsdJ4pQpmhYa8KEhRLUn");

        let halves = json!({
            "variants": [{"name": "On", "configuration_value": true}, {"name": "Off", "configuration_value": false}],
            "allocation": {
                "default_when_enabled": "Off",
                "percentile": [
                    {"variant": "Off", "from": 50, "to": 100},
                    {"variant": "On", "from": "0", "to": 50},
                    {"variant": "Never", "from": 100, "to": 100}
                ]
            }
        });
        assert_eq!(id(&halves).unwrap(), "L0m7_ulkdsaQmz6dSw4r");
    }

    #[test]
    fn no_id_without_seed_and_variants() {
        assert_eq!(id(&json!({})), None);
        assert_eq!(id(&json!({"allocation": {}})), None);
        assert_eq!(
            id(&json!({"allocation": {"percentile": [{"variant": "a", "from": 5, "to": 5}]}})),
            None
        );
        assert!(id(&json!({"allocation": {"seed": ""}})).is_some());
    }
}
