//! What the engine says about itself.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::engine::Machine;
use super::state::{Counters, Secret, Vault};
use crate::error::{Error, SecretError, SecretErrorKind};
use crate::load::Pipeline;
use crate::reference::{ReferenceId, Resolved};
use crate::store::EndpointStatus;
use crate::time::Instant;

/// How a handle, its store, its vaults and its secrets are doing, at one moment.
///
/// All durations are counted by the monotonic clock and end or begin at that moment. Nothing here holds a value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The number of the current generation; 0 before the first load.
    pub generation: u64,
    /// When that generation was complete.
    pub loaded_at: Option<SystemTime>,
    /// The endpoint that it came from.
    pub endpoint: Option<String>,
    /// All endpoints of the store and how they fare.
    pub endpoints: Vec<EndpointStatus>,
    /// How long ago the current settings were last known to be the store's.
    ///
    /// Every check that finds nothing new sets it back; a failed check, or a change that cannot be published yet, does not.
    /// `None` if nothing was ever loaded.
    pub age: Option<Duration>,
    /// True if [`age`](Self::age) has passed the grace of [`RefreshOptions::stale_after`](crate::RefreshOptions::stale_after),
    /// or a secret that cannot be read is that old.
    pub stale: bool,
    /// How long ago the last check began.
    pub last_attempt: Option<Duration>,
    /// How long ago the store last answered a check.
    pub last_success: Option<Duration>,
    /// When the store is checked next; `None` while a check is under way, or if only `refresh()` checks.
    pub next_check: Option<Duration>,
    /// Why the store cannot be checked, while it cannot.
    pub failure: Option<StoreFailure>,
    /// Why what was fetched last is not what is current, if it is not.
    pub refused: Option<Error>,
    /// For how long settings that were fetched have been waiting to become current: for a secret, or because they were refused.
    pub pending_for: Option<Duration>,
    /// Every secret and key that is referred to, by vault and name.
    pub secrets: Vec<SecretStatus>,
    /// Every vault that is referred to.
    pub vaults: Vec<VaultStatus>,
    /// How long ago a sentinel was last seen to have moved, since the start.
    pub sentinel_moved: Option<Duration>,
    /// True while the refresh runs in the background.
    pub running: bool,
    /// What happened since the start, in numbers.
    pub counters: Counters,
}

/// Why the store cannot be checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreFailure {
    /// The last failure; its kind and status say what to do.
    pub error: Error,
    /// Since when every check failed.
    pub since: Duration,
    /// How many checks failed in a row.
    pub attempts: u32,
}

/// How one secret or key is doing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SecretStatus {
    /// The host of its vault.
    pub vault: String,
    /// Its name.
    pub name: String,
    /// The version that the reference names. Such a reference is read once and does not rotate.
    pub pinned: Option<String>,
    /// How long ago the value that is held was read; `None` if it was never read.
    pub age: Option<Duration>,
    /// Why it cannot be read, while it cannot.
    pub failure: Option<SecretErrorKind>,
    /// The vault's innermost error code, such as `ForbiddenByRbac`, while it cannot be read.
    pub code: Option<String>,
    /// What to do about it, or what exactly is wrong, where that is known.
    pub hint: Option<&'static str>,
    /// The vault's own id of the request that it refused (`x-ms-request-id`), for Microsoft's support.
    pub request_id: Option<String>,
    /// Why no token could be had, if that is the reason: of a chain of credentials, each member on a line.
    pub cause: Option<String>,
    /// Since when it cannot be read.
    pub failing_for: Option<Duration>,
    /// How often it is read again; `None`: only when a setting appears or changes, or just before it expires.
    pub interval: Option<Duration>,
    /// When it is read next; `None` if nothing asks for it, or a read is under way.
    pub next_read: Option<Duration>,
    /// Until it expires, as its vault said when it was read. Zero if it has expired.
    pub expires_in: Option<Duration>,
    /// What the vault told beside the value that is held; `None` if it was never read.
    pub properties: Option<SecretProperties>,
}

/// What a vault tells of a secret or key beside its value (`attributes`, `contentType` and `tags` of its answer).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretProperties {
    /// The version that was read: the newest at that moment, unless the reference is pinned.
    pub version: Option<String>,
    /// Its own content type, free text. Keys have none.
    pub content_type: Option<String>,
    /// Whether it may be used. A disabled secret cannot be read, a disabled key can.
    pub enabled: Option<bool>,
    /// The date before which it must not be used (`nbf`).
    pub not_before: Option<SystemTime>,
    /// The date from which it must not be used any more (`exp`).
    pub expires_on: Option<SystemTime>,
    /// When the vault's copy was changed last.
    pub updated_on: Option<SystemTime>,
    /// Its own tags, by name.
    pub tags: BTreeMap<String, String>,
}

/// How one vault is doing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VaultStatus {
    /// Its host.
    pub vault: String,
    /// While it asks for fewer requests: until the next one may be made. Zero means that a single probe is due or under way.
    pub throttled_for: Option<Duration>,
    /// How often it failed as a whole since its last answer.
    pub failures: u32,
}

impl Status {
    /// Before the first load.
    pub(crate) fn not_loaded(pipeline: &Pipeline) -> Self {
        let loaded = pipeline.publication().current();
        Self {
            generation: loaded.as_ref().map_or(0, |loaded| loaded.generation()),
            loaded_at: loaded.as_ref().map(|loaded| loaded.loaded_at()),
            endpoint: loaded.map(|loaded| loaded.endpoint().to_owned()),
            endpoints: pipeline.store().endpoint_status(),
            age: None,
            stale: true,
            last_attempt: None,
            last_success: None,
            next_check: None,
            failure: None,
            refused: None,
            pending_for: None,
            secrets: Vec::new(),
            vaults: Vec::new(),
            sentinel_moved: None,
            running: false,
            counters: Counters::default(),
        }
    }

    pub(super) fn of(
        machine: &Machine,
        pipeline: &Pipeline,
        grace: Duration,
        running: bool,
    ) -> Self {
        let Machine { state, names } = machine;
        let now = Instant::now();
        let today = pipeline.publication().clock().now();
        let ago = |at: Instant| now.saturating_duration_since(at);
        let until = |at: Instant| at.saturating_duration_since(now);
        let (store, candidates) = (&state.store, &state.candidates);
        let (secrets, vaults) = (state.reads.secrets(), state.reads.vaults());
        let mut status = Self {
            age: candidates
                .published
                .as_ref()
                .map(|known| ago(known.as_of.oldest())),
            last_attempt: store.attempted.map(ago),
            last_success: store.answered.map(ago),
            next_check: store.wake().filter(|_| running).map(until),
            failure: store.failed.as_ref().map(|(since, error)| StoreFailure {
                error: error.clone(),
                since: ago(*since),
                attempts: store.failures,
            }),
            refused: candidates.refusal().cloned(),
            pending_for: candidates
                .pending
                .as_ref()
                .map(|pending| ago(pending.waiting_since)),
            secrets: secrets
                .filter_map(|(number, secret)| {
                    let id = names.name(number)?;
                    let held = pipeline.references().held(id);
                    let expires_on = held.as_ref().and_then(|held| held.life().expires_on);
                    let failure = secret.failing.and_then(|_| pipeline.failure(id));
                    let error = failure.map(|failure| failure.of_object(id));
                    Some(SecretStatus {
                        properties: held.as_deref().map(properties),
                        expires_in: expires_on
                            .map(|date| date.duration_since(today).unwrap_or_default()),
                        next_read: state.reads.next_read(number).map(until),
                        ..secret_status(id, secret, error.as_ref(), now)
                    })
                })
                .collect(),
            vaults: vaults
                .filter_map(|(number, vault)| Some(vault_status(names.host(number)?, vault, now)))
                .collect(),
            sentinel_moved: state.sentinel_moved.map(ago),
            running,
            counters: state.counters,
            ..Self::not_loaded(pipeline)
        };
        status.stale = status.is_stale(grace);
        status
    }

    /// True once the store was loaded, so that every value is the store's. An `optional()` start without the store is not.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.age.is_some()
    }

    /// True if the settings are older than this, or a secret that cannot be read is. For a readiness probe.
    #[must_use]
    pub fn is_stale(&self, max_age: Duration) -> bool {
        let failing = self
            .secrets
            .iter()
            .filter(|secret| secret.failure.is_some());
        let mut ages = failing.filter_map(|secret| secret.age);
        self.age.is_none_or(|age| age > max_age) || ages.any(|age| age > max_age)
    }

    /// The references that name a version and therefore do not rotate.
    pub fn pinned(&self) -> impl Iterator<Item = &SecretStatus> {
        self.secrets.iter().filter(|secret| secret.pinned.is_some())
    }
}

fn secret_status(
    id: &ReferenceId,
    secret: &Secret,
    error: Option<&SecretError>,
    now: Instant,
) -> SecretStatus {
    let owned = |text: &str| text.to_owned();
    let ago = |at: Instant| now.saturating_duration_since(at);
    SecretStatus {
        vault: id.vault_host().to_owned(),
        name: id.name().to_owned(),
        pinned: id.version().filter(|_| id.is_pinned()).map(str::to_owned),
        age: secret.held.map(ago),
        failure: secret.failing.map(|failing| failing.error.kind),
        code: error.and_then(SecretError::code).map(owned),
        hint: error.and_then(SecretError::hint),
        request_id: error.and_then(SecretError::request_id).map(owned),
        cause: error
            .and_then(std::error::Error::source)
            .map(ToString::to_string),
        failing_for: secret.failing.map(|failing| ago(failing.since)),
        interval: secret.every(),
        next_read: None,
        expires_in: None,
        properties: None,
    }
}

fn properties(held: &Resolved) -> SecretProperties {
    let owned = |text: &str| text.to_owned();
    let life = held.life();
    SecretProperties {
        version: held.version().map(owned),
        content_type: held.content_type().map(owned),
        enabled: life.enabled,
        not_before: life.not_before,
        expires_on: life.expires_on,
        updated_on: life.updated_on,
        tags: held
            .tags()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn vault_status(host: &str, vault: &Vault, now: Instant) -> VaultStatus {
    let until = |at: Instant| at.saturating_duration_since(now);
    VaultStatus {
        vault: host.to_owned(),
        throttled_for: vault.closed_until().map(until),
        failures: vault.failures(),
    }
}
