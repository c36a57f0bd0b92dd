//! The first load: retried inside one budget for store and vaults, and never silent for long.

use std::time::Duration;

use tokio::time::{sleep_until, timeout_at};

use crate::error::{Error, ErrorKind, Result, SecretErrorKind};
use crate::load::{Candidate, Draft, Pipeline};
use crate::time::{Instant, later};

mod schedule;

use schedule::Schedule;

/// How patient the first load is.
///
/// ```
/// use std::time::Duration;
/// use config_azure::StartupOptions;
///
/// // A service under an orchestrator that restarts it anyway:
/// let startup = StartupOptions::new().deadline(Duration::from_secs(30)).fail_fast();
/// ```
#[derive(Debug, Clone)]
pub struct StartupOptions {
    deadline: Duration,
    permission_grace: Duration,
    failure_delay: Duration,
    optional: bool,
}

impl Default for StartupOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl StartupOptions {
    /// The defaults: 100 s for everything, 15 s of patience with missing permissions, a failure is an error, told at once.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deadline: Duration::from_secs(100),
            permission_grace: Duration::from_secs(15),
            failure_delay: Duration::ZERO,
            optional: false,
        }
    }

    /// How long the first load may take in all, store and vaults together. Default 100 s, as in the official providers.
    ///
    /// After two seconds a warning says what is being waited for, and so does the error at the end: the store, or the
    /// first three references that are not read, by setting, vault and secret.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// For how long a 403 or 404 is retried, because a role that was just granted takes time to arrive. Default 15 s.
    #[must_use]
    pub fn permission_grace(mut self, grace: Duration) -> Self {
        self.permission_grace = grace;
        self
    }

    /// A 403 or 404 fails at once: no [`permission_grace`](Self::permission_grace).
    #[must_use]
    pub fn fail_fast(self) -> Self {
        self.permission_grace(Duration::ZERO)
    }

    /// The least time from the beginning of the first load to its error, also past the [`deadline`](Self::deadline).
    /// Default zero: what waiting does not mend fails at once.
    ///
    /// For a service that is restarted at once whenever it ends: without a delay, each round of a crash loop asks the store
    /// and its vaults anew, which can be the very load that keeps them from answering. The official providers wait 5 s.
    /// The error itself is logged as soon as it is known. Mistakes that `build()` finds are not delayed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use config_azure::StartupOptions;
    ///
    /// let startup = StartupOptions::new().failure_delay(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn failure_delay(mut self, delay: Duration) -> Self {
        self.failure_delay = delay;
        self
    }

    /// Starts with an empty layer if the first load fails, says so loudly, and keeps trying in the background.
    ///
    /// Mistakes that waiting does not mend (a bad selector, a reference that is not one) stay errors.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// True if a start without the store is wanted, and the failure is one that time may mend.
    pub(crate) fn forgives(&self, error: &Error) -> bool {
        self.optional && (may_heal(error, true) || error.kind() == ErrorKind::Timeout)
    }
}

/// Loads for the first time: nothing is spawned, nothing is published; the caller publishes the draft.
pub(crate) async fn first_load(pipeline: &Pipeline, options: &StartupOptions) -> Result<Draft> {
    let started = Instant::now();
    let loaded = load_patiently(pipeline, options, started).await;
    if let Err(error) = &loaded
        && !options.forgives(error)
    {
        hold_back(error, pipeline, later(started, options.failure_delay)).await;
    }
    loaded
}

/// Keeps an error from ending the process too soon, but nobody from reading it.
async fn hold_back(error: &Error, pipeline: &Pipeline, until: Instant) {
    let wait = until.saturating_duration_since(Instant::now());
    if wait.is_zero() {
        return;
    }
    tracing::error!(
        endpoint = pipeline.endpoint(),
        status = error.status(),
        wait_ms = millis(wait),
        "the first load failed; its error is held back against a crash loop: {}",
        error.one_line()
    );
    sleep_until(until).await;
}

/// Tries until it succeeds, the error is one that time does not mend, or the deadline has come.
async fn load_patiently(
    pipeline: &Pipeline,
    options: &StartupOptions,
    started: Instant,
) -> Result<Draft> {
    let deadline = later(started, options.deadline);
    let mut fetched: Option<Candidate> = None;
    let mut schedule = Schedule::default();
    let mut attempt = 0;
    let mut last: Option<Error> = None;
    loop {
        let pass = pipeline.first_pass(fetched.take());
        let Ok((result, candidate)) = timeout_at(deadline, loud_when_slow(pass, pipeline)).await
        else {
            return Err(out_of_time(pipeline, last));
        };
        let error = match result {
            Ok(draft) => return Ok(draft),
            Err(error) => error,
        };
        fetched = candidate;
        if !may_heal(&error, started.elapsed() < options.permission_grace) {
            return Err(error);
        }
        // A transport that answers without ever waiting is not stopped by the timeout above.
        if Instant::now() >= deadline {
            return Err(error);
        }
        let wait = schedule.pause(started.elapsed(), &error);
        attempt += 1;
        tracing::warn!(
            attempt,
            endpoint = pipeline.endpoint(),
            status = error.status(),
            wait_ms = millis(wait),
            "the first load failed and is tried again: {}",
            error.one_line()
        );
        last = Some(error);
        // One more try just before the deadline instead of giving up early.
        let last_call = deadline
            .checked_sub(Duration::from_secs(1))
            .unwrap_or(deadline);
        let next = later(Instant::now(), wait);
        if Instant::now() >= last_call {
            sleep_until(deadline).await;
        } else {
            sleep_until(next.min(last_call)).await;
        }
    }
}

/// True if the same load may succeed later: nobody but time has to do anything.
fn may_heal(error: &Error, in_grace: bool) -> bool {
    match error.kind() {
        ErrorKind::Credential => true,
        ErrorKind::Forbidden | ErrorKind::NotFound => in_grace,
        // Without failures it is a reference that names nothing, and no vault was asked at all.
        ErrorKind::Reference if error.failures().is_empty() => false,
        ErrorKind::Reference => error.failures().iter().all(|failure| match failure.kind() {
            SecretErrorKind::Forbidden | SecretErrorKind::NotFound => in_grace,
            _ => failure.is_transient(),
        }),
        _ => error.is_transient(),
    }
}

/// Says after two seconds what is being waited for, so that a hanging start never looks like nothing.
async fn loud_when_slow<T>(work: impl Future<Output = T>, pipeline: &Pipeline) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(Duration::from_millis(1_800)) => {}
    }
    let unread = pipeline.unread();
    let unread = unread.map_or_else(String::new, |unread| format!(": {unread}"));
    match pipeline.store().trouble() {
        Some(trouble) => tracing::warn!(
            endpoint = trouble.endpoint(),
            status = trouble.status(),
            "still waiting for the first load: {}{unread}",
            trouble.one_line()
        ),
        None => tracing::warn!(
            endpoint = pipeline.endpoint(),
            "still waiting for the first load{unread}"
        ),
    }
    work.await
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the load ended with: the last failure, unless it was the store's and the store has answered since.
fn out_of_time(pipeline: &Pipeline, last: Option<Error>) -> Error {
    let unread = pipeline.unread();
    match last {
        Some(last) if unread.is_none() || !last.failures().is_empty() => return last,
        _ => {}
    }
    let error = Error::new(ErrorKind::Timeout, "no answer within the startup deadline")
        .with_endpoint(pipeline.endpoint());
    match unread {
        Some(unread) => error.with_note(&unread),
        None => error,
    }
}
