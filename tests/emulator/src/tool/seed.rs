//! Content: what is read from files at the start and written at the end.

use std::collections::BTreeMap;
use std::path::Path;

use config_azure_emulator::vault::{NewKey, NewSecret, VaultHandle};
use config_azure_emulator::{Emulator, Setting, StoreHandle};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ToolError;

/// A file of `--vault-seed`: vaults by name.
pub(super) type Vaults = BTreeMap<String, VaultSeed>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultSeed {
    #[serde(default)]
    secrets: BTreeMap<String, Versions>,
    #[serde(default)]
    keys: BTreeMap<String, KeySeed>,
}

/// One version, or several, oldest first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Versions {
    One(Version),
    Many(Vec<Version>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Value(String),
    Whole(SecretSeed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretSeed {
    value: String,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    nbf: Option<Instant>,
    exp: Option<Instant>,
    enabled: Option<bool>,
}

/// Unix seconds, or a date and time as in RFC 3339.
#[derive(Deserialize)]
#[serde(untagged)]
enum Instant {
    Seconds(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySeed {
    kty: String,
    #[serde(default = "default_size")]
    size: u32,
    #[serde(default = "default_curve")]
    crv: String,
}

fn default_size() -> u32 {
    2048
}

fn default_curve() -> String {
    "P-256".to_owned()
}

/// Reads a file of `--vault-seed`, if there is one.
pub(super) fn read_vaults(path: Option<&Path>) -> Result<Vaults, ToolError> {
    let Some(path) = path else {
        return Ok(Vaults::new());
    };
    serde_json::from_str(&read(path)?).map_err(|error| ToolError::file("understand", path, error))
}

/// Puts secrets and keys into the vaults.
pub(super) fn vaults(emulator: &Emulator, seed: Vaults) -> Result<(), ToolError> {
    for (name, seed) in seed {
        let vault = emulator.vault(&name);
        for (secret, versions) in seed.secrets {
            let versions = match versions {
                Versions::One(version) => vec![version],
                Versions::Many(versions) => versions,
            };
            for version in versions {
                vault.set_secret_with(&secret, version.into_secret(&name, &secret)?);
            }
        }
        for (key, seed) in seed.keys {
            seed.create(&vault, &key)?;
        }
    }
    Ok(())
}

impl Version {
    fn into_secret(self, vault: &str, name: &str) -> Result<NewSecret, ToolError> {
        let seed = match self {
            Self::Value(value) => return Ok(NewSecret::new(value)),
            Self::Whole(seed) => seed,
        };
        let is_certificate = seed.content_type.as_deref().is_some_and(|content_type| {
            ["application/x-pkcs12", "application/x-pem-file"].contains(&content_type)
        });
        let mut secret = match seed.content_type {
            Some(content_type) if is_certificate => {
                NewSecret::certificate(seed.value, content_type)
            }
            Some(content_type) => NewSecret::new(seed.value).content_type(content_type),
            None => NewSecret::new(seed.value),
        };
        for (tag, value) in seed.tags {
            secret = secret.tag(tag, value);
        }
        let bad_time = || ToolError::content(format!("{vault}/{name}: a time is not valid"));
        if let Some(nbf) = seed.nbf {
            secret = secret.not_before(nbf.time().ok_or_else(bad_time)?);
        }
        if let Some(exp) = seed.exp {
            secret = secret.expires(exp.time().ok_or_else(bad_time)?);
        }
        Ok(secret.enabled(seed.enabled.unwrap_or(true)))
    }
}

impl Instant {
    fn time(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Seconds(seconds) => OffsetDateTime::from_unix_timestamp(*seconds).ok(),
            Self::Text(text) => OffsetDateTime::parse(text, &Rfc3339).ok(),
        }
    }
}

impl KeySeed {
    fn create(self, vault: &VaultHandle, name: &str) -> Result<(), ToolError> {
        let known = match self.kty.as_str() {
            "RSA" => [2048, 3072, 4096].contains(&self.size),
            "EC" => ["P-256", "P-384", "P-521", "P-256K"].contains(&self.crv.as_str()),
            _ => false,
        };
        if !known {
            let text = format!("{}/{name}: there is no such kind of key", vault.name());
            return Err(ToolError::content(text));
        }
        let key = if self.kty == "RSA" {
            NewKey::rsa(self.size)
        } else {
            NewKey::ec(self.crv)
        };
        vault.create_key(name, key);
        Ok(())
    }
}

/// Imports a KVSet file into a store; with `local`, references are led to the vaults' own ports.
pub(super) fn store(
    emulator: &Emulator,
    name: &str,
    path: &Path,
    local: bool,
) -> Result<(), ToolError> {
    let store = emulator.store(name);
    store
        .import_kvset(&read(path)?)
        .map_err(|error| ToolError::file("import", path, ToolError::from(error)))?;
    if local {
        redirect(&store, &addresses(emulator));
    }
    Ok(())
}

/// Writes a store as a KVSet file, with the vaults' real addresses.
pub(super) fn export(emulator: &Emulator, name: &str, path: &Path) -> Result<(), ToolError> {
    let store = emulator.store(name);
    let back: Vec<_> = addresses(emulator)
        .into_iter()
        .map(|(real, local)| (local, real))
        .collect();
    redirect(&store, &back);
    std::fs::write(path, store.export_kvset())
        .map_err(|error| ToolError::file("write", path, error))
}

/// Real and local address of every vault.
fn addresses(emulator: &Emulator) -> Vec<(String, String)> {
    let vaults = emulator.vaults().into_iter();
    vaults
        .filter_map(|vault| Some((vault.url(), vault.local_url()?)))
        .collect()
}

/// Leads Key Vault references from one address to another.
fn redirect(store: &StoreHandle, addresses: &[(String, String)]) {
    for mut setting in store.settings() {
        if let Some(value) = redirected(&setting, addresses) {
            setting.value = Some(value);
            store.put(setting);
        }
    }
}

fn redirected(setting: &Setting, addresses: &[(String, String)]) -> Option<String> {
    let content_type = setting.content_type.as_deref()?.split(';').next()?.trim();
    if !content_type.eq_ignore_ascii_case("application/vnd.microsoft.appconfig.keyvaultref+json") {
        return None;
    }
    let mut reference: Value = serde_json::from_str(setting.value.as_deref()?).ok()?;
    let uri = reference["uri"].as_str()?;
    let moved = addresses.iter().find_map(|(from, to)| {
        let path = uri.get(from.len()..)?;
        let same_host = uri[..from.len()].eq_ignore_ascii_case(from) && path.starts_with('/');
        same_host.then(|| format!("{to}{path}"))
    })?;
    reference["uri"] = moved.into();
    Some(reference.to_string())
}

fn read(path: &Path) -> Result<String, ToolError> {
    std::fs::read_to_string(path).map_err(|error| ToolError::file("read", path, error))
}
