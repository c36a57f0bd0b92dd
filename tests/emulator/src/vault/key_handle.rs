//! The part of the handle that arranges keys.

use serde_json::Value;
use time::OffsetDateTime;

use super::access::Denial;
use super::handle::VaultHandle;
use super::keys;
use super::shelf::Attributes;

/// A version of a key that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    /// `https://NAME.vault.azure.net/keys/KEY/VERSION`.
    pub id: String,
    /// 32 hexadecimal digits.
    pub version: String,
}

/// A key to be made; by default enabled, without dates, with every operation that its kind allows.
#[derive(Clone, Debug)]
pub struct NewKey {
    kty: &'static str,
    size: Option<u32>,
    curve: Option<String>,
    expires: Option<OffsetDateTime>,
    enabled: bool,
}

impl NewKey {
    /// An RSA key of 2048, 3072 or 4096 bits.
    pub fn rsa(bits: u32) -> Self {
        Self {
            kty: "RSA",
            size: Some(bits),
            curve: None,
            expires: None,
            enabled: true,
        }
    }

    /// An elliptic curve key: `P-256`, `P-384`, `P-521` or `P-256K`.
    pub fn ec(curve: impl Into<String>) -> Self {
        Self {
            kty: "EC",
            size: None,
            curve: Some(curve.into()),
            ..Self::rsa(0)
        }
    }

    /// `exp`.
    pub fn expires(mut self, at: OffsetDateTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// Whether the key can be used.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl VaultHandle {
    /// The identifier of a key without a version, whether the key exists or not.
    pub fn key_uri(&self, name: &str) -> String {
        format!("{}/keys/{name}", self.url())
    }

    /// Makes a new version of a key, creating the key if need be.
    ///
    /// # Panics
    /// If there is no such size or curve.
    pub fn create_key(&self, name: &str, key: NewKey) -> KeyVersion {
        let NewKey {
            kty,
            size,
            curve,
            expires,
            enabled,
        } = key;
        let mut attributes = Attributes::new(self.now());
        attributes.enabled = enabled;
        attributes.expires = expires;
        let version = self.vault().with_state(|state| {
            let curve = curve.as_deref();
            let version = keys::add_key(&mut state.keys, name, kty, size, curve, attributes)?;
            let change = self.vault().change(&state.keys.shelf, name, &version);
            state.changes.extend(change);
            Some(version)
        });
        let version =
            version.unwrap_or_else(|| panic!("there is no such {kty} key: {size:?} {curve:?}"));
        self.key_version(name, version)
    }

    /// Makes a new version like the newest one, with new numbers.
    pub fn rotate_key(&self, name: &str) -> KeyVersion {
        let now = self.now();
        let version = self.vault().with_state(|state| {
            let version = keys::rotate_key(&mut state.keys, name, now)?;
            let change = self.vault().change(&state.keys.shelf, name, &version);
            state.changes.extend(change);
            Some(version)
        });
        self.expect(version.is_some(), "key", name);
        self.key_version(name, version.unwrap_or_default())
    }

    /// The version identifiers of a key, oldest first; empty if there is no such key.
    pub fn key_versions(&self, name: &str) -> Vec<String> {
        let state = self.vault().lock();
        let versions = state
            .keys
            .shelf
            .object(name)
            .map(|object| object.versions());
        versions
            .unwrap_or_default()
            .iter()
            .map(|version| version.id.clone())
            .collect()
    }

    /// The public key of the newest version as the service shows it, whatever its state.
    pub fn public_key(&self, name: &str) -> Option<Value> {
        let state = self.vault().lock();
        let newest = state.keys.shelf.version(name, None)?;
        let id = format!("{}/{}", self.key_uri(name), newest.id);
        Some(newest.item.jwk(&id))
    }

    /// Disables the newest version: every cryptographic operation is answered 403 `KeyDisabled`.
    pub fn disable_key(&self, name: &str) {
        self.set_key_enabled(name, false);
    }

    /// Enables the newest version.
    pub fn enable_key(&self, name: &str) {
        self.set_key_enabled(name, true);
    }

    /// Deletes a key softly, with all its versions.
    pub fn delete_key(&self, name: &str) {
        let now = self.now();
        let found = self
            .vault()
            .with_state(|state| state.keys.shelf.delete(name, now).is_some());
        self.expect(found, "key", name);
    }

    /// Refuses every operation on this key for lack of a role (`ForbiddenByRbac`).
    pub fn forbid_key(&self, name: &str) {
        self.vault().lock().access.deny("keys", name, Denial::Rbac);
    }

    /// Ends what [`forbid_key`](Self::forbid_key) began.
    pub fn allow_key(&self, name: &str) {
        self.vault().lock().access.allow("keys", name);
    }

    fn set_key_enabled(&self, name: &str, enabled: bool) {
        let now = self.now();
        let found = self.vault().with_state(|state| {
            let newest = state.keys.shelf.version_mut(name, None)?;
            newest.attributes.enabled = enabled;
            newest.attributes.updated = now;
            Some(())
        });
        self.expect(found.is_some(), "key", name);
    }

    fn key_version(&self, name: &str, version: String) -> KeyVersion {
        KeyVersion {
            id: format!("{}/{version}", self.key_uri(name)),
            version,
        }
    }
}
