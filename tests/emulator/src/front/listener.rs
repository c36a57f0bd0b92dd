//! One listening port of the loopback front: TLS or plain, by the client's first byte.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::connection::serve;
use crate::world::{Site, World};

/// What a service shows of itself to a new connection.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) tls: Arc<ServerConfig>,
    /// Said to every request instead of an answer of the service.
    pub(super) raw: Option<Bytes>,
}

/// The one place that spawns a listener. Its connections live in its own set, so that they end with it.
pub(super) fn accept_on(
    listener: TcpListener,
    world: Arc<World>,
    site: Arc<Site>,
    face: Arc<Mutex<Face>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    let face = face.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    connections.spawn(connect(stream, face, world.clone(), site.clone()));
                },
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

/// Serves one connection. A client that breaks off, or refuses the certificate, is no error of ours.
async fn connect(stream: TcpStream, face: Face, world: Arc<World>, site: Arc<Site>) {
    const TLS_HANDSHAKE: u8 = 0x16;
    world.log.connected(&site.host);
    let mut first = [0];
    if stream.set_nodelay(true).is_err() || !matches!(stream.peek(&mut first).await, Ok(1)) {
        return;
    }
    if first[0] == TLS_HANDSHAKE {
        if let Ok(stream) = TlsAcceptor::from(face.tls).accept(stream).await {
            talk(stream, "https", face.raw, world, site).await;
        }
    } else {
        talk(stream, "http", face.raw, world, site).await;
    }
}

async fn talk<S>(
    stream: S,
    scheme: &'static str,
    raw: Option<Bytes>,
    world: Arc<World>,
    site: Arc<Site>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match raw {
        Some(bytes) => say(stream, &bytes).await,
        None => serve(stream, scheme, world, site).await,
    }
}

/// Says `bytes` once the client has sent the head of a request, and hangs up.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, bytes: &[u8]) {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    let mut head = BytesMut::new();
    while !head
        .windows(END_OF_HEAD.len())
        .any(|four| four == END_OF_HEAD)
    {
        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    if stream.write_all(bytes).await.is_ok() {
        // The client may have hung up first.
        let _ = stream.shutdown().await;
    }
}
