//! One scope's token: who fetches it, when, and what the others get meanwhile.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use azure_core::credentials::{AccessToken, TokenCredential};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::time::{Instant, WallClock, later};

use super::failure::{CredentialFailure, describe};

/// No fetch takes longer.
const DEADLINE: Duration = Duration::from_secs(30);
/// No two fetches for one scope start closer to each other, unless a service refused the token.
const SHORTEST_GAP: Duration = Duration::from_secs(10);
/// Failures and refusals widen the gap up to this.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// No token is kept longer, whatever its date says.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A token is refreshed when a fifth of its life is left, but no more than this before its end.
const MOST_AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long the one caller that refreshes ahead of time waits for it while the old token is still good.
const PATIENCE: Duration = Duration::from_secs(2);

type Outcome = Result<AccessToken, CredentialFailure>;
type Fetch = BoxFuture<'static, Outcome>;

/// The token of one scope.
pub(super) struct Slot {
    scopes: Vec<String>,
    held: ArcSwapOption<Held>,
    state: Mutex<State>,
}

struct Held {
    token: AccessToken,
    refresh_at: Instant,
    expires_at: Instant,
}

#[derive(Default)]
struct State {
    flight: Option<Flight>,
    /// No fetch starts before this.
    not_before: Option<Instant>,
    failure: Option<CredentialFailure>,
    /// Failures in a row.
    failures: u32,
    /// How often the service refused a token, since one lived long enough to be refreshed in the usual way.
    refusals: u32,
}

/// A fetch under way. It is driven by whoever waits for it.
enum Flight {
    /// There is no token: the fetch ends when the last waiter goes.
    Awaited(WeakShared<Fetch>),
    /// The old token is still good: the fetch waits here for the next caller to drive it on. The last one left it then.
    Ahead(Shared<Fetch>, Instant),
}

impl Flight {
    /// The fetch, unless it has been left alone for too long: the answer has come and gone, and whoever looked now
    /// would find a connection that timed out.
    fn join(&self, now: Instant) -> Option<Shared<Fetch>> {
        match self {
            Self::Awaited(fetch) => fetch.upgrade(),
            Self::Ahead(fetch, left) => (now < later(*left, SHORTEST_GAP)).then(|| fetch.clone()),
        }
    }
}

/// What a caller does after a look at the state.
enum Plan {
    Use(AccessToken),
    Fail(CredentialFailure),
    Wait(Shared<Fetch>),
    /// Drive the refresh for a moment, but be content with the old token.
    Drive(Shared<Fetch>, Duration, AccessToken),
}

impl Slot {
    pub(super) fn new(scopes: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            held: ArcSwapOption::empty(),
            state: Mutex::default(),
        })
    }

    /// The token, if it needs no thought: no lock, no wait.
    pub(super) fn hit(&self) -> Option<AccessToken> {
        let held = self.held.load();
        let held = held.as_ref()?;
        (Instant::now() < held.refresh_at).then(|| held.token.clone())
    }

    /// The token, fetched or refreshed if it is time.
    pub(super) async fn get(
        self: &Arc<Self>,
        credential: &Arc<dyn TokenCredential>,
        clock: &Arc<dyn WallClock>,
    ) -> Outcome {
        match self.plan(credential, clock) {
            Plan::Use(token) => Ok(token),
            Plan::Fail(failure) => Err(failure),
            Plan::Wait(fetch) => fetch.await,
            Plan::Drive(fetch, patience, old) if patience.is_zero() => {
                Ok(fetch.now_or_never().and_then(Result::ok).unwrap_or(old))
            }
            Plan::Drive(fetch, patience, old) => {
                match tokio::time::timeout(patience, fetch).await {
                    Ok(Ok(token)) => Ok(token),
                    Ok(Err(_)) | Err(_) => Ok(old),
                }
            }
        }
    }

    fn plan(
        self: &Arc<Self>,
        credential: &Arc<dyn TokenCredential>,
        clock: &Arc<dyn WallClock>,
    ) -> Plan {
        let mut state = self.state();
        let now = Instant::now();
        let held = self.held.load_full();
        if let Some(held) = held.as_ref().filter(|held| now < held.refresh_at) {
            return Plan::Use(held.token.clone());
        }
        let old = held
            .filter(|held| now < held.expires_at)
            .map(|held| held.token.clone());
        if let Some(fetch) = state.flight.as_ref().and_then(|flight| flight.join(now)) {
            return match old {
                Some(old) => {
                    state.flight = Some(Flight::Ahead(fetch.clone(), now));
                    Plan::Drive(fetch, Duration::ZERO, old)
                }
                None => {
                    state.flight = fetch.downgrade().map(Flight::Awaited);
                    Plan::Wait(fetch)
                }
            };
        }
        if state.not_before.is_some_and(|not_before| now < not_before) {
            if let Some(old) = old {
                return Plan::Use(old);
            }
            // Without a failure a token was refused within the gap, and a new one may be fetched at once.
            if let Some(failure) = &state.failure {
                return Plan::Fail(failure.clone());
            }
        }
        let fetch = self.fetch(credential, clock);
        state.flight = match &old {
            Some(_) => Some(Flight::Ahead(fetch.clone(), later(now, PATIENCE))),
            None => fetch.downgrade().map(Flight::Awaited),
        };
        match old {
            Some(old) => {
                state.refusals = 0;
                Plan::Drive(fetch, PATIENCE, old)
            }
            None => Plan::Wait(fetch),
        }
    }

    /// A fetch that puts its outcome into the slot by itself. It must not keep the slot alive: the slot may keep it.
    fn fetch(
        self: &Arc<Self>,
        credential: &Arc<dyn TokenCredential>,
        clock: &Arc<dyn WallClock>,
    ) -> Shared<Fetch> {
        let slot: Weak<Self> = Arc::downgrade(self);
        let credential = credential.clone();
        let clock = clock.clone();
        let scopes = self.scopes.clone();
        let fetch = async move {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let call = async { credential.get_token(&scopes, None).await };
            let call = AssertUnwindSafe(tokio::time::timeout(DEADLINE, call)).catch_unwind();
            let outcome = match call.await {
                Ok(Ok(Ok(token))) => Ok(token),
                Ok(Ok(Err(error))) => Err(describe(&error)),
                Ok(Err(_)) => Err("the credential did not answer within 30 seconds".to_owned()),
                Err(_) => Err("the credential panicked".to_owned()),
            };
            match (slot.upgrade(), outcome) {
                (Some(slot), Ok(token)) => Ok(slot.keep(token, clock.now())),
                (Some(slot), Err(text)) => Err(slot.fail(text, &scopes)),
                (None, Ok(token)) => Ok(token),
                (None, Err(text)) => Err(CredentialFailure::new(text, Instant::now())),
            }
        };
        fetch.boxed().shared()
    }

    fn keep(&self, token: AccessToken, today: SystemTime) -> AccessToken {
        let life = life(&token, today);
        let now = Instant::now();
        let ahead = (life / 5).min(MOST_AHEAD);
        let mut state = self.state();
        state.flight = None;
        state.failure = None;
        state.failures = 0;
        state.not_before = Some(later(now, gap(state.refusals)));
        self.held.store(Some(Arc::new(Held {
            token: token.clone(),
            refresh_at: later(now, (life - ahead).max(SHORTEST_GAP)),
            expires_at: later(now, life),
        })));
        token
    }

    fn fail(&self, text: String, scopes: &[&str]) -> CredentialFailure {
        let mut state = self.state();
        state.flight = None;
        let wait = gap(state.failures);
        state.failures = state.failures.saturating_add(1);
        let retry_at = later(Instant::now(), wait);
        state.not_before = Some(retry_at);
        tracing::warn!(
            scope = scopes.first(),
            retry_in_seconds = wait.as_secs(),
            "no token: {text}"
        );
        let failure = CredentialFailure::new(text, retry_at);
        state.failure = Some(failure.clone());
        failure
    }

    /// A service refused this token although it is not at its end. The first time a new one may be fetched at
    /// once, after that only when the gap has passed.
    pub(super) fn refuse(&self, token: &str) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        let held = self.held.load();
        if held
            .as_ref()
            .is_none_or(|held| held.token.token.secret() != token)
        {
            // Somebody else has said so already, or has a newer one.
            return true;
        }
        let due = state.not_before.is_none_or(|not_before| not_before <= now);
        if state.refusals > 0 && !due {
            return false;
        }
        state.refusals = state.refusals.saturating_add(1);
        self.held.store(None);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; should it ever, the state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a token lives on the monotonic clock. A date in the past is taken for a wrong clock on this machine:
/// the token is given a chance, and the service has the last word.
fn life(token: &AccessToken, today: SystemTime) -> Duration {
    let end = token.expires_on.unix_timestamp();
    let today = today
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
    let seconds = u64::try_from(end.saturating_sub(today)).unwrap_or(0);
    Duration::from_secs(seconds).clamp(SHORTEST_GAP, LONGEST_LIFE)
}

/// 10 s, 20 s, 40 s, 60 s.
fn gap(failures: u32) -> Duration {
    SHORTEST_GAP
        .saturating_mul(1 << failures.min(4))
        .min(LONGEST_GAP)
}
