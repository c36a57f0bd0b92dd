//! How long an answer asks to wait before the next request.

use std::time::{Duration, SystemTime};

use azure_core::http::headers::{HeaderName, Headers};
use azure_core::time::parse_rfc7231;

/// What a service asks for is never honoured beyond this.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

const MILLISECONDS: [HeaderName; 2] = [
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ms-retry-after-ms"),
];
const SECONDS_OR_DATE: HeaderName = HeaderName::from_static("retry-after");
const DATE: HeaderName = HeaderName::from_static("date");

/// How long a service asks to wait: `retry-after-ms`, `x-ms-retry-after-ms`, then `Retry-After` in seconds or as a
/// date. Whatever is negative or unreadable is ignored, a date in the past means *now*, and whatever is long is cut
/// to ten minutes. A date is compared with the answer's own, as this machine's clock may be wrong; `now` stands in for it.
pub(crate) fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get_optional_str(name).map(str::trim);
    let milliseconds = |name| number(text(name)?).map(Duration::from_millis);
    MILLISECONDS
        .iter()
        .find_map(milliseconds)
        .or_else(|| {
            let asked = text(&SECONDS_OR_DATE)?;
            let seconds = number(asked).map(Duration::from_secs);
            let sent = || text(&DATE).and_then(date);
            seconds.or_else(|| until(asked, sent().unwrap_or(now)))
        })
        .map(|asked| asked.min(LONGEST_RETRY_AFTER))
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than fit are simply a very long time.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn until(moment: &str, now: SystemTime) -> Option<Duration> {
    Some(date(moment)?.duration_since(now).unwrap_or_default())
}

fn date(text: &str) -> Option<SystemTime> {
    parse_rfc7231(text).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Sent<'a> = &'a [(&'static str, &'static str)];

    fn asked(sent: Sent<'_>) -> Option<Duration> {
        let mut headers = Headers::new();
        for (name, value) in sent {
            headers.insert(*name, *value);
        }
        let now = parse_rfc7231("Fri, 21 Nov 2025 10:00:00 GMT").unwrap();
        retry_after(&headers, now.into())
    }

    #[test]
    fn t13_what_is_asked_for() {
        let table: [(Sent<'_>, Option<u64>); 20] = [
            (&[], None),
            (&[("retry-after-ms", "1500")], Some(1_500)),
            (
                &[("retry-after-ms", "1500"), ("retry-after", "9")],
                Some(1_500),
            ),
            (
                &[("x-ms-retry-after-ms", "20"), ("retry-after", "9")],
                Some(20),
            ),
            (
                &[("x-ms-retry-after-ms", "x"), ("retry-after", "10")],
                Some(10_000),
            ),
            (&[("retry-after", "9")], Some(9_000)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "600")], Some(600_000)),
            (&[("retry-after", "601")], Some(600_000)),
            (&[("retry-after", "86400")], Some(600_000)),
            (
                &[("retry-after", "99999999999999999999999999")],
                Some(600_000),
            ),
            (
                &[("retry-after", "Fri, 21 Nov 2025 10:00:30 GMT")],
                Some(30_000),
            ),
            (&[("retry-after", "Fri, 21 Nov 2025 09:00:00 GMT")], Some(0)),
            // This machine is an hour slow or fast; the answer says what time it is.
            (
                &[
                    ("retry-after", "Fri, 21 Nov 2025 11:00:30 GMT"),
                    ("date", "Fri, 21 Nov 2025 11:00:00 GMT"),
                ],
                Some(30_000),
            ),
            (
                &[
                    ("retry-after", "Fri, 21 Nov 2025 09:00:30 GMT"),
                    ("date", "Fri, 21 Nov 2025 09:00:00 GMT"),
                ],
                Some(30_000),
            ),
            (
                &[("retry-after", "Fri, 31 Dec 9999 09:00:00 GMT")],
                Some(600_000),
            ),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "1.5")], None),
            (&[("retry-after-ms", ""), ("retry-after", "")], None),
        ];
        for (sent, expected) in table {
            assert_eq!(asked(sent), expected.map(Duration::from_millis), "{sent:?}");
        }
    }
}
