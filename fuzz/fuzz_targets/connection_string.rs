//! Connection strings: what is accepted is an origin, and no error shows any part of the secret.
#![no_main]

use config_azure::fuzzing::connection_string;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    for text in [
        text.to_owned(),
        format!("Endpoint=https://contoso.azconfig.io;Id=id;Secret={text}"),
    ] {
        match connection_string(&text) {
            Ok(endpoint) => check(&endpoint),
            Err(error) => hides(&format!("{error} {error:?}"), &text),
        }
    }
});

fn check(endpoint: &str) {
    let url = Url::parse(endpoint).expect("an endpoint is a URL");
    assert!(matches!(url.scheme(), "https" | "http"), "{endpoint}");
    assert!(
        url.username().is_empty() && url.password().is_none() && url.query().is_none(),
        "{endpoint}"
    );
    assert_eq!(url.path(), "/", "{endpoint}");
}

fn hides(error: &str, text: &str) {
    let secrets = text.split(';').filter_map(|segment| {
        let (name, value) = segment.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("secret")
            .then(|| value.trim())
    });
    for secret in secrets {
        // Digits tell a secret from the words of our own messages, unless it was made of these very words.
        let telling = secret.len() >= 6
            && secret.bytes().any(|byte| byte.is_ascii_digit())
            && !said_of_any_secret().contains(secret);
        assert!(!telling || !error.contains(secret), "{error}");
    }
}

/// What is said of a secret that is no base64, whatever it is.
fn said_of_any_secret() -> String {
    let error = connection_string("Endpoint=https://contoso.azconfig.io;Id=id;Secret=?")
        .expect_err("not base64");
    format!("{error} {error:?}")
}
