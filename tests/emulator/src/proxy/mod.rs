//! A byte proxy on loopback that makes the network bad, in Toxiproxy's vocabulary.

mod pump;
mod toxic;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::error::EmulatorError;
use pump::{Ending, pump};
use toxic::Mixture;
pub use toxic::{Direction, Toxic};

/// A proxy in front of one address. Dropping it closes its port and all its connections.
///
/// Toxics work on what passes from the moment they are added, on open connections too.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// None while the proxy is down.
    task: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    toxics: Mutex<Vec<(Direction, Toxic)>>,
    connections: Mutex<usize>,
    /// How all open connections end. Those that come later have a channel of their own.
    ending: Mutex<watch::Sender<Option<Ending>>>,
}

impl Shared {
    fn toxics(&self) -> MutexGuard<'_, Vec<(Direction, Toxic)>> {
        self.toxics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channel of the connections that are now ending: it is closed when all of them know.
    fn end_all(&self, how: Ending) -> watch::Sender<Option<Ending>> {
        let mut current = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let open = std::mem::replace(&mut *current, watch::Sender::new(None));
        open.send_replace(Some(how));
        open
    }

    fn subscribe(&self) -> watch::Receiver<Option<Ending>> {
        let current = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        current.subscribe()
    }

    fn toxics_on(&self, direction: Direction) -> Vec<Toxic> {
        let toxics = self.toxics();
        let these = toxics.iter().filter(|(on, _)| *on == direction);
        these.map(|(_, toxic)| *toxic).collect()
    }
}

impl Proxy {
    /// A proxy to `upstream` on a port of its own, without toxics.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn to(upstream: SocketAddr) -> Result<Self, EmulatorError> {
        let unbound = |e| EmulatorError::because("no port for the proxy could be opened", e);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let shared = Arc::new(Shared {
            upstream,
            toxics: Mutex::default(),
            connections: Mutex::default(),
            ending: Mutex::new(watch::Sender::new(None)),
        });
        let task = Some(tokio::spawn(accept(listener, shared.clone())));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Takes the proxy down: its connections end, new ones are refused. Toxics stay.
    pub async fn down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Only once the task has ended the port is closed.
            let _ = task.await;
        }
    }

    /// Brings the proxy back on the same port.
    ///
    /// # Errors
    /// Somebody else has taken the port.
    pub async fn up(&mut self) -> Result<(), EmulatorError> {
        if self.task.is_none() {
            let taken = |e| EmulatorError::because("the proxy's port could not be opened", e);
            let listener = TcpListener::bind(self.address).await.map_err(taken)?;
            self.task = Some(tokio::spawn(accept(listener, self.shared.clone())));
        }
        Ok(())
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// One more toxic on what goes in this direction.
    pub fn add(&self, direction: Direction, toxic: Toxic) {
        self.shared.toxics().push((direction, toxic));
    }

    /// Takes all toxics away. A connection that a toxic has stopped stays stopped.
    pub fn clear(&self) {
        self.shared.toxics().clear();
    }

    /// Ends all open connections with a reset, as when a load balancer restarts. New ones are accepted.
    pub fn reset_all(&self) {
        self.shared.end_all(Ending::Reset);
    }

    /// Ends the server's side of all open connections, as when it closes those that are idle, and waits until it is done.
    /// The client's side ends with it, or so much later as [`Toxic::SlowClose`] says: what is sent until then is lost. New
    /// connections are accepted.
    pub async fn close_all(&self) {
        let ended = self.shared.end_all(Ending::Close);
        ended.closed().await;
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        let connections = self.shared.connections.lock();
        *connections.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                *shared.connections.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                connections.spawn(relay(client, shared.subscribe(), shared.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Relays one connection until both sides are done or a toxic ends it.
async fn relay(client: TcpStream, mut told: watch::Receiver<Option<Ending>>, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else {
        return;
    };
    // Without it the kernel would put small pieces together again.
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let up = pump(from_client, &mut to_server, &shared, Direction::Upstream);
    let down = pump(from_server, &mut to_client, &shared, Direction::Downstream);
    let ending = tokio::select! {
        both = async { tokio::try_join!(up, down) } => both.err(),
        _ = told.changed() => {
            let ending = *told.borrow();
            drop(to_server);
            drop(told);
            if let Some(Ending::Close) = ending {
                let toxics = shared.toxics_on(Direction::Downstream);
                sleep(Mixture::of(&toxics).slow_close).await;
            }
            ending
        }
    };
    if let Some(Ending::Reset) = ending {
        // RST instead of FIN; that a socket which is gone already cannot be reset is fine.
        let _ = to_client.as_ref().set_zero_linger();
        to_client.forget();
    }
}
