//! Furnishing an emulator.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use time::OffsetDateTime;

use crate::clock::ClockHandle;
use crate::credential::EmulatorCredential;
use crate::emulator::{Emulator, Inner};
use crate::error::EmulatorError;
use crate::front::Sockets;
use crate::route::HostKind;
use crate::service::Service;
use crate::store::{Store, StoreHandle};
use crate::token::TokenIssuer;
use crate::world::World;

const TENANT: &str = "7f0a9c52-3e5d-4d3a-9f57-0d6b1c1f2a10";

/// Says what an [`Emulator`] holds. Made by [`Emulator::builder`].
#[derive(Default)]
pub struct EmulatorBuilder {
    stores: Vec<String>,
    services: Vec<(String, HostKind, Arc<dyn Service>)>,
    http1_only: bool,
    start: Option<OffsetDateTime>,
}

impl EmulatorBuilder {
    /// One more store, `https://NAME.azconfig.io`. A name with dots is taken as the whole host name.
    #[must_use]
    pub fn store(mut self, name: impl Into<String>) -> Self {
        self.stores.push(name.into());
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

    /// The loopback front speaks HTTP/1.1 alone, instead of HTTP/2 and HTTP/1.1.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.http1_only = true;
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
    pub async fn start(self) -> Result<Emulator, EmulatorError> {
        let http1_only = self.http1_only;
        let (mut inner, address_book) = self.furnish();
        let sockets = Arc::new(Sockets::open(inner.world.clone(), http1_only).await?);
        address_book.fill(&sockets);
        inner.sockets = Some(sockets);
        Ok(Emulator::new(inner))
    }

    /// Starts the loopback front on a runtime and thread of its own, which end with the emulator.
    ///
    /// For callers without a runtime, and for benchmarks whose client shall not share one with the server.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_blocking(self) -> Result<Emulator, EmulatorError> {
        let http1_only = self.http1_only;
        let (mut inner, address_book) = self.furnish();
        let world = inner.world.clone();
        let opened = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("config-azure-emulator")
                .enable_all()
                .build()
                .map_err(|e| EmulatorError::because("no runtime could be started", e))?;
            let sockets = runtime.block_on(Sockets::open(world, http1_only))?;
            Ok::<_, EmulatorError>((runtime, sockets))
        });
        let opened = opened.join();
        let (runtime, sockets) =
            opened.map_err(|_| EmulatorError::new("the emulator's thread panicked"))??;
        let sockets = Arc::new(sockets);
        address_book.fill(&sockets);
        inner.sockets = Some(sockets);
        inner.runtime = Some(runtime);
        Ok(Emulator::new(inner))
    }

    /// No sockets: the in-memory front alone. Works under a paused Tokio clock.
    pub fn in_memory(self) -> Emulator {
        Emulator::new(self.furnish().0)
    }

    fn furnish(self) -> (Inner, AddressBook) {
        let start = self.start.unwrap_or_else(OffsetDateTime::now_utc);
        let world = Arc::new(World::new(ClockHandle::starting_at(start)));
        let issuer = Arc::new(TokenIssuer::new(TENANT));
        let book = AddressBook::default();
        let stores = self.stores.into_iter().map(|name| {
            let host = host_name(&name, "azconfig.io");
            let store = Arc::new(Store::new(&host, issuer.clone()));
            world.register(&host, HostKind::Store, store.clone());
            let handle = StoreHandle::new(store, world.clock.clone(), book.clone());
            (name, handle)
        });
        let stores: BTreeMap<_, _> = stores.collect();
        for (host, kind, service) in self.services {
            world.register(&host, kind, service);
        }
        let credential = EmulatorCredential::new(issuer.clone(), world.clock.clone());
        let inner = Inner {
            credential: Arc::new(credential),
            stores,
            sockets: None,
            runtime: None,
            issuer,
            world,
        };
        (inner, book)
    }
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
