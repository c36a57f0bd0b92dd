//! How long a vault asks to wait.

use std::time::{Duration, SystemTime};

use azure_core::http::headers::{HeaderName, Headers};

static MILLISECONDS: [HeaderName; 2] = [
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ms-retry-after-ms"),
];
static SECONDS_OR_DATE: HeaderName = HeaderName::from_static("retry-after");

/// Reads the wish, as it was said. Negative and unreadable ones count as none.
pub(super) fn retry_after(headers: &Headers, today: SystemTime) -> Option<Duration> {
    let text = |name| headers.get_optional_str(name).map(str::trim);
    MILLISECONDS
        .iter()
        .filter_map(text)
        .find_map(|milliseconds| milliseconds.parse().ok().map(Duration::from_millis))
        .or_else(|| {
            let text = text(&SECONDS_OR_DATE)?;
            let seconds = text.parse().ok().map(Duration::from_secs);
            seconds.or_else(|| until(text, today))
        })
}

fn until(date: &str, today: SystemTime) -> Option<Duration> {
    let date = azure_core::time::parse_rfc7231(date).ok()?;
    let seconds = u64::try_from(date.unix_timestamp()).ok()?;
    let since = today.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(seconds).saturating_sub(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t13_twelve_wishes() {
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        type Wish<'a> = (&'a [(&'static str, &'static str)], Option<u64>);
        let table: [Wish<'_>; 12] = [
            (&[], None),
            (&[("retry-after", "10")], Some(10_000)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999999999999999999")], None),
            (&[("retry-after", "3600")], Some(3_600_000)),
            (
                &[("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT")],
                Some(10_000),
            ),
            (&[("retry-after", "Tue, 14 Nov 2023 22:13:10 GMT")], Some(0)),
            (&[("retry-after-ms", "1500")], Some(1500)),
            (
                &[("retry-after-ms", "1500"), ("retry-after", "10")],
                Some(1500),
            ),
            (
                &[("x-ms-retry-after-ms", "x"), ("retry-after", "10")],
                Some(10_000),
            ),
        ];
        for (sent, expected) in table {
            let mut headers = Headers::new();
            for (name, value) in sent {
                headers.insert(*name, *value);
            }
            let wish = retry_after(&headers, today);
            assert_eq!(wish, expected.map(Duration::from_millis), "{sent:?}");
        }
    }
}
