//! How long to wait before asking again.

use std::time::{Duration, SystemTime};

use azure_core::http::headers::{HeaderName, Headers};
use azure_core::time::parse_rfc7231;

/// What the service asks for is never honoured beyond this.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// Further attempts of one request within one call.
pub(super) const RETRIES: u32 = 2;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Asked to wait longer than this, a call fails instead, and whoever made it decides when to come back.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Our own pause before the next attempt: full jitter over a doubling step. What the service asks for is the
/// gate's business.
pub(super) fn pause(attempt: u32) -> Duration {
    let step = FIRST_PAUSE.saturating_mul(1 << attempt.min(8));
    step.min(LONGEST_PAUSE).mul_f64(fastrand::f64())
}

/// How long the service asks to wait: `retry-after-ms`, `x-ms-retry-after-ms`, then `Retry-After` in seconds or
/// as a date. Whatever is negative or unreadable is ignored, whatever is long is cut to ten minutes.
pub(super) fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get_optional_str(&HeaderName::from_static(name));
    let milliseconds = |name| number(text(name)?).map(Duration::from_millis);
    milliseconds("retry-after-ms")
        .or_else(|| milliseconds("x-ms-retry-after-ms"))
        .or_else(|| {
            let text = text("retry-after")?;
            number(text)
                .map(Duration::from_secs)
                .or_else(|| until(text, now))
        })
        .map(|asked| asked.min(LONGEST_RETRY_AFTER))
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More digits than fit are simply a very long time.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn until(date: &str, now: SystemTime) -> Option<Duration> {
    let date = parse_rfc7231(date.trim()).ok()?;
    SystemTime::from(date).duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut map = Headers::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let now = parse_rfc7231("Fri, 21 Nov 2025 10:00:00 GMT").unwrap();
        retry_after(&map, now.into())
    }

    #[test]
    fn t13_what_the_service_asks_for() {
        let seconds = Duration::from_secs;
        for (headers, expected) in [
            (
                &[("retry-after-ms", "1500"), ("retry-after", "9")][..],
                Some(Duration::from_millis(1500)),
            ),
            (
                &[("x-ms-retry-after-ms", "20"), ("retry-after", "9")],
                Some(Duration::from_millis(20)),
            ),
            (&[("retry-after", "9")], Some(seconds(9))),
            (&[("retry-after", "0")], Some(seconds(0))),
            (
                &[("retry-after", "Fri, 21 Nov 2025 10:00:30 GMT")],
                Some(seconds(30)),
            ),
            (&[("retry-after", "Fri, 21 Nov 2025 09:00:00 GMT")], None),
            (
                &[("retry-after", "Fri, 31 Dec 9999 09:00:00 GMT")],
                Some(seconds(600)),
            ),
            (&[("retry-after", "86400")], Some(seconds(600))),
            (
                &[("retry-after", "99999999999999999999999999")],
                Some(seconds(600)),
            ),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after-ms", ""), ("retry-after", "1.5")], None),
            (&[], None),
        ] {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn f04_our_own_pauses_are_jittered_and_bounded() {
        for attempt in 0..40 {
            let pauses: Vec<Duration> = (0..50).map(|_| pause(attempt)).collect();
            let most = FIRST_PAUSE
                .saturating_mul(1 << attempt.min(8))
                .min(LONGEST_PAUSE);
            assert!(pauses.iter().all(|pause| *pause <= most));
            assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]));
        }
    }
}
