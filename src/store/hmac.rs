//! HMAC-SHA256 signatures (provider-spec 2.1).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use azure_core::base64;
use url::Url;

/// What is signed, in this order. `x-ms-content-sha256` is there for an empty body too.
const SIGNED_HEADERS: &str = "x-ms-date;host;x-ms-content-sha256";

/// The id and secret of an access key. `Debug` shows neither.
#[derive(Clone)]
pub(crate) struct AccessKey {
    id: Box<str>,
    /// Shared, because it is a kilobyte wide.
    key: Arc<hmac::Key>,
}

impl AccessKey {
    /// `secret` is base64. The error says what is wrong without repeating it.
    pub(crate) fn new(id: &str, secret: &str) -> Result<Self, &'static str> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '&' | ',');
        if !id.chars().all(plain) {
            return Err("Id holds a character that cannot be in one");
        }
        let secret = base64::decode(secret).map_err(|_| "Secret is not base64")?;
        Ok(Self {
            id: id.into(),
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
        })
    }

    #[cfg(test)]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The headers of a request, over the bytes of the URL as they go on the wire.
    pub(crate) fn sign(&self, method: &str, url: &Url, date: &str, body: &[u8]) -> Signature {
        let content_hash = base64::encode(digest::digest(&digest::SHA256, body).as_ref());
        let query = url.query();
        let text = format!(
            "{method}\n{path}{mark}{query}\n{date};{host};{content_hash}",
            path = url.path(),
            mark = if query.is_some() { "?" } else { "" },
            query = query.unwrap_or_default(),
            host = host(url),
        );
        let signature = base64::encode(hmac::sign(&self.key, text.as_bytes()).as_ref());
        Signature {
            authorization: format!(
                "HMAC-SHA256 Credential={}&SignedHeaders={SIGNED_HEADERS}&Signature={signature}",
                self.id
            ),
            content_hash,
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey")
    }
}

/// The two headers that a signature needs beside the date.
pub(crate) struct Signature {
    pub(crate) authorization: String,
    pub(crate) content_hash: String,
}

/// The `Host` header that the client will send: a port that is not the scheme's own is part of it.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hmac module from the text that provider-spec 2.1 describes.
    #[test]
    fn known_signatures() {
        let key = AccessKey::new("abc-l0-s0:xyz", "c2VjcmV0LWtleS1ieXRlcw==").unwrap();
        let url = Url::parse(
            "https://contoso.azconfig.io/kv?api-version=2023-11-01&key=orders%3A%2A&label=%00",
        )
        .unwrap();
        let signed = key.sign("GET", &url, "Fri, 21 Nov 2025 10:00:00 GMT", b"");
        assert_eq!(
            signed.content_hash,
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
        assert_eq!(
            signed.authorization,
            "HMAC-SHA256 Credential=abc-l0-s0:xyz&SignedHeaders=x-ms-date;host;x-ms-content-sha256\
             &Signature=N1/95v6TmvUSRRfOqlbKi52jznKn0KnEtsSpj9Gf23g="
        );

        let url = Url::parse("http://localhost:8483/kv/a%2Fb?api-version=1.0").unwrap();
        let signed = key.sign("PUT", &url, "Fri, 21 Nov 2025 10:00:00 GMT", b"{}");
        assert_eq!(
            signed.content_hash,
            "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o="
        );
        assert!(
            signed
                .authorization
                .ends_with("&Signature=9OSrtu8epTdqg4SBYlsDwtokz0hjVNNMlIHMHSUPQLI=")
        );
    }

    #[test]
    fn debug_shows_nothing() {
        let key = AccessKey::new("abc", "c2VjcmV0LWtleS1ieXRlcw==").unwrap();
        assert_eq!(format!("{key:?}"), "AccessKey");
    }
}
