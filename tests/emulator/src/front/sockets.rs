//! The loopback front: one listener a service, TLS or plain by the client's first byte.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::certificate::{Authority, CertificateKind};
use super::connection::serve;
use crate::error::EmulatorError;
use crate::world::{Site, World};

const HTTP2_AND_1: &[&[u8]] = &[b"h2", b"http/1.1"];
const HTTP1: &[&[u8]] = &[b"http/1.1"];

/// The listeners of one world. Dropping them closes every port and connection.
pub(crate) struct Sockets {
    world: Arc<World>,
    authority: Authority,
    protocols: &'static [&'static [u8]],
    ports: Mutex<HashMap<String, Port>>,
    /// Where new clients are sent instead of a service's own port.
    detours: Mutex<HashMap<String, SocketAddr>>,
}

struct Port {
    address: SocketAddr,
    tls: Arc<Mutex<Arc<ServerConfig>>>,
    task: Option<JoinHandle<()>>,
}

impl Sockets {
    /// Opens a port for every service that the world holds now: the one in `chosen`, or a free one.
    pub(crate) async fn open(
        world: Arc<World>,
        http1_only: bool,
        chosen: &HashMap<String, u16>,
    ) -> Result<Self, EmulatorError> {
        let sockets = Self {
            authority: Authority::new()?,
            protocols: if http1_only { HTTP1 } else { HTTP2_AND_1 },
            ports: Mutex::default(),
            detours: Mutex::default(),
            world,
        };
        for site in sockets.world.sites() {
            let port = chosen.get(&site.host).copied().unwrap_or_default();
            sockets.listen(site, port).await?;
        }
        Ok(sockets)
    }

    async fn listen(&self, site: Arc<Site>, port: u16) -> Result<(), EmulatorError> {
        let tls = self
            .authority
            .server(&site.host, CertificateKind::Good, self.protocols)?;
        let tls = Arc::new(Mutex::new(tls));
        let listener = bind(port).await?;
        let address = listener.local_addr().map_err(unbound)?;
        let host = site.host.clone();
        let task = accept_on(listener, self.world.clone(), site, tls.clone());
        let task = Some(task);
        self.ports().insert(host, Port { address, tls, task });
        Ok(())
    }

    pub(crate) fn address(&self, host: &str) -> Option<SocketAddr> {
        self.ports().get(host).map(|port| port.address)
    }

    /// Sends new clients to `address` when they mean `host`.
    pub(crate) fn detour(&self, host: &str, address: SocketAddr) {
        let mut detours = self.detours.lock().unwrap_or_else(PoisonError::into_inner);
        detours.insert(host.to_owned(), address);
    }

    /// Where clients find each service by its real name.
    pub(crate) fn resolved(&self) -> Vec<(String, SocketAddr)> {
        let mut addresses = self.addresses();
        let detours = self.detours.lock().unwrap_or_else(PoisonError::into_inner);
        for (host, address) in &mut addresses {
            *address = detours.get(host).copied().unwrap_or(*address);
        }
        addresses
    }

    pub(crate) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let ports = self.ports();
        let all = ports
            .iter()
            .map(|(host, port)| (host.clone(), port.address));
        all.collect()
    }

    pub(crate) fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// From the next connection on, `host` shows another certificate.
    pub(crate) fn show(&self, host: &str, kind: CertificateKind) -> Result<(), EmulatorError> {
        let config = self.authority.server(host, kind, self.protocols)?;
        let ports = self.ports();
        let port = ports.get(host).ok_or_else(|| Self::unknown(host))?;
        *port.tls.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Closes the port of `host` with all its connections: new ones are refused.
    pub(crate) async fn close(&self, host: &str) -> Result<(), EmulatorError> {
        let task = {
            let mut ports = self.ports();
            let port = ports.get_mut(host).ok_or_else(|| Self::unknown(host))?;
            port.task.take()
        };
        if let Some(task) = task {
            task.abort();
            // Once it has ended, listener and connections are gone; being cancelled is its only way to end.
            let _ = task.await;
        }
        Ok(())
    }

    /// Opens the port of `host` again, at the same address.
    pub(crate) async fn reopen(&self, host: &str) -> Result<(), EmulatorError> {
        let (address, tls) = {
            let ports = self.ports();
            let port = ports.get(host).ok_or_else(|| Self::unknown(host))?;
            if port.task.is_some() {
                return Ok(());
            }
            (port.address, port.tls.clone())
        };
        let site = self.world.site(host).ok_or_else(|| Self::unknown(host))?;
        let listener = bind(address.port()).await?;
        let task = accept_on(listener, self.world.clone(), site, tls);
        if let Some(port) = self.ports().get_mut(host) {
            port.task = Some(task);
        }
        Ok(())
    }

    pub(crate) fn unknown(host: &str) -> EmulatorError {
        EmulatorError::new(format!("no service of the emulator is called '{host}'"))
    }

    fn ports(&self) -> MutexGuard<'_, HashMap<String, Port>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for port in self.ports().values_mut() {
            if let Some(task) = port.task.take() {
                task.abort();
            }
        }
    }
}

fn unbound(error: std::io::Error) -> EmulatorError {
    EmulatorError::because("no port on loopback could be opened", error)
}

async fn bind(port: u16) -> Result<TcpListener, EmulatorError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address)
        .await
        .map_err(|error| match port {
            0 => unbound(error),
            _ => EmulatorError::because(
                format!("port {port} of loopback could not be opened"),
                error,
            ),
        })
}

/// The one place that spawns a listener. Its connections live in its own set, so that they end with it.
fn accept_on(
    listener: TcpListener,
    world: Arc<World>,
    site: Arc<Site>,
    tls: Arc<Mutex<Arc<ServerConfig>>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    let config = tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    connections.spawn(connect(stream, config, world.clone(), site.clone()));
                },
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

/// Serves one connection. A client that breaks off, or refuses the certificate, is no error of ours.
async fn connect(stream: TcpStream, config: Arc<ServerConfig>, world: Arc<World>, site: Arc<Site>) {
    const TLS_HANDSHAKE: u8 = 0x16;
    world.log.connected(&site.host);
    let mut first = [0];
    if stream.set_nodelay(true).is_err() || !matches!(stream.peek(&mut first).await, Ok(1)) {
        return;
    }
    if first[0] == TLS_HANDSHAKE {
        if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
            serve(stream, "https", world, site).await;
        }
    } else {
        serve(stream, "http", world, site).await;
    }
}
