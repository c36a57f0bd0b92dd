//! How tests and examples furnish and steer a store, past its HTTP interface.

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::auth::Gate;
use super::call::Options;
use super::hmac::AccessKey;
use super::setting::{Name, Setting};
use super::snapshots::{NewSnapshot, Snapshot};
use super::state::State;
use super::sync_token;
use super::version::ApiVersion;
use super::{Store, kvset};
use crate::builder::AddressBook;
use crate::clock::ClockHandle;
use crate::error::EmulatorError;
use crate::service::Service;

const KEY_VAULT_REFERENCE: &str =
    "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

const SNAPSHOT_REFERENCE: &str =
    "application/json; profile=\"https://azconfig.io/mime-profiles/snapshot-ref\"; charset=utf-8";

/// One store of the emulator. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct StoreHandle {
    store: Arc<Store>,
    clock: ClockHandle,
    addresses: AddressBook,
}

impl StoreHandle {
    pub(crate) fn new(store: Arc<Store>, clock: ClockHandle, addresses: AddressBook) -> Self {
        Self {
            store,
            clock,
            addresses,
        }
    }

    /// Another endpoint of the same store.
    pub(crate) fn replica(&self, host: &str, region: usize) -> Self {
        Self {
            store: Arc::new(self.store.replica(host, region)),
            ..self.clone()
        }
    }

    pub(crate) fn service(&self) -> Arc<dyn Service> {
        self.store.clone()
    }

    /// The real host name, such as `contoso.azconfig.io`.
    pub fn host(&self) -> &str {
        &self.store.host
    }

    /// The real endpoint, such as `https://contoso.azconfig.io`.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.store.host)
    }

    /// The store's own port, `https://localhost:PORT`; plain HTTP is served there as well.
    ///
    /// # Panics
    /// If the emulator has no sockets.
    pub fn local_endpoint(&self) -> String {
        self.addresses.local_url(&self.store.host)
    }

    /// A connection string with read-write access to the real endpoint.
    pub fn connection_string(&self) -> String {
        self.connection(&self.endpoint(), false)
    }

    /// A connection string that may only read; writes draw 403.
    pub fn read_only_connection_string(&self) -> String {
        self.connection(&self.endpoint(), true)
    }

    /// A connection string with read-write access to the store's own port.
    ///
    /// # Panics
    /// If the emulator has no sockets.
    pub fn local_connection_string(&self) -> String {
        self.connection(&self.local_endpoint(), false)
    }

    /// Writes a value, as somebody else would. Content type and tags of the setting stay. Returns the ETag.
    pub fn set<'a>(
        &self,
        key: &str,
        label: impl Into<Option<&'a str>>,
        value: impl Into<String>,
    ) -> String {
        let label = label.into();
        let found = self.get(key, label);
        let mut setting =
            found.unwrap_or_else(|| Setting::named(key.to_owned(), label.map(str::to_owned)));
        setting.value = Some(value.into());
        self.put(setting)
    }

    /// Writes a Key Vault reference to this secret identifier. Returns the ETag.
    pub fn set_reference<'a>(
        &self,
        key: &str,
        label: impl Into<Option<&'a str>>,
        secret_uri: &str,
    ) -> String {
        let value = json!({ "uri": secret_uri }).to_string();
        let mut setting = Setting::new(key, value).content_type(KEY_VAULT_REFERENCE);
        setting.label = label.into().filter(|l| !l.is_empty()).map(str::to_owned);
        self.put(setting)
    }

    /// Writes a reference to a snapshot, to be expanded by providers. Returns the ETag.
    pub fn set_snapshot_reference<'a>(
        &self,
        key: &str,
        label: impl Into<Option<&'a str>>,
        snapshot: &str,
    ) -> String {
        let value = json!({ "snapshot_name": snapshot }).to_string();
        let mut setting = Setting::new(key, value).content_type(SNAPSHOT_REFERENCE);
        setting.label = label.into().filter(|l| !l.is_empty()).map(str::to_owned);
        self.put(setting)
    }

    /// Makes a snapshot of what the store holds now.
    ///
    /// # Errors
    /// The service would refuse it: bad filters, or several labels in a composition by key.
    pub fn create_snapshot(&self, snapshot: NewSnapshot) -> Result<(), EmulatorError> {
        let name = snapshot.name.clone();
        let now = self.clock.now();
        let mut state = self.store.state(now);
        let composed = Snapshot::compose(snapshot, state.items(), now);
        let composed = composed.map_err(|problem| {
            let body = problem.into_response().into_body();
            let why = String::from_utf8_lossy(&body).into_owned();
            EmulatorError::new(format!("the snapshot '{name}' is refused: {why}"))
        })?;
        state.add_snapshot(composed, now);
        Ok(())
    }

    /// Archives a snapshot or takes it back; says whether there is one.
    pub fn archive_snapshot(&self, name: &str, archived: bool) -> bool {
        let now = self.clock.now();
        self.store.state(now).archive_snapshot(name, archived, now)
    }

    /// The sync token of this endpoint after the last change, as an event about that change carries it.
    pub fn sync_token(&self) -> String {
        let changes = self.state().changes().len();
        sync_token::write(self.store.region, changes)
    }

    /// Writes a whole setting, locked or not. Returns the ETag that the store gave it.
    pub fn put(&self, setting: Setting) -> String {
        let written = self.state().put(setting, self.clock.now());
        written.etag.clone()
    }

    /// Deletes a setting; says whether there was one.
    pub fn delete<'a>(&self, key: &str, label: impl Into<Option<&'a str>>) -> bool {
        let name = Name::new(key, label.into());
        let removed = self.state().remove(&name, self.clock.now());
        removed.is_some()
    }

    /// Deletes all settings; says how many there were.
    pub fn clear(&self) -> usize {
        let mut state = self.state();
        let names: Vec<_> = state.items().keys().cloned().collect();
        for name in &names {
            state.remove(name, self.clock.now());
        }
        names.len()
    }

    /// A setting as it is now.
    pub fn get<'a>(&self, key: &str, label: impl Into<Option<&'a str>>) -> Option<Setting> {
        let name = Name::new(key, label.into());
        let state = self.state();
        state.get(&name).map(|setting| Setting::clone(setting))
    }

    /// All settings in the order of the service.
    pub fn settings(&self) -> Vec<Setting> {
        let state = self.state();
        state.items().values().map(|s| Setting::clone(s)).collect()
    }

    /// Writes all settings of a file made by `az appconfig kv export --profile appconfig/kvset`. Returns how many.
    ///
    /// # Errors
    /// The text is not a file of that format; nothing is written then.
    pub fn import_kvset(&self, json: &str) -> Result<usize, EmulatorError> {
        let settings = kvset::parse(json)?;
        let count = settings.len();
        for setting in settings {
            self.put(setting);
        }
        Ok(count)
    }

    /// All settings as a file of the `appconfig/kvset` profile.
    pub fn export_kvset(&self) -> String {
        kvset::write(self.settings().iter())
    }

    /// Settings on a page, 100 at the start.
    ///
    /// # Panics
    /// If `size` is zero.
    pub fn page_size(&self, size: usize) -> &Self {
        assert!(size > 0, "a page holds at least one setting");
        self.change(|options| options.page_size = size)
    }

    /// Whether a page that did not change (304) names its ETag; not at the start. Single settings always do.
    pub fn etag_on_304(&self, on: bool) -> &Self {
        self.change(|options| options.etag_on_304 = on)
    }

    /// Whether answers carry `Sync-Token`; they do at the start.
    pub fn sync_tokens(&self, on: bool) -> &Self {
        self.change(|options| options.sync_tokens = on)
    }

    /// How far reads from this endpoint, of settings and snapshots, lie behind the last write anywhere. Zero at the
    /// start.
    ///
    /// A read that carries a sync token of this endpoint sees at least what that token stands for.
    pub fn lag(&self, lag: Duration) -> &Self {
        self.change(|options| options.lag = lag)
    }

    /// The newest api-version that the store knows, as in a cloud that lags behind. 2026-04-01 at the start.
    ///
    /// # Panics
    /// If there is no such version.
    pub fn newest_api_version(&self, name: &str) -> &Self {
        let newest = ApiVersion::named(name).expect("an api-version of the service");
        self.change(|options| options.newest = newest)
    }

    /// Whether everybody is let in without signature or token, as in Microsoft's local emulator.
    pub fn anonymous(&self, on: bool) -> &Self {
        self.guard(|gate| gate.anonymous = on)
    }

    /// Whether token holders lack a role on the store: 403.
    pub fn forbid(&self, on: bool) -> &Self {
        self.guard(|gate| gate.forbidden = on)
    }

    /// The audiences that a token may be for, instead of those of the cloud that the host's name tells: for
    /// `contoso.azconfig.azure.us` `https://azconfig.azure.us` and `https://appconfig.azure.us`, for a custom domain
    /// the public cloud's.
    pub fn audiences(&self, audiences: &[&str]) -> &Self {
        let audiences = audiences.iter().map(|&a| a.to_owned()).collect();
        self.guard(|gate| gate.audiences = audiences)
    }

    /// Replaces the access keys: connection strings made before are refused as `Invalid Credential`.
    pub fn rotate_keys(&self) -> &Self {
        self.guard(Gate::rotate)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.store.state(self.clock.now())
    }

    fn change(&self, change: impl FnOnce(&mut Options)) -> &Self {
        let options = self.store.options.write();
        change(&mut options.unwrap_or_else(PoisonError::into_inner));
        self
    }

    fn guard(&self, change: impl FnOnce(&mut Gate)) -> &Self {
        let gate = self.store.gate.write();
        change(&mut gate.unwrap_or_else(PoisonError::into_inner));
        self
    }

    fn connection(&self, endpoint: &str, read_only: bool) -> String {
        let gate = self.store.gate.read();
        let gate = gate.unwrap_or_else(PoisonError::into_inner);
        let key = gate.keys.iter().find(|key| key.read_only == read_only);
        let AccessKey { id, secret, .. } = key.expect("a store has a key of each kind");
        format!(
            "Endpoint={endpoint};Id={id};Secret={}",
            BASE64.encode(secret)
        )
    }
}

impl fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHandle")
            .field("host", &self.store.host)
            .finish_non_exhaustive()
    }
}
