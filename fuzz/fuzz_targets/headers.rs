//! Headers of answers: Link, Retry-After and its two relatives, Date, Sync-Token, WWW-Authenticate, and the body of a
//! problem. Nothing leads to another host, and no pause is longer than the cap.
#![no_main]

use std::time::{Duration, SystemTime};

use arbitrary::Arbitrary;
use azure_core::http::headers::Headers;
use config_azure::fuzzing::{error_of_answer, next_page, retry_after, sync_tokens};
use libfuzzer_sys::fuzz_target;
use url::Url;

const REQUEST: &str = "https://contoso.azconfig.io/kv?api-version=2023-11-01&key=a*&label=%00";
const NAMES: [&str; 6] = [
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "retry-after",
    "date",
    "www-authenticate",
    "x-ms-error-code",
];
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Arbitrary, Debug)]
struct Answer {
    status: u16,
    values: [Option<String>; 6],
    link: String,
    sync_tokens: Vec<String>,
    body: Vec<u8>,
    now: u32,
}

fuzz_target!(|answer: Answer| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(answer.now.into());
    let mut headers = Headers::new();
    for (name, value) in NAMES.into_iter().zip(answer.values) {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    assert!(retry_after(&headers, now).is_none_or(|asked| asked <= LONGEST));
    let error = error_of_answer(
        "https://contoso.azconfig.io",
        answer.status,
        &headers,
        &answer.body,
        now,
    );
    let error = error.expect("the endpoint is one");
    assert!(
        error.retry_after().is_none_or(|asked| asked <= LONGEST),
        "{error}"
    );
    assert!(
        !error
            .to_string()
            .contains(|c: char| c.is_control() && c != '\n'),
        "{error:?}"
    );

    let request = Url::parse(REQUEST).expect("a URL");
    if let Some((target, Ok(token))) = next_page(&answer.link, &request) {
        let next = request.join(target).expect("what was followed is a URL");
        assert_eq!(
            (next.origin(), next.path()),
            (request.origin(), request.path())
        );
        assert!(!token.is_empty());
    }
    if let Some(header) = sync_tokens(&answer.sync_tokens) {
        assert!(
            header.bytes().all(|byte| byte.is_ascii_graphic()),
            "{header:?}"
        );
    }
});
