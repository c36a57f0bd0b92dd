//! What the settings of a store make use of, for the request tracing header.

use std::fmt::Write;

use serde_json::Value;

use crate::setting::{ConfigurationSetting, ContentKind};

const AI_PROFILE: &str = "https://azconfig.io/mime-profiles/ai";

/// Which features of the service are in use. Counts and yes or no, never a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) custom_filter: bool,
    pub(super) percentage_filter: bool,
    pub(super) time_window_filter: bool,
    pub(super) targeting_filter: bool,
    pub(super) most_variants: usize,
    pub(super) seed: bool,
    pub(super) telemetry: bool,
    pub(super) ai: bool,
    pub(super) ai_chat: bool,
    pub(super) snapshot_references: bool,
}

impl Usage {
    pub(super) fn see_setting(&mut self, setting: &ConfigurationSetting) {
        match setting.kind() {
            ContentKind::SnapshotReference => self.snapshot_references = true,
            ContentKind::Json => {
                let profile = setting
                    .content_type()
                    .and_then(|text| text.split_once(AI_PROFILE));
                if let Some((_, rest)) = profile {
                    self.ai = true;
                    self.ai_chat |= rest.starts_with("/chat-completion");
                }
            }
            _ => {}
        }
    }

    pub(super) fn see_flag(&mut self, flag: &Value) {
        let filters = flag
            .pointer("/conditions/client_filters")
            .and_then(Value::as_array);
        for filter in filters.into_iter().flatten() {
            self.see_filter(filter["name"].as_str().unwrap_or_default());
        }
        let variants = flag["variants"].as_array().map_or(0, Vec::len);
        self.most_variants = self.most_variants.max(variants);
        self.seed |= flag
            .pointer("/allocation/seed")
            .is_some_and(Value::is_string);
        self.telemetry |= flag.pointer("/telemetry/enabled") == Some(&Value::Bool(true));
    }

    /// The library's own filters go by several spellings of one name.
    fn see_filter(&mut self, name: &str) {
        let name = name.strip_prefix("Microsoft.").unwrap_or(name);
        let name = name.strip_suffix("Filter").unwrap_or(name);
        match name {
            "Percentage" => self.percentage_filter = true,
            "TimeWindow" => self.time_window_filter = true,
            "Targeting" => self.targeting_filter = true,
            _ => self.custom_filter = true,
        }
    }

    /// Appends `,NAME=A+B` for each group that has any member.
    pub(super) fn write(self, header: &mut String, load_balancing: bool) {
        group(
            header,
            "Filter",
            &[
                (self.custom_filter, "CSTM"),
                (self.percentage_filter, "PRCNT"),
                (self.time_window_filter, "TIME"),
                (self.targeting_filter, "TRGT"),
            ],
        );
        if self.most_variants > 0 {
            // Writing to a String cannot fail.
            let _ = write!(header, ",MaxVariants={}", self.most_variants);
        }
        let flags = [(self.seed, "Seed"), (self.telemetry, "Telemetry")];
        group(header, "FFFeatures", &flags);
        group(
            header,
            "Features",
            &[
                (load_balancing, "LB"),
                (self.ai, "AI"),
                (self.ai_chat, "AICC"),
                (self.snapshot_references, "SnapshotRef"),
            ],
        );
    }
}

fn group(header: &mut String, name: &str, members: &[(bool, &str)]) {
    let on: Vec<&str> = members
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, tag)| *tag)
        .collect();
    if !on.is_empty() {
        let _ = write!(header, ",{name}={}", on.join("+"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_in_settings_and_flags() {
        let mut usage = Usage::default();
        let json = |profile: &str| {
            let content_type = format!("application/json; profile=\"{AI_PROFILE}{profile}\"");
            ConfigurationSetting::new("k", "{}").with_content_type(content_type)
        };
        usage.see_setting(&json(""));
        assert!(usage.ai && !usage.ai_chat);
        usage.see_setting(&json("/chat-completion"));
        assert!(usage.ai_chat);
        usage.see_flag(&serde_json::json!({
            "conditions": {"client_filters": [{"name": "Microsoft.Percentage"}, {"name": "TargetingFilter"}, {"name": "Mine"}, {}]},
            "variants": [{}, {}],
            "allocation": {"seed": "x"},
            "telemetry": {"enabled": true}
        }));
        let expected = Usage {
            custom_filter: true,
            percentage_filter: true,
            targeting_filter: true,
            most_variants: 2,
            seed: true,
            telemetry: true,
            ai: true,
            ai_chat: true,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        usage.see_flag(&serde_json::json!([1, "x"]));
        assert_eq!(
            usage,
            Usage {
                custom_filter: true,
                ..expected
            }
        );
    }
}
