//! The in-memory front: an HTTP client of `azure_core` that never opens a socket.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::request::{Body, Request};
use azure_core::http::{AsyncRawResponse, HttpClient};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::io::AsyncReadExt as _;
use futures::stream::{self, BoxStream};
use http::{HeaderMap, HeaderValue, header};

use crate::fault::Delivery;
use crate::world::{Outcome, World};

/// Answers requests out of the world's memory. Its waits obey Tokio's clock, paused or not.
pub(crate) struct MemoryTransport(Arc<World>);

impl MemoryTransport {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self(world)
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryTransport")
    }
}

#[async_trait]
impl HttpClient for MemoryTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let host = request.url().host_str().unwrap_or_default();
        let site = self.0.site(host).ok_or_else(|| {
            Error::with_message(
                ErrorKind::Connection,
                format!("no service of the emulator is called '{host}'"),
            )
        })?;
        match self.0.answer(&site, into_http(request).await?).await {
            Outcome::Answer(response, delivery) => Ok(into_azure(response, delivery)),
            Outcome::Dropped => Err(broken("the connection ended without an answer")),
            Outcome::Refused => Err(Error::with_message(
                ErrorKind::Connection,
                "connection refused",
            )),
        }
    }
}

fn broken(message: &'static str) -> Error {
    Error::with_message(ErrorKind::Io, message)
}

async fn into_http(request: &Request) -> azure_core::Result<http::Request<Bytes>> {
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(stream) => {
            let mut bytes = Vec::new();
            stream.clone().read_to_end(&mut bytes).await?;
            bytes.into()
        }
    };
    let url = request.url();
    let mut built = http::Request::builder()
        .method(request.method().as_str())
        .uri(&url[..url::Position::AfterQuery]);
    for (name, value) in request.headers().iter() {
        built = built.header(name.as_str(), value.as_str());
    }
    let mut built = built
        .body(body)
        .map_err(|e| Error::new(ErrorKind::DataConversion, e))?;
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let authority =
        HeaderValue::from_str(authority).map_err(|e| Error::new(ErrorKind::DataConversion, e))?;
    built.headers_mut().entry(header::HOST).or_insert(authority);
    Ok(built)
}

fn into_azure(response: http::Response<Bytes>, delivery: Delivery) -> AsyncRawResponse {
    let (parts, body) = response.into_parts();
    let headers = joined(&parts.headers);
    let status = parts.status.as_u16().into();
    AsyncRawResponse::new(status, headers, Box::pin(pieces(body, delivery)))
}

/// `azure_core`'s header map holds one value a name: repeated headers are joined, as HTTP allows.
fn joined(map: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for name in map.keys() {
        let values = map.get_all(name).iter().filter_map(|v| v.to_str().ok());
        let joined = values.collect::<Vec<_>>().join(", ");
        headers.insert(HeaderName::from(name.as_str().to_owned()), joined);
    }
    headers
}

fn pieces(body: Bytes, delivery: Delivery) -> BoxStream<'static, azure_core::Result<Bytes>> {
    match delivery {
        Delivery::Whole => stream::once(async move { Ok(body) }).boxed(),
        Delivery::Cut(at) => {
            let start = body.slice(..at.min(body.len()));
            let end = Err(broken("the connection ended inside the body"));
            stream::iter([Ok(start), end]).boxed()
        }
        Delivery::Trickle(chunk, pause) => stream::unfold(body, move |mut rest| async move {
            if rest.is_empty() {
                return None;
            }
            tokio::time::sleep(pause).await;
            let piece = rest.split_to(chunk.min(rest.len()));
            Some((Ok(piece), rest))
        })
        .boxed(),
    }
}
