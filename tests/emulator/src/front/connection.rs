//! One HTTP connection of the loopback front.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, StreamExt as _};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use crate::fault::Delivery;
use crate::world::{Outcome, Site, World};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Serves HTTP/1.1 or HTTP/2 on `stream` until the client has had enough, or a fault ends the connection.
pub(super) async fn serve<S>(stream: S, scheme: &'static str, world: Arc<World>, site: Arc<Site>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = Arc::new(Notify::new());
    let end = broken.clone();
    let service = service_fn(move |request| {
        let (world, site, broken) = (world.clone(), site.clone(), broken.clone());
        async move { respond(request, scheme, &world, &site, &broken).await }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        biased;
        () = end.notified() => {}
        // A client that breaks off is no error of ours.
        _ = server.serve_connection(TokioIo::new(stream), service) => {}
    }
}

async fn respond(
    request: Request<Incoming>,
    scheme: &str,
    world: &World,
    site: &Site,
    broken: &Notify,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let accepted = parts.headers.get(header::ACCEPT_ENCODING);
    let gzip = world.compresses() && accepted.is_some_and(names_gzip);
    let request = absolute(Request::from_parts(parts, body), scheme, site)?;
    match world.answer(site, request).await {
        Outcome::Answer(mut response, delivery) => {
            if gzip {
                compress(&mut response);
            }
            Ok(deliver(response, delivery))
        }
        Outcome::Dropped | Outcome::Refused => {
            // An error would end the request alone over HTTP/2; this waits for the connection to go.
            broken.notify_one();
            std::future::pending().await
        }
    }
}

/// HTTP/1.1 names the host in a header, HTTP/2 in the URI; services see both in both places.
fn absolute(mut request: Request<Bytes>, scheme: &str, site: &Site) -> io::Result<Request<Bytes>> {
    let authority = match request.uri().authority() {
        Some(authority) => authority.to_string(),
        None => match request.headers().get(header::HOST) {
            Some(host) => host.to_str().map_err(io::Error::other)?.to_owned(),
            None => site.host.clone(),
        },
    };
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority.as_str())
        .path_and_query(path)
        .build();
    *request.uri_mut() = uri.map_err(io::Error::other)?;
    let authority = HeaderValue::try_from(authority).map_err(io::Error::other)?;
    request
        .headers_mut()
        .entry(header::HOST)
        .or_insert(authority);
    Ok(request)
}

fn names_gzip(accepted: &HeaderValue) -> bool {
    let text = accepted.to_str().unwrap_or_default();
    text.split(',')
        .any(|coding| coding.trim().starts_with("gzip"))
}

/// Gzips a body that is not encoded yet.
fn compress(response: &mut Response<Bytes>) {
    if response.body().is_empty() || response.headers().contains_key(header::CONTENT_ENCODING) {
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(response.body()).expect("a Vec takes all");
    *response.body_mut() = encoder.finish().expect("a Vec takes all").into();
    let gzip = HeaderValue::from_static("gzip");
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, gzip);
}

fn deliver(response: Response<Bytes>, delivery: Delivery) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if delivery != Delivery::Whole {
        let whole = HeaderValue::from(body.len());
        parts.headers.insert(header::CONTENT_LENGTH, whole);
    }
    Response::from_parts(parts, pieces(body, delivery))
}

fn pieces(body: Bytes, delivery: Delivery) -> Body {
    match delivery {
        Delivery::Whole => Full::new(body)
            .map_err(|never: Infallible| match never {})
            .boxed_unsync(),
        Delivery::Cut(at) => {
            let start = body.slice(..at.min(body.len()));
            let end = io::Error::from(io::ErrorKind::ConnectionAborted);
            // The pause lets the start leave the socket before the connection goes.
            let parts = stream::iter([Ok(Frame::data(start))]).chain(stream::once(async move {
                tokio::task::yield_now().await;
                Err(end)
            }));
            StreamBody::new(parts).boxed_unsync()
        }
        Delivery::Trickle(chunk, pause) => {
            let parts = stream::unfold(body, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let piece = rest.split_to(chunk.min(rest.len()));
                Some((Ok(Frame::data(piece)), rest))
            });
            StreamBody::new(parts).boxed_unsync()
        }
    }
}
