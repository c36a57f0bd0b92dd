//! Our own client: one `reqwest::Client` with its invariants put on last, so that no hook can undo them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind as AzureErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request};
use futures::TryStreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, ClientBuilder};
use url::Url;

use super::addresses::{CONNECT, SystemNames};
use super::policy::is_local;
use crate::error::{Error, ErrorKind, Result};
use crate::task::blocking;
use crate::time::Instant;

/// The user's function on the client's builder (a private CA, a proxy, a resolver).
pub(crate) type HttpHook = Arc<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// The times of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For TCP and TLS together; of several addresses of one family each gets its share (see [`SystemNames`]).
    pub(super) connect: Duration,
    /// Longer than any gap between two packets of a healthy answer.
    pub(super) read: Duration,
    pub(super) idle: Duration,
    /// A connection that went silent is found out by pings, so that no later request is sent into it.
    pub(super) ping: Duration,
    pub(super) ping_timeout: Duration,
    /// An address may change behind a name: no connection is used for longer than this.
    pub(super) age: Duration,
}

impl Pace {
    pub(super) const DEFAULT: Self = Self {
        connect: CONNECT,
        read: Duration::from_secs(10),
        idle: Duration::from_secs(90),
        ping: Duration::from_secs(20),
        ping_timeout: Duration::from_secs(5),
        age: Duration::from_secs(300),
    };

    /// No silence is cut short that the bound of an answer allows.
    pub(super) fn waiting_for(self, answer: Duration) -> Self {
        Self {
            read: self.read.max(answer),
            ..self
        }
    }
}

/// The transport that this library makes itself.
///
/// The hook is applied first, then what must hold: no redirects, no retries by the client, no Referer, bounded
/// times, TLS 1.2 or later. Loopback and link-local hosts are asked directly, whatever the proxy variables say.
///
/// # Errors
/// `InvalidOption` if the client cannot be built, for example because of a malformed certificate in the hook.
pub(crate) fn reqwest_transport(hook: Option<&HttpHook>) -> Result<Arc<dyn HttpClient>> {
    Ok(Arc::new(Transport::new(hook, Pace::DEFAULT)?))
}

/// The same, for answers that may take so long to begin.
pub(crate) fn patient_transport(
    hook: Option<&HttpHook>,
    answer: Duration,
) -> Result<Arc<dyn HttpClient>> {
    let pace = Pace::DEFAULT.waiting_for(answer);
    Ok(Arc::new(Transport::new(hook, pace)?))
}

fn build(hook: Option<&HttpHook>, direct: bool, pace: Pace) -> Result<Client> {
    let builder = ClientBuilder::new().dns_resolver(Arc::new(SystemNames));
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
        .connect_timeout(pace.connect)
        .read_timeout(pace.read)
        .pool_idle_timeout(pace.idle)
        .http2_keep_alive_interval(pace.ping)
        .http2_keep_alive_timeout(pace.ping_timeout)
        .http2_keep_alive_while_idle(true)
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

/// Two clients: one that obeys the proxy settings, and one without any proxy for local hosts, made when the first
/// of these is asked for. Each is replaced by a fresh one when its connections are old.
pub(super) struct Transport {
    proxied: Mutex<Option<Aged>>,
    direct: Mutex<Option<Aged>>,
    hook: Option<HttpHook>,
    pace: Pace,
}

/// A client and when it was made.
#[derive(Clone)]
struct Aged {
    client: Client,
    since: Instant,
}

impl Transport {
    pub(super) fn new(hook: Option<&HttpHook>, pace: Pace) -> Result<Self> {
        let first = Aged {
            client: build(hook, false, pace)?,
            since: Instant::now(),
        };
        Ok(Self {
            proxied: Mutex::new(Some(first)),
            direct: Mutex::new(None),
            hook: hook.cloned(),
            pace,
        })
    }

    /// The client for a URL. A fresh one is made on a thread for work that takes its time, since it reads the
    /// machine's certificates; if that fails, the old one goes on.
    async fn client_for(&self, url: &Url) -> azure_core::Result<Client> {
        let local = is_local(url);
        let slot = if local { &self.direct } else { &self.proxied };
        let old = {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *slot {
                Some(aged) if aged.since.elapsed() < self.pace.age => {
                    return Ok(aged.client.clone());
                }
                Some(aged) => {
                    // Whoever comes while the fresh one is being made takes the old one.
                    aged.since = Instant::now();
                    Some(aged.client.clone())
                }
                None => None,
            }
        };
        let (hook, pace) = (self.hook.clone(), self.pace);
        let built = blocking(move || build(hook.as_ref(), local, pace)).await;
        match (built, old) {
            (Ok(Ok(client)), _) => {
                let fresh = Aged {
                    client: client.clone(),
                    since: Instant::now(),
                };
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
                Ok(client)
            }
            (_, Some(old)) => Ok(old),
            (Ok(Err(error)), None) => Err(azure_core::Error::new(AzureErrorKind::Other, error)),
            (Err(_), None) => Err(azure_core::Error::with_message(
                AzureErrorKind::Other,
                "the function given to http_client() panicked",
            )),
        }
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
        let client = self.client_for(request.url()).await?;
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f54_no_connection_is_used_for_ever() {
        let built = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&built);
        let hook: HttpHook = Arc::new(move |builder| {
            match counter.fetch_add(1, Ordering::Relaxed) {
                // A hook that fails later leaves the client that there is.
                4 => builder.user_agent("line\nbreak"),
                _ => builder,
            }
        });
        let transport = Transport::new(Some(&hook), Pace::DEFAULT).unwrap();
        let remote: Url = "https://contoso.azconfig.io".parse().unwrap();
        let local: Url = "http://169.254.169.254".parse().unwrap();
        let mut counts = Vec::new();
        for seconds in [0, 299, 2, 10, 300, 300] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            transport.client_for(&remote).await.unwrap();
            counts.push(built.load(Ordering::Relaxed));
        }
        assert_eq!(counts, [1, 1, 2, 2, 3, 4]);
        transport.client_for(&local).await.unwrap_err();
        transport.client_for(&local).await.unwrap();
        transport.client_for(&local).await.unwrap();
        assert_eq!(built.load(Ordering::Relaxed), 6);
    }

    /// Three seconds, give or take two, are slow but not silent (`src/store/tests/latency.rs`).
    #[test]
    fn f58_a_slow_answer_is_no_silence() {
        assert!(Pace::DEFAULT.read > Duration::from_secs(5));
    }

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
