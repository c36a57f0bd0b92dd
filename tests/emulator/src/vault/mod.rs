//! Azure Key Vault: secrets and keys of one vault.
//!
//! Every request passes the same gates in the service's order: bearer token (the challenge), request limit,
//! api-version and path, permission; then it reaches `secrets` or `keys`, which share versions, lists and soft
//! delete in `collection` over `shelf`.
//!
//! One known difference is a choice: the documentation calls `nbf` and `exp` of a secret informational and says
//! that a GET works outside their window, while a maintainer of the .NET provider reports 403. The emulator
//! refuses by default, because that is what a client must survive; see [`VaultHandle::enforce_validity`].

mod access;
mod backup;
mod call;
mod collection;
mod handle;
mod key_handle;
mod keys;
mod reply;
mod secrets;
mod shelf;
mod throttle;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use time::OffsetDateTime;

use crate::service::Service;
use crate::token::TokenIssuer;
use access::Access;
use call::{Call, Collection, Operation, Target};
use collection::Item;
use keys::Keys;
use reply::{Problem, Reply};
use secrets::Secret;
use shelf::Shelf;
use throttle::Meter;

pub use access::Denial;
pub use handle::{NewSecret, SecretUpdate, SecretVersion, VaultHandle, WallClock};
pub use key_handle::{KeyVersion, NewKey};
pub use throttle::Throttle;

/// The Azure region that a vault says it is in.
const REGION: &str = "westus";

/// One vault. Tests reach it through a [`VaultHandle`].
pub struct Vault {
    name: String,
    suffix: String,
    tokens: Arc<TokenIssuer>,
    state: Mutex<State>,
    watchers: Mutex<Vec<Watcher>>,
}

/// Told of every new version, after the change is visible.
pub type Watcher = Arc<dyn Fn(&ObjectChange) + Send + Sync>;

/// A new version of a secret or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChange {
    /// `Secret` or `Key`.
    pub object_type: &'static str,
    pub object_name: String,
    pub version: String,
    /// The versioned identifier under the vault's own host name.
    pub id: String,
    /// Unix seconds, if set.
    pub not_before: Option<i64>,
    /// Unix seconds, if set.
    pub expires: Option<i64>,
}

struct State {
    secrets: Shelf<Secret>,
    keys: Keys,
    access: Access,
    meter: Option<Meter>,
    enforce_validity: bool,
    /// The authority that the challenge names to clients which came by `localhost`.
    local_authority: Option<String>,
    local_url: Option<String>,
    requests: u64,
    changes: Vec<ObjectChange>,
}

/// What became of a request on one object.
struct Outcome {
    reply: Reply,
    /// The version that it made.
    created: Option<String>,
}

impl Outcome {
    fn reply(reply: Reply) -> Self {
        Self {
            reply,
            created: None,
        }
    }
}

impl Vault {
    /// An empty vault `NAME.vault.azure.net` that accepts this issuer's tokens for `https://vault.azure.net`.
    pub fn new(name: impl Into<String>, tokens: Arc<TokenIssuer>) -> Self {
        Self::with_suffix(name, "vault.azure.net", tokens)
    }

    /// The same in another cloud, such as `vault.usgovcloudapi.net`; the suffix is the token's audience too.
    pub fn with_suffix(
        name: impl Into<String>,
        suffix: impl Into<String>,
        tokens: Arc<TokenIssuer>,
    ) -> Self {
        let name = name.into();
        let state = State {
            secrets: Shelf::new(format!("{name}/secrets")),
            keys: Keys::new(format!("{name}/keys")),
            access: Access::default(),
            meter: None,
            enforce_validity: true,
            local_authority: None,
            local_url: None,
            requests: 0,
            changes: Vec::new(),
        };
        Self {
            name,
            suffix: suffix.into(),
            tokens,
            state: Mutex::new(state),
            watchers: Mutex::default(),
        }
    }

    /// The vault's name, the first label of its host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `NAME.vault.azure.net`.
    pub fn host(&self) -> String {
        format!("{}.{}", self.name, self.suffix)
    }

    /// Where the vault also answers, such as `https://localhost:8443`, and the authority for clients that come
    /// that way, such as `https://localhost:8440`.
    pub fn set_local(&self, url: impl Into<String>, authority: impl Into<String>) {
        let mut state = self.lock();
        state.local_url = Some(url.into());
        state.local_authority = Some(authority.into());
    }

    /// Calls `watcher` for every new version of a secret or key from now on.
    pub fn watch(&self, watcher: Watcher) {
        self.watchers().push(watcher);
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` on the state and reports what it did to the watchers, outside the lock.
    fn with_state<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let changes = std::mem::take(&mut state.changes);
        drop(state);
        if !changes.is_empty() {
            // Cloned, because a watcher may arrange the vault itself.
            let watchers = self.watchers().clone();
            for change in &changes {
                watchers.iter().for_each(|watcher| watcher(change));
            }
        }
        result
    }

    fn url(&self) -> String {
        format!("https://{}", self.host())
    }

    fn answer(
        &self,
        state: &mut State,
        request: &Request<Bytes>,
        now: OffsetDateTime,
    ) -> Result<Reply, Problem> {
        self.authenticate(state, request, now)?;
        if let Some(meter) = &mut state.meter {
            meter.admit(now)?;
        }
        let call = Call::parse(request, now)?;
        state
            .access
            .check(&call, &self.name, self.tokens.tenant_id())?;
        state.secrets.sweep(now);
        state.keys.shelf.sweep(now);
        self.dispatch(state, &call)
    }

    fn dispatch(&self, state: &mut State, call: &Call<'_>) -> Result<Reply, Problem> {
        let Target::Object {
            collection, name, ..
        } = call.target
        else {
            return list(state, call);
        };
        let outcome = match collection {
            Collection::Secrets => {
                secrets::answer(&mut state.secrets, state.enforce_validity, call)?
            }
            Collection::Keys => state.keys.answer(call)?,
            Collection::DeletedSecrets => return deleted(&mut state.secrets, call),
            Collection::DeletedKeys => return deleted(&mut state.keys.shelf, call),
        };
        if let Some(version) = &outcome.created {
            let change = match collection {
                Collection::Secrets => self.change(&state.secrets, name, version),
                _ => self.change(&state.keys.shelf, name, version),
            };
            state.changes.extend(change);
        }
        Ok(outcome.reply)
    }

    fn authenticate(
        &self,
        state: &mut State,
        request: &Request<Bytes>,
        now: OffsetDateTime,
    ) -> Result<(), Problem> {
        let resource = format!("https://{}", self.suffix);
        let challenge = self.challenge(state, request, &resource);
        let Some(token) = access::bearer(request) else {
            return Err(access::missing_token(challenge));
        };
        if let Err(problem) = self.tokens.verify(token, &resource, now) {
            return Err(access::refused_token(&problem, &resource, challenge));
        }
        match state.access.claims.take() {
            Some(claims) => Err(access::insufficient_claims(&challenge, &claims)),
            None => Ok(()),
        }
    }

    fn challenge(&self, state: &State, request: &Request<Bytes>, resource: &str) -> String {
        let by_own_name = request
            .uri()
            .host()
            .is_some_and(|host| host.eq_ignore_ascii_case(&self.host()));
        let authority = match &state.local_authority {
            Some(local) if !by_own_name => local.as_str(),
            _ => "https://login.microsoftonline.com",
        };
        let tenant = self.tokens.tenant_id();
        format!(r#"Bearer authorization="{authority}/{tenant}", resource="{resource}""#)
    }

    /// What to tell the watcher of a new version.
    fn change<T: Item>(&self, shelf: &Shelf<T>, name: &str, version: &str) -> Option<ObjectChange> {
        let attributes = &shelf.version(name, Some(version))?.attributes;
        let seconds = |at: Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
        Some(ObjectChange {
            object_type: T::KIND.noun,
            object_name: name.to_owned(),
            version: version.to_owned(),
            id: format!("{}/{}/{name}/{version}", self.url(), T::KIND.path),
            not_before: seconds(attributes.not_before),
            expires: seconds(attributes.expires),
        })
    }
}

impl Service for Vault {
    fn handle(&self, request: &Request<Bytes>, now: OffsetDateTime) -> Response<Bytes> {
        self.with_state(|state| {
            state.requests += 1;
            let request_id = format!("00000000-0000-4000-8000-{:012x}", state.requests);
            reply::into_response(self.answer(state, request, now), &request_id)
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

fn list(state: &State, call: &Call<'_>) -> Result<Reply, Problem> {
    let Target::Collection(collection) = call.target else {
        return Err(Problem::method_not_allowed(call.method));
    };
    if call.method != Method::GET {
        return Err(Problem::method_not_allowed(call.method));
    }
    match collection {
        Collection::Secrets => collection::list(&state.secrets, call),
        Collection::DeletedSecrets => collection::list_deleted(&state.secrets, call),
        Collection::Keys => collection::list(&state.keys.shelf, call),
        Collection::DeletedKeys => collection::list_deleted(&state.keys.shelf, call),
    }
}

fn deleted<T: Item>(shelf: &mut Shelf<T>, call: &Call<'_>) -> Result<Reply, Problem> {
    let Target::Object {
        name,
        version: None,
        operation,
        ..
    } = call.target
    else {
        return Err(Problem::method_not_allowed(call.method));
    };
    match (call.method, operation) {
        (&Method::GET, None) => collection::get_deleted(shelf, name, call),
        (&Method::DELETE, None) => collection::purge(shelf, name),
        (&Method::POST, Some(Operation::Recover)) => collection::recover(shelf, name, call),
        _ => Err(Problem::method_not_allowed(call.method)),
    }
}
