//! `Endpoint=https://NAME.azconfig.io;Id=...;Secret=...` (provider-spec 2.2).

use std::fmt;

use super::endpoint::Endpoint;
use super::hmac::AccessKey;
use crate::error::{Error, Result};

/// A parsed connection string. `Debug` shows the endpoint only.
pub(crate) struct ConnectionString {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: AccessKey,
}

impl ConnectionString {
    /// Segments in any order, names without regard to case, empty segments ignored. Whatever is doubled,
    /// unknown or missing is refused; no error repeats any of the text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let [mut endpoint, mut id, mut secret] = [None; 3];
        for segment in text.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            let (name, value) = segment
                .split_once('=')
                .ok_or_else(|| refused("a segment is not NAME=VALUE"))?;
            let slot = match name.trim().to_ascii_lowercase().as_str() {
                "endpoint" => &mut endpoint,
                "id" => &mut id,
                "secret" => &mut secret,
                _ => return Err(refused("it knows only Endpoint, Id and Secret")),
            };
            if slot.replace(value.trim()).is_some() {
                return Err(refused("a segment stands there twice"));
            }
        }
        let endpoint = present(endpoint, "Endpoint is missing")?;
        let id = present(id, "Id is missing")?;
        let secret = present(secret, "Secret is missing")?;
        Ok(Self {
            endpoint: Endpoint::parse(endpoint)?,
            key: AccessKey::new(id, secret).map_err(refused)?,
        })
    }
}

fn present<'a>(value: Option<&'a str>, missing: &'static str) -> Result<&'a str> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| refused(missing))
}

fn refused(why: &'static str) -> Error {
    Error::option(format!("the connection string is not valid: {why}"))
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_order_any_case_trailing_separator() {
        for text in [
            "Endpoint=https://contoso.azconfig.io;Id=ab-l9-s0:x+/=;Secret=c2VjcmV0LWtleQ==",
            "Secret=c2VjcmV0LWtleQ==;Id=ab-l9-s0:x+/=;Endpoint=https://contoso.azconfig.io/;",
            " endpoint = https://contoso.azconfig.io ;; SECRET=c2VjcmV0LWtleQ== ; id=ab-l9-s0:x+/= ",
        ] {
            let parsed = ConnectionString::parse(text).unwrap();
            assert_eq!(parsed.endpoint.as_str(), "https://contoso.azconfig.io");
            assert_eq!(parsed.key.id(), "ab-l9-s0:x+/=");
            assert_eq!(
                format!("{parsed:?}"),
                "ConnectionString { endpoint: https://contoso.azconfig.io, .. }"
            );
        }
    }

    #[test]
    fn strict() {
        for text in [
            "",
            "Endpoint=https://contoso.azconfig.io",
            "Endpoint=https://contoso.azconfig.io;Id=a",
            "Endpoint=https://contoso.azconfig.io;Id=a;Secret=",
            "Endpoint=https://contoso.azconfig.io;Id=;Secret=c2VjcmV0LWtleQ==",
            "Endpoint=https://contoso.azconfig.io;Id=a;Id=b;Secret=c2VjcmV0LWtleQ==",
            "Endpoint=https://contoso.azconfig.io;Id=a;Secret=c2VjcmV0LWtleQ==;Extra=1",
            "Endpoint=https://contoso.azconfig.io;Id=a;Secret=not base64!",
            "Endpoint=https://contoso.azconfig.io;Id=a&b;Secret=c2VjcmV0LWtleQ==",
            "Endpoint=http://contoso.azconfig.io;Id=a;Secret=c2VjcmV0LWtleQ==",
            "Endpoint=contoso;Id=a;Secret=c2VjcmV0LWtleQ==",
            "Endpoint;Id=a;Secret=c2VjcmV0LWtleQ==",
        ] {
            assert!(ConnectionString::parse(text).is_err(), "{text}");
        }
    }

    const SECRET: &str = "Zm9ydHktdHdvIGJ5dGVzIG9mIHZlcnkgc2VjcmV0IGtleSBtYXRlcmlhbA==";

    proptest! {
        /// Whatever happens to a connection string, no piece of its secret comes back.
        #[test]
        fn t08_no_piece_of_the_secret_in_any_output(cut in 0usize..140, with in "[ -~]{0,3}", order in 0usize..3) {
            let mut parts = ["Endpoint=https://contoso.azconfig.io".to_owned(), "Id=abc".to_owned(), format!("Secret={SECRET}")];
            parts.rotate_left(order);
            let mut text = parts.join(";");
            let at = cut.min(text.len());
            text.replace_range(at..(at + 1).min(text.len()), &with);
            let shown = match ConnectionString::parse(&text) {
                Ok(parsed) => format!("{parsed:?}"),
                Err(error) => format!("{error} {error:?} {:?}", std::error::Error::source(&error).map(ToString::to_string)),
            };
            for window in SECRET.as_bytes().windows(6) {
                prop_assert!(!shown.contains(std::str::from_utf8(window).unwrap()), "{shown}");
            }
        }
    }
}
