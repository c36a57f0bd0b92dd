//! The endpoint of a store, normalised to its origin.

use std::fmt;

use url::Url;

use crate::error::{Error, Result};
use crate::transport::{Origin, is_loopback};

/// `https://NAME.azconfig.io`, without path, user or trailing slash. Plain http is for loopback alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: Url,
    origin: Box<str>,
}

impl Endpoint {
    /// Reads what the user gave. The text is never repeated in an error: it may be a connection string that
    /// was put in the wrong place.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.to_ascii_lowercase().contains("secret=") {
            return Err(Error::option(
                "the endpoint looks like a connection string; give it to connection_string()",
            ));
        }
        let url = Url::parse(text).map_err(|_| {
            Error::option("the endpoint is not a URL such as https://NAME.azconfig.io")
        })?;
        Self::from_url(url)
    }

    fn from_url(url: Url) -> Result<Self> {
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && matches!(url.path(), "" | "/");
        if !plain || url.host_str().is_none_or(str::is_empty) {
            return Err(Error::option(
                "the endpoint must be scheme and host alone, such as https://NAME.azconfig.io",
            ));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(Error::option(
                    "the endpoint must be https; plain http is for an emulator on this machine",
                ));
            }
            _ => return Err(Error::option("the endpoint must be an https URL")),
        }
        let origin = url.origin().ascii_serialization().into();
        Ok(Self { url, origin })
    }

    /// A replica found by discovery: https on the default port.
    pub(crate) fn replica(host: &str) -> Option<Self> {
        let url = Url::parse(&format!("https://{host}")).ok()?;
        let same = url.host_str() == Some(host);
        Self::from_url(url).ok().filter(|_| same)
    }

    /// The origin, without a trailing slash.
    pub(crate) fn as_str(&self) -> &str {
        &self.origin
    }

    /// The host without the port.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// What the guard is told.
    pub(crate) fn origin(&self) -> Option<Origin> {
        Origin::of(&self.url)
    }

    /// The URL of a path and query that are already percent-encoded.
    pub(crate) fn join(&self, path_and_query: &str) -> Result<Url> {
        Url::parse(&format!("{}{path_and_query}", self.origin))
            .map_err(|_| Error::option("a selector cannot be written as a URL"))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_to_the_origin() {
        for text in [
            "https://contoso.azconfig.io",
            " https://Contoso.azconfig.io/ ",
            "https://contoso.azconfig.io:443",
        ] {
            assert_eq!(
                Endpoint::parse(text).unwrap().as_str(),
                "https://contoso.azconfig.io"
            );
        }
        assert_eq!(
            Endpoint::parse("http://127.0.0.1:8483").unwrap().as_str(),
            "http://127.0.0.1:8483"
        );
    }

    #[test]
    fn t08_refused_without_repeating_the_text() {
        for text in [
            "contoso.azconfig.io",
            "http://contoso.azconfig.io",
            "https://contoso.azconfig.io/kv",
            "https://contoso.azconfig.io?x=c2VjcmV0",
            "https://user:c2VjcmV0@contoso.azconfig.io",
            "ftp://contoso.azconfig.io",
            "Endpoint=https://contoso.azconfig.io;Id=a;Secret=c2VjcmV0",
            "c2VjcmV0c2VjcmV0",
            "",
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {error:#?}");
            assert!(!shown.contains("c2VjcmV0"), "{shown}");
            assert!(std::error::Error::source(&error).is_none());
        }
    }
}
