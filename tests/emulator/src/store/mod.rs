//! App Configuration: one store.

mod auth;
mod call;
mod filter;
mod handle;
mod hmac;
mod item;
mod journal;
mod json;
mod kvset;
mod list;
mod names;
mod page;
mod problem;
mod query;
mod revisions;
mod setting;
mod snapshots;
mod state;
pub(crate) mod sync_token;
mod time_gate;
mod version;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use time::OffsetDateTime;

use auth::Gate;
use call::{Call, Options};
pub use handle::StoreHandle;
pub(crate) use journal::{Listener, StoreChange, Subject};
use problem::Problem;
use query::Query;
pub use setting::Setting;
use snapshots::Snapshots;
pub use snapshots::{Composition, NewSnapshot};
use state::State;
use version::ApiVersion;

use crate::service::Service;
use crate::token::TokenIssuer;

/// A store, or a replica of one, under one host name.
pub(crate) struct Store {
    pub(crate) host: String,
    /// Which replica this is; the store itself is number 0.
    region: usize,
    state: Arc<Mutex<State>>,
    gate: Arc<RwLock<Gate>>,
    options: RwLock<Options>,
}

impl Store {
    pub(crate) fn new(host: &str, issuer: Arc<TokenIssuer>) -> Self {
        Self {
            host: host.to_owned(),
            region: 0,
            state: Arc::default(),
            gate: Arc::new(RwLock::new(Gate::new(host, issuer))),
            options: RwLock::default(),
        }
    }

    /// Another endpoint of this store: same settings, same keys, its own sync tokens and options.
    pub(crate) fn replica(&self, host: &str, region: usize) -> Self {
        Self {
            host: host.to_owned(),
            region,
            state: self.state.clone(),
            gate: self.gate.clone(),
            options: RwLock::new(self.options()),
        }
    }

    /// Tells `listener` of every change from now on.
    pub(crate) fn listen(&self, listener: Listener) {
        self.held().journal.listen(listener);
    }

    /// The state as of `now`.
    fn state(&self, now: OffsetDateTime) -> MutexGuard<'_, State> {
        let mut state = self.held();
        state.settle(now);
        state
    }

    /// The state as the last request left it.
    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn options(&self) -> Options {
        let options = self.options.read();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(
        &self,
        request: &Request<Bytes>,
        now: OffsetDateTime,
    ) -> Result<Response<Bytes>, Problem> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        gate.admit(request, now)?;
        drop(gate);
        let path = request.uri().path();
        // The service does not serve doubly escaped paths at all.
        if path.contains("%25") {
            return Err(Problem::bare(StatusCode::BAD_REQUEST));
        }
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let options = self.options();
        let call = Call {
            version: ApiVersion::of(&query, path, options.newest)?,
            path,
            query: &query,
            headers: request.headers(),
            options: &options,
            now,
        };
        self.route(&call, request)
    }

    fn route(&self, call: &Call<'_>, request: &Request<Bytes>) -> Result<Response<Bytes>, Problem> {
        let path = call.path.strip_prefix('/').unwrap_or(call.path);
        let (resource, name) = path.split_once('/').unwrap_or((path, ""));
        if let "snapshots" | "operations" = resource {
            return self.snapshots(call, request, resource, name);
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match (resource, name.is_empty()) {
            ("kv" | "revisions" | "keys" | "labels", true) if reads => self.list(call, resource),
            ("kv" | "revisions" | "keys" | "labels", true) => {
                Err(Problem::method_not_allowed("GET, HEAD"))
            }
            ("kv", false) => self.item(call, request, name),
            ("locks", false) => self.lock(call, request, name),
            _ => Err(Problem::not_found()),
        }
    }

    fn list(&self, call: &Call<'_>, resource: &str) -> Result<Response<Bytes>, Problem> {
        let snapshot = call.query.first("snapshot");
        let snapshot = snapshot.filter(|_| call.version.has_snapshots() && resource == "kv");
        if let Some(name) = snapshot {
            return self.of_snapshots(call, |found| snapshots::content(call, found, name));
        }
        let list = match resource {
            "kv" => list::key_values,
            "keys" => names::keys,
            "labels" => names::labels,
            _ => {
                return self.at_its_time(call, |state, changes| {
                    revisions::revisions(call, &state.changes()[..changes])
                });
            }
        };
        self.at_its_time(call, |state, changes| {
            list(call, &state.items_after(changes))
        })
    }

    /// Reads the store as of the moment that the request asks for, or as far as this replica has come.
    fn at_its_time(
        &self,
        call: &Call<'_>,
        read: impl FnOnce(&State, usize) -> Result<Response<Bytes>, Problem>,
    ) -> Result<Response<Bytes>, Problem> {
        let asked = time_gate::asked(call)?;
        let state = self.state(call.now);
        let visible = self.visible(&state, call.headers, call.now);
        let changes = asked.map(|date| state.changes_until(time_gate::end_of(date)));
        let changes = changes.map_or(visible, |changes| changes.min(visible));
        let mut response = read(&state, changes)?;
        if let Some(date) = asked {
            time_gate::mark(call, date, &mut response);
        }
        Ok(response)
    }

    /// How many changes have come through to here: all older than the lag, and all that the client knows of.
    fn visible(&self, state: &State, headers: &HeaderMap, now: OffsetDateTime) -> usize {
        let all = state.changes().len();
        let lag = self.options().lag;
        if lag.is_zero() {
            return all;
        }
        let seen = sync_token::seen(headers, self.region).unwrap_or_default();
        state.changes_until(now - lag).max(seen).min(all)
    }

    fn item(
        &self,
        call: &Call<'_>,
        request: &Request<Bytes>,
        raw_key: &str,
    ) -> Result<Response<Bytes>, Problem> {
        let name = item::name_of(call, raw_key)?;
        match *request.method() {
            Method::GET | Method::HEAD => self.at_its_time(call, |state, changes| {
                item::read(call, &state.items_after(changes), &name)
            }),
            Method::PUT => item::write(call, &mut self.state(call.now), &name, request.body()),
            Method::DELETE => item::delete(call, &mut self.state(call.now), &name),
            _ => Err(Problem::method_not_allowed("GET, HEAD, PUT, DELETE")),
        }
    }

    fn lock(
        &self,
        call: &Call<'_>,
        request: &Request<Bytes>,
        raw_key: &str,
    ) -> Result<Response<Bytes>, Problem> {
        let name = item::name_of(call, raw_key)?;
        match *request.method() {
            Method::PUT => item::lock(call, &mut self.state(call.now), &name, true),
            Method::DELETE => item::lock(call, &mut self.state(call.now), &name, false),
            _ => Err(Problem::method_not_allowed("PUT, DELETE")),
        }
    }

    fn snapshots(
        &self,
        call: &Call<'_>,
        request: &Request<Bytes>,
        resource: &str,
        name: &str,
    ) -> Result<Response<Bytes>, Problem> {
        call.version.at_least(ApiVersion::V2023_10, call.path)?;
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match (resource, name.is_empty()) {
            ("snapshots", true) if reads => self.of_snapshots(call, |s| snapshots::list(call, s)),
            ("operations", true) if reads => {
                self.of_snapshots(call, |found| snapshots::operation(call, found))
            }
            ("snapshots", false) if reads => {
                self.of_snapshots(call, |found| snapshots::one(call, found, name))
            }
            ("snapshots", false) => {
                snapshots::write(call, &mut self.state(call.now), request, name)
            }
            (_, true) => Err(Problem::method_not_allowed("GET, HEAD")),
            _ => Err(Problem::not_found()),
        }
    }

    /// Reads the snapshots as far as this replica has come.
    fn of_snapshots(
        &self,
        call: &Call<'_>,
        read: impl FnOnce(&Snapshots) -> Result<Response<Bytes>, Problem>,
    ) -> Result<Response<Bytes>, Problem> {
        let state = self.state(call.now);
        let visible = self.visible(&state, call.headers, call.now);
        read(&state.snapshots_after(visible))
    }

    /// What every answer of an admitted request carries.
    fn complete(
        &self,
        request: &Request<Bytes>,
        now: OffsetDateTime,
        response: &mut Response<Bytes>,
    ) {
        let headers = response.headers_mut();
        let id = HeaderValue::try_from(state::random_etag()).expect("an id is plain ASCII");
        headers.insert("x-ms-request-id", id);
        if self.options().sync_tokens {
            // Not settled: a snapshot is being made when its order is answered, however fast that is.
            let state = self.held();
            let changes = if matches!(*request.method(), Method::GET | Method::HEAD) {
                self.visible(&state, request.headers(), now)
            } else {
                state.changes().len()
            };
            let token = sync_token::write(self.region, changes);
            let token = HeaderValue::try_from(token).expect("a token is plain ASCII");
            headers.insert(sync_token::HEADER, token);
        }
    }
}

impl Service for Store {
    fn handle(&self, request: &Request<Bytes>, now: OffsetDateTime) -> Response<Bytes> {
        let answer = self.answer(request, now);
        let mut response = answer.unwrap_or_else(|problem| problem.answer_to(request.headers()));
        if !matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            self.complete(request, now, &mut response);
        }
        if request.method() == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        response
    }
}
