//! The builder's own settings, read from configuration: a file, the environment, whatever `config` reads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::AppConfigurationBuilder;
use crate::reference::KeyVaultOptions;
use crate::refresh::RefreshOptions;
use crate::secret::Secret;
use crate::startup::StartupOptions;
use crate::store::SettingSelector;
use crate::tree::{Conflict, KeyCase};

/// What a builder can be told in a file or in the environment. Everything is optional; what is not given keeps the
/// builder's default. Durations are texts such as `"30s"` or `"5m"`. An unknown field is an error.
///
/// Unless `anonymous` is set it signs in with [`default_credential`](AppConfigurationBuilder::default_credential): for the
/// store, or, beside a connection string, for the vaults alone; a credential of your own is set afterwards.
///
/// ```
/// use config::{Config, File, FileFormat};
/// use config_azure::{AppConfigurationBuilder, AppConfigurationOptions, from_config};
///
/// let file = r#"
///     endpoint = "https://contoso.azconfig.io"
///     trim_key_prefixes = ["orders:"]
///     refresh_interval = "30s"
///     secret_interval = "5m"
///
///     [[select]]
///     keys = "orders:*"
///     labels = ["", "prod"]
/// "#;
/// let config = Config::builder().add_source(File::from_str(file, FileFormat::Toml)).build()?;
/// let options: AppConfigurationOptions = from_config(&config)?;
/// let azure = AppConfigurationBuilder::from(options).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AppConfigurationOptions {
    /// The store. See [`endpoint`](AppConfigurationBuilder::endpoint).
    pub endpoint: Option<String>,
    /// Replicas, in order of preference.
    pub replicas: Vec<String>,
    /// Endpoint and key in one. See [`connection_string`](AppConfigurationBuilder::connection_string).
    pub connection_string: Option<Secret>,
    /// No credential: a loopback emulator. See [`anonymous`](AppConfigurationBuilder::anonymous).
    pub anonymous: bool,
    /// The audience of the store's tokens.
    pub audience: Option<String>,
    /// The `api-version` of the store's requests.
    pub api_version: Option<String>,
    /// What to load; later ones win.
    pub select: Vec<SelectorOptions>,
    /// Which feature flags to load.
    pub feature_flags: Vec<SelectorOptions>,
    /// Prefixes to cut off the keys.
    pub trim_key_prefixes: Vec<String>,
    /// What separates the names in a key.
    pub separators: Option<Vec<String>>,
    /// `"snake"`, `"lower"` or `"preserve"`.
    pub key_case: Option<KeyCase>,
    /// `"error"`, `"keep_branch"` or `"keep_leaf"`.
    pub on_conflict: Option<Conflict>,
    /// How often the store is checked.
    #[serde(with = "crate::humantime")]
    pub refresh_interval: Option<Duration>,
    /// How often unversioned secrets are read again.
    #[serde(with = "crate::humantime")]
    pub secret_interval: Option<Duration>,
    /// Vaults that references may name; all of the known clouds if there are none.
    pub allow_vaults: Vec<String>,
    /// How long the first load may take in all.
    #[serde(with = "crate::humantime")]
    pub startup_deadline: Option<Duration>,
    /// Start with an empty layer if the first load fails.
    pub optional: bool,
    /// Spread operations over the endpoints.
    pub load_balancing: bool,
}

/// One selector: keys with labels and tags, or a snapshot.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SelectorOptions {
    /// A key filter; `*` if neither it nor a snapshot is given.
    pub keys: Option<String>,
    /// Labels, later wins; `""` is no label.
    pub labels: Vec<String>,
    /// Tags that a setting must have.
    pub tags: BTreeMap<String, String>,
    /// A snapshot by name, instead of keys.
    pub snapshot: Option<String>,
}

impl From<SelectorOptions> for SettingSelector {
    /// Keys together with a snapshot are left for `build()` to refuse.
    fn from(options: SelectorOptions) -> Self {
        let SelectorOptions {
            keys,
            labels,
            tags,
            snapshot,
        } = options;
        let mut selector = match (snapshot, keys) {
            (Some(snapshot), None) => Self::snapshot(snapshot),
            (Some(snapshot), Some(_)) => Self::snapshot(snapshot).no_label(),
            (None, keys) => keys.map_or_else(Self::all, Self::keys),
        };
        if !labels.is_empty() {
            selector = selector.labels(labels);
        }
        tags.into_iter().fold(selector, |selector, (name, value)| {
            selector.tag(name, value)
        })
    }
}

impl From<AppConfigurationOptions> for AppConfigurationBuilder {
    fn from(options: AppConfigurationOptions) -> Self {
        let mut builder = Self::default()
            .endpoints(options.endpoint.into_iter().chain(options.replicas))
            .load_balancing(options.load_balancing)
            .key_vault(key_vault(options.secret_interval, options.allow_vaults))
            .startup(startup(options.startup_deadline, options.optional));
        builder = match options.anonymous {
            true => builder.anonymous(),
            false => builder.default_credential(),
        };
        builder.connection_string = options.connection_string;
        builder.audience = options.audience.map(Into::into);
        builder.api_version = options.api_version.map(Into::into);
        builder.selectors = options.select.into_iter().map(Into::into).collect();
        builder.flags = options.feature_flags.into_iter().map(Into::into).collect();
        builder.prefixes = options.trim_key_prefixes;
        builder.separators = options.separators;
        if let Some(case) = options.key_case {
            builder = builder.key_case(case);
        }
        if let Some(conflict) = options.on_conflict {
            builder = builder.on_conflict(conflict);
        }
        match options.refresh_interval {
            Some(interval) => builder.refresh(RefreshOptions::new().every(interval)),
            None => builder,
        }
    }
}

fn key_vault(interval: Option<Duration>, allowed: Vec<String>) -> KeyVaultOptions {
    let mut options = KeyVaultOptions::new();
    if let Some(interval) = interval {
        options = options.refresh_interval(interval);
    }
    allowed
        .into_iter()
        .fold(options, KeyVaultOptions::allow_vault)
}

fn startup(deadline: Option<Duration>, optional: bool) -> StartupOptions {
    let options = match deadline {
        Some(deadline) => StartupOptions::new().deadline(deadline),
        None => StartupOptions::new(),
    };
    if optional {
        options.optional()
    } else {
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn options(json: &str) -> AppConfigurationOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn everything_has_a_default_and_the_store_is_asked_for() {
        let error = AppConfigurationBuilder::from(options("{}"))
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        let one = options(r#"{"endpoint": "https://contoso.azconfig.io"}"#);
        assert!(AppConfigurationBuilder::from(one).build().is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = serde_json::from_str::<AppConfigurationOptions>(r#"{"endpiont": "x"}"#);
        assert!(unknown.unwrap_err().to_string().contains("endpiont"));
        let both = r#"{"endpoint": "https://contoso.azconfig.io", "select": [{"keys": "a", "snapshot": "b"}]}"#;
        let error = AppConfigurationBuilder::from(options(both))
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }

    #[test]
    fn the_connection_string_is_not_shown() {
        let secret =
            r#"{"connection_string": "Endpoint=https://contoso.azconfig.io;Id=a;Secret=c2VjcmV0"}"#;
        let options = options(secret);
        assert!(!format!("{options:?}").contains("c2VjcmV0"));
        assert!(AppConfigurationBuilder::from(options).build().is_ok());
    }
}
