//! The handle by which tests and the standalone tool arrange a vault.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::access::Denial;
use super::secrets::Secret;
use super::shelf::{Attributes, Tags, Version};
use super::throttle::{Meter, Throttle};
use super::{ObjectChange, State, Vault};

/// Tells the emulator's wall-clock time.
pub type WallClock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Arranges one vault from Rust, without requests. Clones share the vault.
///
/// Methods that name a secret which is not there panic and say so: a test that arranges the wrong world should
/// not run on.
///
/// ```
/// use config_azure_emulator::Emulator;
/// use config_azure_emulator::vault::NewSecret;
///
/// let emulator = Emulator::builder().vault("kv-orders").in_memory();
/// let vault = emulator.vault("kv-orders");
/// let first = vault.set_secret("db-password", "one");
/// vault.set_secret_with("db-password", NewSecret::new("two").tag("owner", "orders"));
/// assert!(first.id.starts_with("https://kv-orders.vault.azure.net/secrets/db-password/"));
/// assert_eq!(vault.versions("db-password").len(), 2);
/// vault.disable("db-password"); // from now on a GET is answered 403 SecretDisabled
/// ```
#[derive(Clone)]
pub struct VaultHandle {
    vault: Arc<Vault>,
    clock: WallClock,
}

/// A version that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVersion {
    /// `https://NAME.vault.azure.net/secrets/SECRET/VERSION`.
    pub id: String,
    /// 32 hexadecimal digits.
    pub version: String,
}

/// A version of a secret to be made; by default enabled, without dates, content type and tags.
#[derive(Clone)]
pub struct NewSecret {
    value: String,
    content_type: Option<String>,
    tags: Tags,
    not_before: Option<OffsetDateTime>,
    expires: Option<OffsetDateTime>,
    enabled: bool,
    managed: bool,
}

/// What can be changed in a version of a secret.
#[derive(Clone, Debug)]
pub struct SecretUpdate {
    pub enabled: bool,
    /// `nbf`.
    pub not_before: Option<OffsetDateTime>,
    /// `exp`.
    pub expires: Option<OffsetDateTime>,
    pub content_type: Option<String>,
    pub tags: Tags,
}

impl NewSecret {
    /// A secret with this value.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            content_type: None,
            tags: Tags::new(),
            not_before: None,
            expires: None,
            enabled: true,
            managed: false,
        }
    }

    /// The secret of a certificate: `managed`, with a `kid`, and one of the content types `application/x-pkcs12`
    /// (the value is base64) and `application/x-pem-file`.
    pub fn certificate(value: impl Into<String>, content_type: impl Into<String>) -> Self {
        Self {
            managed: true,
            ..Self::new(value).content_type(content_type)
        }
    }

    /// The hint that clients see as `contentType`.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// `nbf`.
    pub fn not_before(mut self, at: OffsetDateTime) -> Self {
        self.not_before = Some(at);
        self
    }

    /// `exp`.
    pub fn expires(mut self, at: OffsetDateTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// Whether the value can be read.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl VaultHandle {
    /// A handle on `vault` that makes versions at the times of `clock`.
    pub fn new(vault: Arc<Vault>, clock: WallClock) -> Self {
        Self { vault, clock }
    }

    /// The vault behind the handle.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// The vault's name.
    pub fn name(&self) -> &str {
        self.vault.name()
    }

    /// `https://NAME.vault.azure.net`, without a trailing slash.
    pub fn url(&self) -> String {
        self.vault.url()
    }

    /// `https://localhost:PORT`, if the vault has a port of its own.
    pub fn local_url(&self) -> Option<String> {
        self.vault.lock().local_url.clone()
    }

    /// The identifier of a secret without a version, whether the secret exists or not.
    pub fn secret_uri(&self, name: &str) -> String {
        format!("{}/secrets/{name}", self.url())
    }

    /// Makes a new version with this value, creating the secret if need be.
    pub fn set_secret(&self, name: &str, value: impl Into<String>) -> SecretVersion {
        self.set_secret_with(name, NewSecret::new(value))
    }

    /// Makes a new version, creating the secret if need be.
    pub fn set_secret_with(&self, name: &str, secret: NewSecret) -> SecretVersion {
        let now = self.now();
        let version = self.vault.with_state(|state| {
            let mut attributes = Attributes::new(now);
            attributes.enabled = secret.enabled;
            attributes.not_before = secret.not_before;
            attributes.expires = secret.expires;
            let tags = Some(secret.tags).filter(|tags| !tags.is_empty());
            let item = Secret {
                value: secret.value,
                content_type: secret.content_type,
                managed: secret.managed,
            };
            let version = state.secrets.add(name, attributes, tags, item);
            let change = self.vault.change(&state.secrets, name, &version);
            state.changes.extend(change);
            version
        });
        SecretVersion {
            id: format!("{}/{version}", self.secret_uri(name)),
            version,
        }
    }

    /// Changes the newest version in place.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut SecretUpdate)) {
        self.update_found(name, None, change);
    }

    /// Changes a given version in place.
    pub fn update_version(
        &self,
        name: &str,
        version: &str,
        change: impl FnOnce(&mut SecretUpdate),
    ) {
        self.update_found(name, Some(version), change);
    }

    /// Disables the newest version: reading it is answered 403 `SecretDisabled`.
    pub fn disable(&self, name: &str) {
        self.update(name, |secret| secret.enabled = false);
    }

    /// Enables the newest version.
    pub fn enable(&self, name: &str) {
        self.update(name, |secret| secret.enabled = true);
    }

    /// Deletes a secret softly, with all its versions.
    pub fn delete_secret(&self, name: &str) {
        let now = self.now();
        let found = self
            .vault
            .with_state(|state| state.secrets.delete(name, now).is_some());
        self.expect(found, "secret", name);
    }

    /// Brings a deleted secret back.
    pub fn recover_secret(&self, name: &str) {
        let found = self
            .vault
            .with_state(|state| state.secrets.recover(name).is_some());
        self.expect(found, "secret", name);
    }

    /// Removes a deleted secret for good.
    pub fn purge_secret(&self, name: &str) {
        let found = self.vault.with_state(|state| state.secrets.purge(name));
        self.expect(found, "secret", name);
    }

    /// The version identifiers of a secret, oldest first; empty if there is no such secret.
    pub fn versions(&self, name: &str) -> Vec<String> {
        let state = self.vault.lock();
        let versions = state.secrets.object(name).map(|object| object.versions());
        versions
            .unwrap_or_default()
            .iter()
            .map(|version| version.id.clone())
            .collect()
    }

    /// The names of the secrets that are not deleted, in order.
    pub fn secrets(&self) -> Vec<String> {
        self.vault
            .lock()
            .secrets
            .objects()
            .map(|object| object.name.clone())
            .collect()
    }

    /// The newest value of a secret, whatever its state.
    pub fn value(&self, name: &str) -> Option<String> {
        let state = self.vault.lock();
        state
            .secrets
            .version(name, None)
            .map(|version| version.item.value.clone())
    }

    /// The newest version of a secret as events describe it.
    pub fn secret_object(&self, name: &str) -> Option<ObjectChange> {
        let state = self.vault.lock();
        let newest = &state.secrets.version(name, None)?.id;
        self.vault.change(&state.secrets, name, newest)
    }

    /// Refuses every operation on this secret for lack of a role (`ForbiddenByRbac`).
    pub fn forbid(&self, name: &str) {
        self.forbid_as(name, Denial::Rbac);
    }

    /// Refuses every operation on this secret for the given reason.
    pub fn forbid_as(&self, name: &str, denial: Denial) {
        self.vault.lock().access.deny("secrets", name, denial);
    }

    /// Ends what [`forbid`](Self::forbid) began.
    pub fn allow(&self, name: &str) {
        self.vault.lock().access.allow("secrets", name);
    }

    /// Refuses every operation in the vault, or none for `None` (single objects stay forbidden).
    pub fn forbid_all(&self, denial: Option<Denial>) {
        self.vault.lock().access.vault = denial;
    }

    /// Demands these claims (base64) from the next request that brings a token: 401 `insufficient_claims`, once.
    pub fn demand_claims(&self, claims: impl Into<String>) {
        self.vault.lock().access.claims = Some(claims.into());
    }

    /// Limits the requests, or lifts the limit for `None`. A new window starts.
    pub fn throttle(&self, throttle: impl Into<Option<Throttle>>) {
        self.vault.lock().meter = throttle.into().map(Meter::new);
    }

    /// Whether a value outside `nbf` and `exp` is refused with 403 `SecretNotYetValid` or `SecretExpired` (the
    /// default), or served, as the documentation of the service says.
    pub fn enforce_validity(&self, enforce: bool) {
        self.vault.lock().enforce_validity = enforce;
    }

    fn update_found(
        &self,
        name: &str,
        version: Option<&str>,
        change: impl FnOnce(&mut SecretUpdate),
    ) {
        let now = self.now();
        let found = self.vault.with_state(|state: &mut State| {
            let found = state.secrets.version_mut(name, version);
            found.map(|found| edit(found, change, now)).is_some()
        });
        self.expect(found, "secret", name);
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        (self.clock)()
    }

    #[track_caller]
    pub(super) fn expect(&self, found: bool, word: &str, name: &str) {
        assert!(
            found,
            "the vault {} has no such {word}: {name}",
            self.name()
        );
    }
}

fn edit(found: &mut Version<Secret>, change: impl FnOnce(&mut SecretUpdate), now: OffsetDateTime) {
    let mut update = SecretUpdate {
        enabled: found.attributes.enabled,
        not_before: found.attributes.not_before,
        expires: found.attributes.expires,
        content_type: found.item.content_type.clone(),
        tags: found.tags.clone().unwrap_or_default(),
    };
    change(&mut update);
    found.attributes.enabled = update.enabled;
    found.attributes.not_before = update.not_before;
    found.attributes.expires = update.expires;
    found.attributes.updated = now;
    found.item.content_type = update.content_type;
    found.tags = Some(update.tags).filter(|tags| !tags.is_empty());
}

impl fmt::Debug for VaultHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.vault.fmt(f)
    }
}
