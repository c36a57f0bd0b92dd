//! The ports of the loopback front: one a service.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::certificate::{Authority, CertificateKind};
use super::listener::{Face, accept_on};
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
    face: Arc<Mutex<Face>>,
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
        let face = Arc::new(Mutex::new(Face { tls, raw: None }));
        let listener = bind(port).await?;
        let address = listener.local_addr().map_err(unbound)?;
        let host = site.host.clone();
        let task = accept_on(listener, self.world.clone(), site, face.clone());
        let task = Some(task);
        self.ports().insert(
            host,
            Port {
                address,
                face,
                task,
            },
        );
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
        let tls = self.authority.server(host, kind, self.protocols)?;
        self.face(host, Face { tls, raw: None })
    }

    /// From the next connection on, `host` says `bytes` to every request, whatever they are.
    pub(crate) fn say(&self, host: &str, bytes: Bytes) -> Result<(), EmulatorError> {
        let tls = self.authority.server(host, CertificateKind::Good, HTTP1)?;
        let raw = Some(bytes);
        self.face(host, Face { tls, raw })
    }

    fn face(&self, host: &str, face: Face) -> Result<(), EmulatorError> {
        let ports = self.ports();
        let port = ports.get(host).ok_or_else(|| Self::unknown(host))?;
        *port.face.lock().unwrap_or_else(PoisonError::into_inner) = face;
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
        let (address, face) = {
            let ports = self.ports();
            let port = ports.get(host).ok_or_else(|| Self::unknown(host))?;
            if port.task.is_some() {
                return Ok(());
            }
            (port.address, port.face.clone())
        };
        let site = self.world.site(host).ok_or_else(|| Self::unknown(host))?;
        let listener = bind(address.port()).await?;
        let task = accept_on(listener, self.world.clone(), site, face);
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
