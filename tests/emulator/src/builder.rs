//! Furnishing an emulator.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use time::OffsetDateTime;
use tokio::runtime::Runtime;

use crate::clock::ClockHandle;
use crate::credential::EmulatorCredential;
use crate::emulator::{Emulator, Inner};
use crate::error::EmulatorError;
use crate::events::{EventHub, ObjectEvent};
use crate::front::Sockets;
use crate::identity::{Identity, IdentityHandle};
use crate::route::HostKind;
use crate::service::Service;
use crate::store::{Store, StoreHandle};
use crate::stranger::Stranger;
use crate::token::TokenIssuer;
use crate::vault::{Vault, VaultHandle};
use crate::world::World;

const TENANT: &str = "7f0a9c52-3e5d-4d3a-9f57-0d6b1c1f2a10";
const AUTHORITY: &str = "login.microsoftonline.com";
/// Where virtual machines find their managed identity. Only the in-memory front can serve it.
const INSTANCE_METADATA: &str = "169.254.169.254";

/// Says what an [`Emulator`] holds. Made by [`Emulator::builder`].
#[derive(Default)]
pub struct EmulatorBuilder {
    stores: Vec<String>,
    replicas: Vec<(String, String)>,
    vaults: Vec<String>,
    services: Vec<(String, HostKind, Arc<dyn Service>)>,
    http1_only: bool,
    ports: HashMap<String, u16>,
    start: Option<OffsetDateTime>,
}

impl EmulatorBuilder {
    /// One more store, `https://NAME.azconfig.io`. A name with dots is taken as the whole host name.
    #[must_use]
    pub fn store(mut self, name: impl Into<String>) -> Self {
        self.stores.push(name.into());
        self
    }

    /// One more endpoint of a store: own host name, own sync tokens and lag, same settings, keys and roles.
    ///
    /// Starting panics if the builder was not told of the store before.
    #[must_use]
    pub fn replica(mut self, store: impl Into<String>, name: impl Into<String>) -> Self {
        self.replicas.push((store.into(), name.into()));
        self
    }

    /// One more key vault, `https://NAME.vault.azure.net`. A name with dots is taken as the whole host name.
    #[must_use]
    pub fn vault(mut self, name: impl Into<String>) -> Self {
        self.vaults.push(name.into());
        self
    }

    /// One more service of any kind under this host name.
    #[must_use]
    pub fn service(
        mut self,
        host: impl Into<String>,
        kind: HostKind,
        service: Arc<dyn Service>,
    ) -> Self {
        self.services.push((host.into(), kind, service));
        self
    }

    /// A host that no client should talk to. It answers everything with 200, so that the log shows who came
    /// ([`HostKind::Other`]) and what they brought.
    #[must_use]
    pub fn stranger(self, host: impl Into<String>) -> Self {
        self.service(host, HostKind::Other, Arc::new(Stranger))
    }

    /// The loopback front speaks HTTP/1.1 alone, instead of HTTP/2 and HTTP/1.1.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.http1_only = true;
        self
    }

    /// The service with this host name listens on this port of loopback, instead of a free one.
    #[must_use]
    pub fn port(mut self, host: &str, port: u16) -> Self {
        self.ports.insert(host.to_ascii_lowercase(), port);
        self
    }

    /// The wall clock starts at this moment instead of now.
    #[must_use]
    pub fn clock_start(mut self, start: OffsetDateTime) -> Self {
        self.start = Some(start);
        self
    }

    /// Starts the loopback front on the current Tokio runtime, beside the in-memory one.
    ///
    /// # Errors
    /// No port could be opened or no certificate made.
    pub async fn start(mut self) -> Result<Emulator, EmulatorError> {
        let http1_only = self.http1_only;
        let ports = std::mem::take(&mut self.ports);
        let furnished = self.furnish();
        let world = furnished.inner.world.clone();
        let sockets = Sockets::open(world, http1_only, &ports).await?;
        Ok(furnished.reached_by(sockets, None))
    }

    /// Starts the loopback front on a runtime and thread of its own, which end with the emulator.
    ///
    /// For callers without a runtime, and for benchmarks whose client shall not share one with the server.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_blocking(mut self) -> Result<Emulator, EmulatorError> {
        let http1_only = self.http1_only;
        let ports = std::mem::take(&mut self.ports);
        let furnished = self.furnish();
        let world = furnished.inner.world.clone();
        let opened = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("config-azure-emulator")
                .enable_all()
                .build()
                .map_err(|e| EmulatorError::because("no runtime could be started", e))?;
            let sockets = runtime.block_on(Sockets::open(world, http1_only, &ports))?;
            Ok::<_, EmulatorError>((runtime, sockets))
        });
        let opened = opened.join();
        let (runtime, sockets) =
            opened.map_err(|_| EmulatorError::new("the emulator's thread panicked"))??;
        Ok(furnished.reached_by(sockets, Some(runtime)))
    }

    /// No sockets: the in-memory front alone. Works under a paused Tokio clock.
    pub fn in_memory(self) -> Emulator {
        Emulator::new(self.furnish().inner)
    }

    fn furnish(self) -> Furnished {
        let start = self.start.unwrap_or_else(OffsetDateTime::now_utc);
        let world = Arc::new(World::new(ClockHandle::starting_at(start)));
        let issuer = Arc::new(TokenIssuer::new(TENANT));
        let addresses = AddressBook::default();
        let events = EventHub::default();
        let stores = self.stores.into_iter().map(|name| {
            let store = store(&world, &name, &issuer, &addresses, &events);
            (name, store)
        });
        let mut stores: BTreeMap<_, _> = stores.collect();
        for (region, (origin, name)) in self.replicas.into_iter().enumerate() {
            let origin = stores.get(&origin);
            let origin = origin.unwrap_or_else(|| panic!("the replica '{name}' has no store"));
            let host = host_name(&name, "azconfig.io");
            let replica = origin.replica(&host, region + 1);
            world.register(&host, HostKind::Store, replica.service());
            stores.insert(name, replica);
        }
        let vaults = self.vaults.into_iter().map(|name| {
            let vault = vault(&world, &name, &issuer, &events);
            (name, vault)
        });
        let vaults: BTreeMap<_, _> = vaults.collect();
        let identity = identity(&world, &issuer);
        for (host, kind, service) in self.services {
            world.register(&host, kind, service);
        }
        let credential = EmulatorCredential::new(issuer.clone(), world.clock.clone());
        let inner = Inner {
            credential: Arc::new(credential),
            stores,
            vaults,
            identity,
            events,
            sockets: None,
            runtime: None,
            issuer,
            world,
        };
        Furnished { inner, addresses }
    }
}

/// An emulator that is not reached by sockets yet.
struct Furnished {
    inner: Inner,
    addresses: AddressBook,
}

impl Furnished {
    /// Tells everybody who needs it where the sockets are.
    fn reached_by(self, sockets: Sockets, runtime: Option<Runtime>) -> Emulator {
        let Self {
            mut inner,
            addresses,
        } = self;
        addresses.fill(&sockets);
        let authority = addresses.local_url(AUTHORITY);
        for vault in inner.vaults.values() {
            let vault = vault.vault();
            vault.set_local(addresses.local_url(&vault.host()), authority.clone());
        }
        inner.identity.identity().set_local_url(authority);
        inner.sockets = Some(Arc::new(sockets));
        inner.runtime = runtime;
        Emulator::new(inner)
    }
}

fn store(
    world: &World,
    name: &str,
    issuer: &Arc<TokenIssuer>,
    addresses: &AddressBook,
    events: &EventHub,
) -> StoreHandle {
    let host = host_name(name, "azconfig.io");
    let store = Arc::new(Store::new(&host, issuer.clone()));
    let (events, origin) = (events.clone(), host.clone());
    store.listen(Box::new(move |change| {
        events.publish(change.into_event(&origin));
    }));
    world.register(&host, HostKind::Store, store.clone());
    StoreHandle::new(store, world.clock.clone(), addresses.clone())
}

fn vault(world: &World, name: &str, issuer: &Arc<TokenIssuer>, events: &EventHub) -> VaultHandle {
    let host = host_name(name, "vault.azure.net");
    let (name, suffix) = host.split_once('.').unwrap_or((&host, ""));
    let vault = Arc::new(Vault::with_suffix(name, suffix, issuer.clone()));
    world.register(&host, HostKind::Vault, vault.clone());
    let (clock, events, vault_name) = (world.clock.clone(), events.clone(), name.to_owned());
    vault.watch(Arc::new(move |object| {
        let event = ObjectEvent::NewVersionCreated.of(&vault_name, object, clock.now());
        events.publish(event);
    }));
    let clock = world.clock.clone();
    VaultHandle::new(vault, Arc::new(move || clock.now()))
}

fn identity(world: &World, issuer: &Arc<TokenIssuer>) -> IdentityHandle {
    let identity = Arc::new(Identity::new(issuer.clone()));
    for host in [AUTHORITY, INSTANCE_METADATA] {
        world.register(host, HostKind::Identity, identity.clone());
    }
    IdentityHandle::new(identity)
}

/// The ports of the services, for their handles: known only once the sockets are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressBook(Arc<OnceLock<BTreeMap<String, u16>>>);

impl AddressBook {
    fn fill(&self, sockets: &Sockets) {
        let ports = sockets.addresses().into_iter();
        let ports = ports.map(|(host, address)| (host, address.port()));
        // Filled once, by the one start of this emulator.
        let _ = self.0.set(ports.collect());
    }

    /// `https://localhost:PORT` of a service.
    ///
    /// # Panics
    /// If the emulator has no sockets.
    pub(crate) fn local_url(&self, host: &str) -> String {
        let ports = self.0.get();
        let ports = ports.expect("this emulator was made without sockets: use start()");
        let port = ports.get(host).expect("every service has a port");
        format!("https://localhost:{port}")
    }
}

/// `name` under the cloud's `suffix`, unless it is a whole host name.
pub(crate) fn host_name(name: &str, suffix: &str) -> String {
    let host = if name.contains('.') {
        name.to_owned()
    } else {
        format!("{name}.{suffix}")
    };
    host.to_ascii_lowercase()
}
