//! The emulator: a world of services and the fronts that lead to it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use azure_core::http::HttpClient;
use bytes::Bytes;
use reqwest::ClientBuilder;
use tokio::runtime::Runtime;

use crate::builder::EmulatorBuilder;
use crate::client::ClientSettings;
use crate::clock::ClockHandle;
use crate::credential::EmulatorCredential;
use crate::error::EmulatorError;
use crate::events::EventHub;
use crate::fault::Faults;
use crate::front::{CertificateKind, MemoryTransport, Sockets};
use crate::identity::IdentityHandle;
use crate::log::RequestLog;
use crate::proxy::Proxy;
use crate::route::HostKind;
use crate::store::StoreHandle;
use crate::token::TokenIssuer;
use crate::vault::VaultHandle;
use crate::world::World;

/// Azure on loopback and in memory. Cheap to clone; the last clone that goes closes all sockets.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use config_azure_emulator::Emulator;
///
/// let emulator = Emulator::builder().store("contoso").start().await?;
/// emulator.store("contoso").set("orders:title", None, "Shop");
/// let client = emulator.client(reqwest::Client::builder()).build()?;
/// let answer = client.get("https://contoso.azconfig.io/kv").send().await?;
/// assert_eq!(answer.status(), 401); // as in Azure: sign the request, or send a token
/// # Ok(()) }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct Emulator(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) world: Arc<World>,
    pub(crate) issuer: Arc<TokenIssuer>,
    pub(crate) credential: Arc<EmulatorCredential>,
    pub(crate) stores: BTreeMap<String, StoreHandle>,
    pub(crate) vaults: BTreeMap<String, VaultHandle>,
    pub(crate) identity: IdentityHandle,
    pub(crate) events: EventHub,
    pub(crate) sockets: Option<Arc<Sockets>>,
    pub(crate) runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Emulator {
    /// An emulator to be furnished with services.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The store (or replica) with this name.
    ///
    /// # Panics
    /// If the builder was not told of it.
    pub fn store(&self, name: &str) -> StoreHandle {
        let store = self.0.stores.get(name);
        store
            .unwrap_or_else(|| panic!("the emulator has no store '{name}'"))
            .clone()
    }

    /// The vault with this name.
    ///
    /// # Panics
    /// If the builder was not told of it.
    pub fn vault(&self, name: &str) -> VaultHandle {
        let vault = self.0.vaults.get(name);
        vault
            .unwrap_or_else(|| panic!("the emulator has no vault '{name}'"))
            .clone()
    }

    /// All vaults, ordered by name.
    pub fn vaults(&self) -> Vec<VaultHandle> {
        self.0.vaults.values().cloned().collect()
    }

    /// The token authority and the managed identity endpoints.
    pub fn identity(&self) -> IdentityHandle {
        self.0.identity.clone()
    }

    /// The events that stores and vaults raise for their changes.
    pub fn events(&self) -> EventHub {
        self.0.events.clone()
    }

    /// `builder` with the emulator's authority as the only trusted one, and every real host name led to loopback.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub fn client(&self, builder: ClientBuilder) -> ClientBuilder {
        self.client_settings().apply(builder)
    }

    /// [`client`](Self::client) as a function to keep and hand on. It does not keep the emulator alive.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub fn client_hook(
        &self,
    ) -> impl Fn(ClientBuilder) -> ClientBuilder + Clone + Send + Sync + 'static {
        let settings = self.client_settings();
        move |builder| settings.apply(builder)
    }

    /// The certificate of the emulator's private authority.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub fn ca_pem(&self) -> String {
        self.sockets().ca_pem()
    }

    /// An HTTP client of `azure_core` that reaches the services without sockets, under their real host names.
    pub fn transport(&self) -> Arc<dyn HttpClient> {
        Arc::new(MemoryTransport::new(self.0.world.clone()))
    }

    /// A credential whose tokens the services accept. Every call returns the same one; it counts its calls.
    pub fn credential(&self) -> Arc<EmulatorCredential> {
        self.0.credential.clone()
    }

    /// The issuer of the emulated tenant's tokens.
    pub fn issuer(&self) -> Arc<TokenIssuer> {
        self.0.issuer.clone()
    }

    /// The log of all requests.
    pub fn log(&self) -> RequestLog {
        self.0.world.log.clone()
    }

    /// The scripted faults.
    pub fn faults(&self) -> Faults {
        self.0.world.faults.clone()
    }

    /// The wall clock of the services.
    pub fn clock(&self) -> ClockHandle {
        self.0.world.clock.clone()
    }

    /// Every service of this kind takes so long to answer. Zero at the start.
    pub fn latency(&self, kind: HostKind, latency: Duration) {
        self.0.world.set_latency(kind, latency);
    }

    /// The loopback address of a service, by its real host name.
    pub fn address(&self, host: &str) -> Option<SocketAddr> {
        self.0.sockets.as_ref()?.address(host)
    }

    /// A byte proxy in front of a service. Clients made from now on reach the service through it, by its real name.
    ///
    /// # Errors
    /// No service of that name, or no port could be opened.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub async fn proxy(&self, host: &str) -> Result<Proxy, EmulatorError> {
        let sockets = self.sockets();
        let address = sockets.address(host);
        let address = address.ok_or_else(|| Sockets::unknown(host))?;
        let proxy = Proxy::to(address).await?;
        sockets.detour(host, proxy.address());
        Ok(proxy)
    }

    /// From the next connection on, the service shows this certificate.
    ///
    /// # Errors
    /// No service of that name, or the certificate could not be made.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub fn show_certificate(&self, host: &str, kind: CertificateKind) -> Result<(), EmulatorError> {
        self.sockets().show(host, kind)
    }

    /// From the next connection on, the service says these bytes to every request (HTTP/1.1), then hangs up: what no
    /// proper server would say. Nothing is logged but the connection; [`show_certificate`](Self::show_certificate)
    /// ends it.
    ///
    /// # Errors
    /// No service of that name, or its certificate could not be made.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub fn say(&self, host: &str, bytes: impl Into<Bytes>) -> Result<(), EmulatorError> {
        self.sockets().say(host, bytes.into())
    }

    /// Whether answers on sockets are gzipped for clients that accept it, as the service does; not at the start.
    pub fn compress(&self, on: bool) {
        self.0.world.compress(on);
    }

    /// Closes a service's port and all its connections: new ones are refused.
    ///
    /// # Errors
    /// No service of that name.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub async fn close_port(&self, host: &str) -> Result<(), EmulatorError> {
        self.sockets().close(host).await
    }

    /// Opens a closed port again, at the same address.
    ///
    /// # Errors
    /// No service of that name, or the port was taken meanwhile.
    ///
    /// # Panics
    /// If the emulator has no sockets ([`EmulatorBuilder::in_memory`]).
    pub async fn reopen_port(&self, host: &str) -> Result<(), EmulatorError> {
        self.sockets().reopen(host).await
    }

    fn client_settings(&self) -> ClientSettings {
        let sockets = self.sockets();
        ClientSettings {
            ca_pem: sockets.ca_pem(),
            addresses: sockets.resolved(),
        }
    }

    fn sockets(&self) -> &Sockets {
        let sockets = self.0.sockets.as_ref();
        sockets.expect("this emulator was made without sockets: use start() instead of in_memory()")
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self
            .0
            .world
            .sites()
            .iter()
            .map(|s| s.host.clone())
            .collect();
        f.debug_struct("Emulator")
            .field("hosts", &hosts)
            .finish_non_exhaustive()
    }
}
