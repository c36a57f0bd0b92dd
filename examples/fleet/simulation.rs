//! A fleet in virtual time: real handles of the library, an emulated store and vault, a network with latency.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, KeyVaultOptions, RefreshOptions, Result,
    StartupOptions, WallClock,
};
use config_azure_emulator::vault::Throttle;
use config_azure_emulator::{ClockHandle, Emulator};
use tokio::time::{Instant, sleep};

/// The window of the vault's limit.
pub const WINDOW: Duration = Duration::from_secs(10);

/// How long a request is on its way, both ways together.
const LATENCY: std::ops::Range<f64> = 0.010..0.050;

/// What is simulated: all clients start in the same instant.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub clients: usize,
    /// References of each client, all of them to secrets of one vault.
    pub references: usize,
    /// Reads that the vault serves per [`WINDOW`].
    pub limit: u32,
    /// Whether a 429 says how long the window still lasts. Key Vault does not promise that it does.
    pub retry_after: bool,
    /// Whether clients that are ready follow store and vault, by the default intervals.
    pub refresh: bool,
    /// How long a client may take.
    pub deadline: Duration,
    /// Of the random numbers.
    pub seed: u64,
}

impl Fleet {
    /// The requests of a start without any waste: one page of the store and every reference, for each client.
    pub fn floor(&self) -> usize {
        self.clients * (1 + self.references)
    }

    /// The time in which the vault serves all references at best.
    pub fn shortest(&self) -> Duration {
        let reads = (self.clients * self.references) as f64;
        WINDOW.mul_f64(reads / f64::from(self.limit))
    }

    /// The limit that serves all references within 125 s, as 4,000 reads per 10 s do for 1,000 clients with 50 each.
    pub fn limit_in_proportion(clients: usize, references: usize) -> u32 {
        let reads = clients as u64 * references as u64;
        let limit = (reads * WINDOW.as_secs()).div_ceil(125);
        u32::try_from(limit).unwrap_or(u32::MAX).max(1)
    }
}

/// Requests, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Pages of the store.
    pub store: usize,
    /// Requests without a token, by which a client of the Azure SDK asks a vault for its authority.
    pub challenges: usize,
    /// Reads that the vault served.
    pub served: usize,
    /// Reads that it refused.
    pub throttled: usize,
}

impl Requests {
    pub fn total(&self) -> usize {
        self.store + self.challenges + self.served + self.throttled
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// When each client that made it was ready, in order.
    pub ready: Vec<Duration>,
    /// Why the others were not.
    pub failures: Vec<String>,
    /// Requests of clients that were still starting.
    pub starting: Requests,
    /// Requests of clients that were ready.
    pub running: Requests,
    /// Reads of all clients by window: served, and refused.
    pub windows: Vec<(usize, usize)>,
}

impl Report {
    /// When the last client was ready.
    pub fn last(&self) -> Duration {
        self.ready.last().copied().unwrap_or_default()
    }

    /// When half of them were.
    pub fn median(&self) -> Duration {
        let middle = self.ready.get(self.ready.len() / 2);
        middle.copied().unwrap_or_default()
    }
}

/// Starts the fleet and waits for every client. Wants a runtime whose clock is paused.
pub async fn run(fleet: &Fleet) -> Report {
    fastrand::seed(fleet.seed);
    let emulator = emulator(fleet);
    let ledger = Arc::new(Ledger::new());
    let clients: Vec<_> = (0..fleet.clients)
        .map(|_| tokio::spawn(start(client(fleet, &emulator, &ledger))))
        .collect();
    let (mut ready, mut failures, mut handles) = (Vec::new(), Vec::new(), Vec::new());
    for client in clients {
        match client.await {
            Ok(Ok((after, handle))) => {
                ready.push(after);
                handles.push(handle);
            }
            Ok(Err(error)) => failures.push(error.to_string()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    ready.sort();
    let books = std::mem::take(&mut *ledger.books());
    Report {
        ready,
        failures,
        starting: books.starting,
        running: books.running,
        windows: books.windows,
    }
}

fn emulator(fleet: &Fleet) -> Emulator {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .in_memory();
    let (store, vault) = (emulator.store("contoso"), emulator.vault("kv-orders"));
    for number in 0..fleet.references {
        let name = format!("secret-{number}");
        vault.set_secret(&name, format!("value-{number}"));
        store.set_reference(&format!("app:{name}"), None, &vault.secret_uri(&name));
    }
    let throttle = Throttle::new(fleet.limit, WINDOW);
    vault.throttle(if fleet.retry_after {
        throttle.retry_after_window()
    } else {
        throttle
    });
    emulator
}

/// One client's handle, and the network that it alone uses.
struct Client {
    builder: AppConfigurationBuilder,
    network: Arc<Network>,
}

fn client(fleet: &Fleet, emulator: &Emulator, ledger: &Arc<Ledger>) -> Client {
    let network = Arc::new(Network {
        services: emulator.transport(),
        ledger: ledger.clone(),
        is_ready: AtomicBool::new(false),
    });
    let refresh = RefreshOptions::new();
    let vault = KeyVaultOptions::new();
    let (refresh, vault) = if fleet.refresh {
        (refresh, vault)
    } else {
        (refresh.disabled(), vault.no_refresh())
    };
    let builder = AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .credential(emulator.credential())
        .transport(network.clone())
        .wall_clock(Arc::new(Clock(emulator.clock())))
        .startup(StartupOptions::new().deadline(fleet.deadline))
        .refresh(refresh)
        .key_vault(vault);
    Client { builder, network }
}

async fn start(client: Client) -> Result<(Duration, AppConfiguration)> {
    let started = Instant::now();
    let Client { builder, network } = client;
    let azure = builder.load().await?;
    network.is_ready.store(true, Ordering::Relaxed);
    Ok((started.elapsed(), azure))
}

/// The date of the services, which moves with Tokio's clock.
#[derive(Debug)]
struct Clock(ClockHandle);

impl WallClock for Clock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// The way of one client to the services.
#[derive(Debug)]
struct Network {
    services: Arc<dyn HttpClient>,
    ledger: Arc<Ledger>,
    is_ready: AtomicBool,
}

#[async_trait]
impl HttpClient for Network {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let latency = LATENCY.start + fastrand::f64() * (LATENCY.end - LATENCY.start);
        let one_way = Duration::from_secs_f64(latency / 2.0);
        sleep(one_way).await;
        let answer = self.services.execute_request(request).await?;
        let host = request.url().host_str().unwrap_or_default();
        let is_ready = self.is_ready.load(Ordering::Relaxed);
        self.ledger.enter(
            is_ready,
            host.contains(".vault."),
            u16::from(answer.status()),
        );
        sleep(one_way).await;
        Ok(answer)
    }
}

/// Every request of every client.
#[derive(Debug)]
struct Ledger {
    started: Instant,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    starting: Requests,
    running: Requests,
    windows: Vec<(usize, usize)>,
}

impl Ledger {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            books: Mutex::default(),
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, is_ready: bool, is_vault: bool, status: u16) {
        let mut books = self.books();
        let requests = if is_ready {
            &mut books.running
        } else {
            &mut books.starting
        };
        match (is_vault, status) {
            (false, _) => requests.store += 1,
            (true, 401) => requests.challenges += 1,
            (true, 429) => requests.throttled += 1,
            (true, _) => requests.served += 1,
        }
        if is_vault && status != 401 {
            let window = (self.started.elapsed().as_secs() / WINDOW.as_secs()) as usize;
            if books.windows.len() <= window {
                books.windows.resize(window + 1, (0, 0));
            }
            let (served, refused) = &mut books.windows[window];
            *(if status == 429 { refused } else { served }) += 1;
        }
    }
}
