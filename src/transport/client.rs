//! Our own client: one `reqwest::Client` with its invariants put on last, so that no hook can undo them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind as AzureErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request};
use futures::TryStreamExt;
use once_cell::sync::OnceCell;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, ClientBuilder};

use super::policy::is_local;
use crate::error::{Error, ErrorKind, Result};

/// The user's function on the client's builder (a private CA, a proxy, a resolver).
pub(crate) type HttpHook = Arc<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// For TCP and TLS together; of several addresses of one family each gets its share.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Longer than any gap between two packets of a healthy answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// An address may change behind a name: a connection is not kept for ever.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The transport that this library makes itself.
///
/// The hook is applied first, then what must hold: no redirects, no retries by the client, no Referer, bounded
/// times, TLS 1.2 or later. Loopback and link-local hosts are asked directly, whatever the proxy variables say.
///
/// # Errors
/// `InvalidOption` if the client cannot be built, for example because of a malformed certificate in the hook.
pub(crate) fn reqwest_transport(hook: Option<&HttpHook>) -> Result<Arc<dyn HttpClient>> {
    Ok(Arc::new(Transport {
        client: build(hook, false)?,
        direct: OnceCell::new(),
        hook: hook.cloned(),
    }))
}

fn build(hook: Option<&HttpHook>, direct: bool) -> Result<Client> {
    let builder = ClientBuilder::new();
    let builder = match hook {
        Some(hook) => hook(builder),
        None => builder,
    };
    let builder = if direct { builder.no_proxy() } else { builder };
    builder
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .gzip(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .build()
        .map_err(|error| {
            Error::new(
                ErrorKind::InvalidOption,
                "the HTTP client cannot be built; check the function given to http_client()",
            )
            .with_source(error)
        })
}

struct Transport {
    client: Client,
    /// The same without any proxy, made when a local host is asked for the first time.
    direct: OnceCell<Client>,
    hook: Option<HttpHook>,
}

impl Transport {
    fn client_for(&self, request: &Request) -> azure_core::Result<&Client> {
        if !is_local(request.url()) {
            return Ok(&self.client);
        }
        self.direct
            .get_or_try_init(|| build(self.hook.as_ref(), true))
            .map_err(|error| azure_core::Error::new(AzureErrorKind::Other, error))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let client = self.client_for(request)?;
        let mut outgoing = client.request(method(request.method())?, request.url().clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), header(name, value)?);
        }
        let outgoing = match request.body() {
            Body::Bytes(bytes) if bytes.is_empty() => outgoing,
            Body::Bytes(bytes) => outgoing.body(bytes.clone()),
            Body::SeekableStream(stream) => {
                outgoing.body(reqwest::Body::wrap_stream(stream.clone()))
            }
        };
        let response = outgoing.send().await.map_err(failure)?;
        let status = response.status().as_u16();
        let headers = joined(response.headers());
        let body = Box::pin(response.bytes_stream().map_err(failure));
        Ok(AsyncRawResponse::new(status.into(), headers, body))
    }
}

/// The header as reqwest wants it. What authorises is marked, so that nothing below prints it.
fn header(
    name: &HeaderName,
    value: &HeaderValue,
) -> azure_core::Result<reqwest::header::HeaderValue> {
    let mut out = reqwest::header::HeaderValue::from_str(value.as_str()).map_err(|_| {
        azure_core::Error::with_message(
            AzureErrorKind::DataConversion,
            format!("the header {} is not printable ASCII", name.as_str()),
        )
    })?;
    let name = name.as_str();
    out.set_sensitive(
        name.eq_ignore_ascii_case(AUTHORIZATION.as_str())
            || name.eq_ignore_ascii_case("x-identity-header")
            || name.eq_ignore_ascii_case("secret"),
    );
    Ok(out)
}

/// Headers that came more than once, joined by commas: `azure_core`'s own client would keep only the last.
fn joined(map: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for name in map.keys() {
        let values: Vec<&str> = map
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        if !values.is_empty() {
            headers.insert(name.as_str().to_owned(), values.join(", "));
        }
    }
    headers
}

/// An error of reqwest without its URL, which holds keys and labels.
fn failure(error: reqwest::Error) -> azure_core::Error {
    let kind = if error.is_connect() {
        AzureErrorKind::Connection
    } else {
        AzureErrorKind::Io
    };
    azure_core::Error::new(kind, error.without_url())
}

fn method(method: Method) -> azure_core::Result<reqwest::Method> {
    reqwest::Method::from_bytes(method.as_str().as_bytes())
        .map_err(|error| azure_core::Error::new(AzureErrorKind::Other, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t07_what_authorises_is_marked_and_not_shown() {
        for name in ["authorization", "x-identity-header", "secret"] {
            let value = header(&HeaderName::from(name), &HeaderValue::from("hunter2")).unwrap();
            assert!(value.is_sensitive());
            assert!(!format!("{value:?}").contains("hunter2"));
        }
        let plain = header(&HeaderName::from("accept"), &HeaderValue::from("x")).unwrap();
        assert!(!plain.is_sensitive());
        assert!(header(&HeaderName::from("accept"), &HeaderValue::from("a\nb")).is_err());
    }
}
