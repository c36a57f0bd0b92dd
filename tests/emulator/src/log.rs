//! What was asked, and how it was answered.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::route::{HostKind, Resource, Route};

/// One request that reached a service.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The request's method.
    pub method: Method,
    /// `https`, or `http` on a service's own port.
    pub scheme: String,
    /// The service's real host name, in lower case.
    pub host: String,
    /// The host and port that the client asked for.
    pub authority: String,
    /// The path as it stood on the request line.
    pub path: String,
    /// The query as it stood on the request line, without `?`; empty if there was none.
    pub query: String,
    /// The request's headers without `Authorization`.
    pub headers: HeaderMap,
    /// What kind of service it was sent to.
    pub kind: HostKind,
    /// What it was about.
    pub resource: Resource,
    /// Whether it carried an `Authorization` header.
    pub has_authorization: bool,
    /// The scheme of its `Authorization`: `HMAC-SHA256` or `Bearer`.
    pub authorization_scheme: Option<String>,
    /// Whether it carried `If-Match` or `If-None-Match`.
    pub conditional: bool,
    /// When it arrived, by the emulator's wall clock.
    pub at: OffsetDateTime,
    /// When it arrived, by Tokio's clock.
    pub instant: Instant,
    /// The status that it was answered with; none while it waits, and if it never got an answer.
    pub status: Option<u16>,
}

impl Entry {
    /// The first value of a request header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The log of requests. Cheap to clone; clones are the same log.
#[derive(Clone, Debug)]
pub struct RequestLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Number of entries that `clear` took away, so that a request in flight still finds its own.
    cleared: usize,
    all: Gauge,
    by_host: HashMap<String, Gauge>,
    connections: HashMap<String, usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gauge {
    now: usize,
    highest: usize,
}

impl Gauge {
    fn enter(&mut self) {
        self.now += 1;
        self.highest = self.highest.max(self.now);
    }
}

impl RequestLog {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        }))
    }

    /// Number of requests of this kind so far, those in flight included.
    pub fn count(&self, route: impl Borrow<Route>) -> usize {
        let state = self.state();
        let matching = state.entries.iter().filter(|e| route.borrow().matches(e));
        matching.count()
    }

    /// All requests since the start or the last [`clear`](Self::clear), in order of arrival.
    pub fn entries(&self) -> Vec<Entry> {
        self.state().entries.clone()
    }

    /// The requests of this kind, in order of arrival.
    pub fn matching(&self, route: impl Borrow<Route>) -> Vec<Entry> {
        let state = self.state();
        let matching = state.entries.iter().filter(|e| route.borrow().matches(e));
        matching.cloned().collect()
    }

    /// Forgets all entries, connection counts and high-water marks. Requests in flight stay in flight.
    pub fn clear(&self) {
        let mut state = self.state();
        state.cleared += state.entries.len();
        state.entries.clear();
        state.connections.clear();
        state.all.highest = state.all.now;
        for gauge in state.by_host.values_mut() {
            gauge.highest = gauge.now;
        }
    }

    /// The largest number of requests that were in flight at one time, in all or at one host.
    pub fn high_water(&self, host: Option<&str>) -> usize {
        self.gauge(host).highest
    }

    /// The number of requests in flight now, in all.
    pub fn in_flight(&self) -> usize {
        self.gauge(None).now
    }

    /// The number of TCP connections that were accepted for a host, by its real name.
    pub fn connections(&self, host: &str) -> usize {
        let state = self.state();
        state.connections.get(host).copied().unwrap_or_default()
    }

    /// Waits until at least `n` requests of this kind have arrived (or been answered, if the route names a status).
    pub async fn wait_for(&self, route: impl Borrow<Route>, n: usize) {
        let mut changed = self.0.changed.subscribe();
        while self.count(route.borrow()) < n {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until no request is in flight.
    pub async fn wait_idle(&self) {
        let mut changed = self.0.changed.subscribe();
        while self.in_flight() > 0 {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn connected(&self, host: &str) {
        let mut state = self.state();
        *state.connections.entry(host.to_owned()).or_default() += 1;
    }

    pub(crate) fn arrived(&self, entry: Entry) -> InFlight {
        let mut state = self.state();
        let host = entry.host.clone();
        state.all.enter();
        state.by_host.entry(host.clone()).or_default().enter();
        let sequence = state.cleared + state.entries.len();
        state.entries.push(entry);
        drop(state);
        self.0.changed.send_replace(());
        InFlight {
            log: self.clone(),
            host,
            sequence,
        }
    }

    fn gauge(&self, host: Option<&str>) -> Gauge {
        let state = self.state();
        match host {
            None => state.all,
            Some(host) => state.by_host.get(host).copied().unwrap_or_default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight; dropping it, answered or not, ends the flight.
pub(crate) struct InFlight {
    log: RequestLog,
    host: String,
    sequence: usize,
}

impl InFlight {
    pub(crate) fn answered(&self, status: u16) {
        let mut state = self.log.state();
        let cleared = state.cleared;
        if let Some(index) = self.sequence.checked_sub(cleared)
            && let Some(entry) = state.entries.get_mut(index)
        {
            entry.status = Some(status);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.log.state();
        state.all.now -= 1;
        if let Some(gauge) = state.by_host.get_mut(&self.host) {
            gauge.now -= 1;
        }
        drop(state);
        self.log.0.changed.send_replace(());
    }
}

/// The log entry of a request that has just arrived for the service `host`.
pub(crate) fn entry_of(
    host: &str,
    kind: HostKind,
    request: &http::Request<Bytes>,
    at: OffsetDateTime,
) -> Entry {
    let uri = request.uri();
    let mut headers = request.headers().clone();
    let authorization = headers.remove(header::AUTHORIZATION);
    let scheme = authorization
        .as_ref()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(' ').next());
    Entry {
        method: request.method().clone(),
        scheme: uri.scheme_str().unwrap_or_default().to_owned(),
        host: host.to_owned(),
        authority: uri.authority().map(|a| a.to_string()).unwrap_or_default(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        kind,
        resource: Resource::of(kind, uri.path(), authorization.is_some()),
        has_authorization: authorization.is_some(),
        authorization_scheme: scheme.map(str::to_owned),
        conditional: headers.contains_key(header::IF_NONE_MATCH)
            || headers.contains_key(header::IF_MATCH),
        headers,
        at,
        instant: Instant::now(),
        status: None,
    }
}
