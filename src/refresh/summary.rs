//! The status for a person: a few lines for a console or a health page.

use std::fmt;
use std::time::Duration;

use super::status::{SecretStatus, Status};

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.is_ready(), self.stale) {
            (false, _) => "not loaded",
            (true, true) => "stale",
            (true, false) => "current",
        };
        write!(f, "generation {}, {state}", self.generation)?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, ", from {endpoint}")?;
        }
        if let Some(age) = self.age {
            write!(f, ", known to be the store's {} ago", brief(age))?;
        }
        if let Some(failure) = &self.failure {
            let (since, attempts) = (brief(failure.since), failure.attempts);
            write!(
                f,
                "\n  store: {attempts} checks failed in {since}: {}",
                failure.error
            )?;
        }
        if let Some(refused) = &self.refused {
            write!(f, "\n  newer settings wait: {refused}")?;
        }
        for vault in &self.vaults {
            if let Some(pause) = vault.throttled_for {
                write!(
                    f,
                    "\n  {}: asks for fewer requests, for {}",
                    vault.vault,
                    brief(pause)
                )?;
            }
        }
        let failing = self
            .secrets
            .iter()
            .filter(|secret| secret.failure.is_some());
        failing
            .take(10)
            .try_for_each(|secret| failing_secret(f, secret))?;
        let (secrets, pinned) = (self.secrets.len(), self.pinned().count());
        write!(
            f,
            "\n  {secrets} secrets, {pinned} of them pinned to a version"
        )
    }
}

fn failing_secret(f: &mut fmt::Formatter<'_>, secret: &SecretStatus) -> fmt::Result {
    write!(f, "\n  {}/{}: ", secret.vault, secret.name)?;
    match secret.failure {
        Some(kind) => write!(f, "{kind}")?,
        None => f.write_str("cannot be read")?,
    }
    match (&secret.code, &secret.request_id) {
        (Some(code), Some(id)) => write!(f, " ({code}, request id {id})")?,
        (Some(code), None) => write!(f, " ({code})")?,
        (None, Some(id)) => write!(f, " (request id {id})")?,
        (None, None) => {}
    }
    // Of a chain of credentials the first line says what is wrong, the others who was asked.
    let cause = secret
        .cause
        .as_deref()
        .and_then(|cause| cause.lines().next());
    for more in [cause, secret.hint].into_iter().flatten() {
        write!(f, "; {more}")?;
    }
    match secret.age {
        Some(age) => write!(f, "; its value of {} ago is in use", brief(age)),
        None => f.write_str("; it was never read"),
    }
}

/// To the second, or to the millisecond below one.
fn brief(duration: Duration) -> humantime::FormattedDuration {
    let whole = match duration.as_secs() {
        0 => Duration::from_millis(u64::from(duration.subsec_millis())),
        seconds => Duration::from_secs(seconds),
    };
    humantime::format_duration(whole)
}
