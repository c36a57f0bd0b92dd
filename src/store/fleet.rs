//! The endpoints of a store: which to ask next, and which to leave alone for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::client::EndpointClient;
use super::endpoint::Endpoint;
use super::failure::is_failoverable;
use super::retry::LONGEST_PAUSE;
use crate::error::{Error, ErrorKind, Result};
use crate::time::{Instant, later};
use crate::transport::Permit;

const FIRST_BACKOFF: Duration = Duration::from_secs(30);
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);

/// What is known about an endpoint's health.
#[derive(Debug, Default, Clone, Copy)]
struct Health {
    failures: u32,
    /// Not preferred before this, while another endpoint is at hand.
    backoff_until: Option<Instant>,
}

impl Health {
    fn backs_off(&self, now: Instant) -> bool {
        self.backoff_until.is_some_and(|until| until > now)
    }
}

/// One endpoint with its health.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: EndpointClient,
    discovered: bool,
    health: Mutex<Health>,
    /// A discovered one may be asked as long as it is here, or at work.
    _permit: Option<Permit>,
}

impl Member {
    pub(super) fn configured(client: EndpointClient) -> Arc<Self> {
        Self::new(client, false, None)
    }

    pub(super) fn discovered(client: EndpointClient, permit: Option<Permit>) -> Arc<Self> {
        Self::new(client, true, permit)
    }

    fn new(client: EndpointClient, discovered: bool, permit: Option<Permit>) -> Arc<Self> {
        Arc::new(Self {
            client,
            discovered,
            health: Mutex::new(Health::default()),
            _permit: permit,
        })
    }

    fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    fn failed(&self) {
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        health.backoff_until = Some(later(Instant::now(), backoff(health.failures)));
        self.set_health(health);
    }
}

/// 30 seconds first, then doubling to 10 minutes, give or take a quarter.
fn backoff(failures: u32) -> Duration {
    if failures <= 1 {
        return FIRST_BACKOFF;
    }
    let step = FIRST_BACKOFF
        .saturating_mul(1 << (failures - 1).min(8))
        .min(LONGEST_BACKOFF);
    step.mul_f64(0.75 + fastrand::f64() / 2.0)
}

/// How one endpoint of a store fares.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointStatus {
    /// The endpoint, as an origin.
    pub endpoint: String,
    /// True if it was found by replica discovery rather than configured.
    pub discovered: bool,
    /// How often it failed since it last answered.
    pub failures: u32,
    /// For how long another endpoint is preferred, because this one failed.
    pub backs_off_for: Option<Duration>,
    /// For how long it is not asked at all, because it said so.
    pub closed_for: Option<Duration>,
}

/// All endpoints, in order of preference.
#[derive(Debug)]
pub(super) struct Fleet {
    configured: Vec<Arc<Member>>,
    discovered: Mutex<Vec<Arc<Member>>>,
    /// Start each operation after the endpoint that served the last one.
    rotate: bool,
    last: Mutex<Option<Box<str>>>,
    exhausted: Notify,
}

impl Fleet {
    pub(super) fn new(configured: Vec<Arc<Member>>, rotate: bool) -> Self {
        Self {
            configured,
            discovered: Mutex::new(Vec::new()),
            rotate,
            last: Mutex::new(None),
            exhausted: Notify::new(),
        }
    }

    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        let discovered = self
            .discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.configured
            .iter()
            .chain(discovered.iter())
            .cloned()
            .collect()
    }

    /// The first configured endpoint, as an origin.
    pub(super) fn primary(&self) -> String {
        let first = self.configured.first();
        first
            .map(|member| member.client.endpoint().as_str().to_owned())
            .unwrap_or_default()
    }

    /// Its host alone.
    pub(super) fn primary_host(&self) -> String {
        let first = self.configured.first();
        first
            .map(|member| member.client.endpoint().host().to_owned())
            .unwrap_or_default()
    }

    /// Replaces the discovered members by those at these endpoints, in this order. Those that stay keep their
    /// health and tokens; configured endpoints are not doubled.
    pub(super) fn set_discovered(
        &self,
        endpoints: Vec<Endpoint>,
        make: impl Fn(Endpoint) -> Arc<Member>,
    ) {
        let mut discovered = self
            .discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = std::mem::take(&mut *discovered);
        for endpoint in endpoints {
            let is_at = |member: &&Arc<Member>| *member.client.endpoint() == endpoint;
            if self.configured.iter().any(|member| is_at(&member)) {
                continue;
            }
            let at_hand = known.iter().find(is_at).cloned();
            let member = at_hand.unwrap_or_else(|| make(endpoint));
            discovered.push(member);
        }
    }

    /// Waits until an operation has failed on all endpoints.
    pub(super) async fn exhausted(&self) {
        self.exhausted.notified().await;
    }

    pub(super) fn status(&self) -> Vec<EndpointStatus> {
        let now = Instant::now();
        self.members()
            .iter()
            .map(|member| {
                let health = member.health();
                EndpointStatus {
                    endpoint: member.client.endpoint().as_str().to_owned(),
                    discovered: member.discovered,
                    failures: health.failures,
                    backs_off_for: health
                        .backoff_until
                        .map(|until| until.saturating_duration_since(now))
                        .filter(|left| !left.is_zero()),
                    closed_for: member.client.closed_for(),
                }
            })
            .collect()
    }

    /// The endpoints to try for one operation. Those that back off come last: they are asked only if all others
    /// failed. Those that asked for a pause are not asked before its end.
    pub(super) fn attempts(&self, deadline: Duration) -> Attempts<'_> {
        let now = Instant::now();
        let mut open: Vec<Arc<Member>> = self.members();
        self.rotated(&mut open);
        let preferred = open.first().cloned();
        let left = |member: &Arc<Member>| member.client.closed_for();
        let closed_for = open.iter().filter_map(left).min();
        open.retain(|member| left(member).is_none_or(|left| left <= LONGEST_PAUSE));
        open.sort_by_key(|member| member.health().backs_off(now));
        let stands_in = match (&preferred, open.first()) {
            (Some(preferred), Some(first)) => !Arc::ptr_eq(preferred, first),
            _ => false,
        };
        Attempts {
            fleet: self,
            deadline: later(now, deadline),
            errors: Vec::new(),
            stands_in,
            closed_for,
            members: open.into_iter(),
        }
    }

    fn rotated(&self, members: &mut [Arc<Member>]) {
        if !self.rotate || members.is_empty() {
            return;
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = last.as_deref().and_then(|last| {
            members
                .iter()
                .position(|member| member.client.endpoint().as_str() == last)
        });
        if let Some(at) = at {
            let next = (at + 1) % members.len();
            members.rotate_left(next);
        }
    }

    fn succeeded(&self, member: &Member) {
        member.set_health(Health::default());
        let origin = member.client.endpoint().as_str();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin.into());
    }
}

/// One operation's way through the endpoints.
pub(super) struct Attempts<'a> {
    fleet: &'a Fleet,
    /// For all endpoints together.
    deadline: Instant,
    members: std::vec::IntoIter<Arc<Member>>,
    errors: Vec<Error>,
    /// True if the endpoint that would come first is left out.
    stands_in: bool,
    closed_for: Option<Duration>,
}

impl Attempts<'_> {
    /// The next endpoint, or the error of all that were tried.
    pub(super) fn next(&mut self) -> Result<Arc<Member>> {
        let Some(member) = self.members.next() else {
            return Err(self.failure());
        };
        member
            .client
            .stands_in(self.stands_in || !self.errors.is_empty());
        Ok(member)
    }

    /// Does the work at an endpoint, in its share of the time: one that is merely slow must leave some for those
    /// that come after it. That is half of what is left, however many they are: sixteen replicas that discovery found
    /// must not make a load too long for each of them that is well within the time of one. The last one gets the rest.
    /// `None` if it failed and the next one should be tried.
    pub(super) async fn at<T>(
        &mut self,
        member: &Member,
        work: impl Future<Output = Result<T>>,
    ) -> Result<Option<T>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let share = match self.members.len() {
            0 => left,
            _ => left / 2,
        };
        let error = match tokio::time::timeout(share, work).await {
            Ok(Ok(done)) => {
                self.fleet.succeeded(member);
                return Ok(Some(done));
            }
            Ok(Err(error)) => error,
            Err(_) => Error::new(
                ErrorKind::Timeout,
                "the store did not answer everything in time",
            )
            .with_endpoint(member.client.endpoint().as_str()),
        };
        self.failed(member, error).map(|()| None)
    }

    /// Notes a failure. An error that no other endpoint would do better with comes straight back, and costs the
    /// endpoint nothing.
    fn failed(&mut self, member: &Member, error: Error) -> Result<()> {
        if !is_failoverable(&error) {
            return Err(error);
        }
        member.failed();
        tracing::debug!(error = %error, "the endpoint is left alone for a while");
        self.errors.push(error);
        Ok(())
    }

    fn failure(&mut self) -> Error {
        let mut errors = std::mem::take(&mut self.errors).into_iter();
        let Some(first) = errors.next() else {
            let error = Error::new(
                ErrorKind::Throttled,
                "the store asked for a pause that is not over",
            );
            return match self.closed_for {
                Some(left) => error.with_retry_after(left),
                None => error,
            };
        };
        self.fleet.exhausted.notify_one();
        let rest: Vec<String> = errors.map(|error| error.to_string()).collect();
        if rest.is_empty() {
            return first;
        }
        first.with_note(&format!("other endpoints failed too: {}", rest.join("; ")))
    }
}
