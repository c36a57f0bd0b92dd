//! App Configuration: one store.

mod auth;
mod call;
mod filter;
mod handle;
mod hmac;
mod item;
mod json;
mod kvset;
mod list;
mod names;
mod page;
mod problem;
mod query;
mod revisions;
mod setting;
mod state;
mod sync_token;
mod version;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use time::OffsetDateTime;

use auth::Gate;
use call::{Call, Options};
pub use handle::StoreHandle;
use problem::Problem;
use query::Query;
pub use setting::Setting;
use state::State;
use version::ApiVersion;

use crate::service::Service;

/// A store, or a replica of one, under one host name.
pub(crate) struct Store {
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
    gate: RwLock<Gate>,
    options: RwLock<Options>,
}

impl Store {
    pub(crate) fn new(host: &str, issuer: Arc<crate::token::TokenIssuer>) -> Self {
        Self {
            host: host.to_owned(),
            state: Arc::default(),
            gate: RwLock::new(Gate::new(host, issuer)),
            options: RwLock::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match (resource, name.is_empty()) {
            ("kv", true) if reads => list::key_values(call, self.state().items()),
            ("revisions", true) if reads => revisions::revisions(call, self.state().revisions()),
            ("keys", true) if reads => names::keys(call, self.state().items()),
            ("labels", true) if reads => names::labels(call, self.state().items()),
            ("kv" | "revisions" | "keys" | "labels", true) => {
                Err(Problem::method_not_allowed("GET, HEAD"))
            }
            ("kv", false) => self.item(call, request, name),
            ("locks", false) => self.lock(call, request, name),
            _ => Err(Problem::not_found()),
        }
    }

    fn item(
        &self,
        call: &Call<'_>,
        request: &Request<Bytes>,
        raw_key: &str,
    ) -> Result<Response<Bytes>, Problem> {
        let name = item::name_of(call, raw_key)?;
        let mut state = self.state();
        match *request.method() {
            Method::GET | Method::HEAD => item::read(call, state.items(), &name),
            Method::PUT => item::write(call, &mut state, &name, request.body()),
            Method::DELETE => item::delete(call, &mut state, &name),
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
            Method::PUT => item::lock(call, &mut self.state(), &name, true),
            Method::DELETE => item::lock(call, &mut self.state(), &name, false),
            _ => Err(Problem::method_not_allowed("PUT, DELETE")),
        }
    }

    /// What every answer below 500 of an admitted request carries.
    fn complete(&self, response: &mut Response<Bytes>) {
        let headers = response.headers_mut();
        let id = HeaderValue::try_from(state::random_etag()).expect("an id is plain ASCII");
        headers.insert("x-ms-request-id", id);
        if self.options().sync_tokens {
            let token = sync_token::write(self.state().revisions().len());
            let token = HeaderValue::try_from(token).expect("a token is plain ASCII");
            headers.insert(sync_token::HEADER, token);
        }
    }
}

impl Service for Store {
    fn handle(&self, request: &Request<Bytes>, now: OffsetDateTime) -> Response<Bytes> {
        let answer = self.answer(request, now);
        let mut response = answer.unwrap_or_else(Problem::into_response);
        if !matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            self.complete(&mut response);
        }
        if request.method() == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        response
    }
}
