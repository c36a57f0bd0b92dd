//! The whole client on loopback sockets, with a network in between that misbehaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::{Direction, Emulator, Proxy, Route, Toxic};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;
#[cfg(target_os = "linux")]
use tokio::net::TcpStream;

use super::shown;
use crate::error::ErrorKind;
use crate::store::{
    ConnectionString, Scope, Selection, Store, StoreCredential, StoreOptions, Walk,
};
use crate::time::SystemClock;
use crate::transport::{Guard, HostPolicy, HttpHook, Limits, in_turns, reqwest_transport};

const HOST: &str = "contoso.azconfig.io";

/// Names that lead where the test says, at the time of each connection, in turns as those of the system do.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    fn lead_to(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(in_turns(&self.0.lock().unwrap()).into_iter());
        Box::pin(async { Ok(addresses) })
    }
}

/// The emulator behind a proxy, and a client that goes through it.
struct Network {
    emulator: Emulator,
    proxy: Proxy,
    names: Names,
    store: Store,
}

impl Network {
    async fn new() -> Self {
        Self::with_limits(Duration::from_secs(15)).await
    }

    /// One answer may take so long.
    async fn with_limits(time: Duration) -> Self {
        let emulator = Emulator::builder().store("contoso").start().await.unwrap();
        let remote = emulator.store("contoso");
        remote.page_size(2);
        for key in ["a", "b", "c"] {
            remote.set(key, None, "1");
        }
        let proxy = Proxy::to(emulator.address(HOST).unwrap()).await.unwrap();
        let names = Names::default();
        names.lead_to(&[proxy.address()]);
        let store = client(&emulator, &names, time);
        Self {
            emulator,
            proxy,
            names,
            store,
        }
    }

    fn down(&self, toxic: Toxic) {
        self.proxy.add(Direction::Downstream, toxic);
    }

    fn requests(&self) -> usize {
        self.emulator.log().count(Route::any())
    }

    async fn finds_nothing_new(&self, known: &Walk) {
        let found = self.store.check(known, Scope::Both).await.unwrap();
        assert!(found.is_none());
    }

    async fn loads(&self) -> Result<Vec<String>, ErrorKind> {
        let walk = self.store.load(&|_| {}).await;
        walk.map(|walk| shown(&walk)).map_err(|error| error.kind())
    }
}

fn client(emulator: &Emulator, names: &Names, time: Duration) -> Store {
    let pem = emulator.ca_pem();
    let names = names.clone();
    let hook: HttpHook = Arc::new(move |builder| {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        // Without the emulator's own hook, which would resolve the names past the proxy.
        builder
            .tls_certs_only([certificate])
            .dns_resolver(Arc::new(names.clone()))
    });
    let text = emulator.store("contoso").connection_string();
    let parsed = ConnectionString::parse(&text).unwrap();
    let options = StoreOptions::new(
        vec![parsed.endpoint],
        StoreCredential::AccessKey(parsed.key),
        Selection::new(&[], &[]).unwrap(),
    );
    let mut limits = Limits::default();
    limits.store.time = time;
    let transport = reqwest_transport(Some(&hook)).unwrap();
    Store::new(
        options,
        Guard::new(transport, HostPolicy::new(), limits),
        Arc::new(SystemClock),
    )
    .unwrap()
}

const ALL: [&str; 3] = ["a=1", "b=1", "c=1"];

#[tokio::test]
async fn f54_an_address_that_changes_is_followed() {
    let network = Network::new().await;
    let walk = network.store.load(&|_| {}).await.unwrap();
    let other = Proxy::to(network.emulator.address(HOST).unwrap())
        .await
        .unwrap();
    network.names.lead_to(&[other.address()]);
    network.proxy.reset_all();
    network.finds_nothing_new(&walk).await;
    assert_eq!(other.connections(), 1);
}

/// An address that answers no SYN, as a firewall that drops packets: on Linux, a listener whose queue is full. What fills
/// the queue comes with it.
#[cfg(target_os = "linux")]
async fn black_hole() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let patience = Duration::from_millis(300);
    let connect = || tokio::time::timeout(patience, TcpStream::connect(address));
    while let Ok(connected) = connect().await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 16, "the queue has no end");
    }
    (address, (listener, queued))
}

/// With half of the 8 s for connecting, as the connector would have it, the answer would come too late.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn f55_the_second_address_serves_if_the_first_swallows_packets() {
    let network = Network::with_limits(Duration::from_secs(3)).await;
    let (hole, _full) = black_hole().await;
    network.names.lead_to(&[hole, network.proxy.address()]);
    assert_eq!(network.loads().await.unwrap(), ALL);
    assert_eq!(network.requests(), 2);
    assert_eq!(network.proxy.connections(), 1, "at the first attempt");
}

#[tokio::test]
async fn f55_the_second_address_serves_if_the_first_is_dead() {
    let network = Network::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = closed.local_addr().unwrap();
    drop(closed);
    network.names.lead_to(&[dead, network.proxy.address()]);
    assert_eq!(network.loads().await.unwrap(), ALL);
    assert_eq!(network.requests(), 2, "at the first attempt");
}

/// On sockets as much as a test can wait for; three seconds, give or take two, are in `failing.rs`.
#[tokio::test]
async fn f58_latency_costs_time_and_no_second_request() {
    let network = Network::new().await;
    network.down(Toxic::Latency {
        latency: Duration::from_millis(120),
        jitter: Duration::from_millis(80),
    });
    assert_eq!(network.loads().await.unwrap(), ALL);
    assert_eq!(network.requests(), 2);
}

#[tokio::test]
async fn f59_a_trickle_runs_into_the_deadline() {
    let network = Network::with_limits(Duration::from_millis(300)).await;
    assert_eq!(network.loads().await.unwrap(), ALL);
    network.down(Toxic::Bandwidth { rate: 100 });
    assert_eq!(network.loads().await.unwrap_err(), ErrorKind::Timeout);
    network.proxy.clear();
    network.proxy.reset_all();
    assert_eq!(network.loads().await.unwrap(), ALL);
}

#[tokio::test]
async fn f60_connections_that_are_reset() {
    let network = Network::new().await;
    let walk = network.store.load(&|_| {}).await.unwrap();
    // Between two requests.
    for _ in 0..5 {
        network.proxy.reset_all();
        network.finds_nothing_new(&walk).await;
    }
    // In the headers and in the body of every answer: an error, and nothing is applied.
    network.proxy.reset_all();
    network.down(Toxic::ResetPeer {
        after: Duration::ZERO,
    });
    let error = network.store.check(&walk, Scope::Both).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    network.proxy.clear();
    network.finds_nothing_new(&walk).await;
}

#[tokio::test]
async fn f61_an_answer_cut_at_a_byte() {
    let network = Network::new().await;
    assert_eq!(network.loads().await.unwrap(), ALL);
    // In the handshake, in the headers, in the first page, in the second: all or nothing.
    for (bytes, can_fit) in [
        (1, false),
        (700, false),
        (1400, true),
        (1700, true),
        (2000, true),
    ] {
        network.proxy.reset_all();
        network.down(Toxic::LimitData { bytes });
        match network.loads().await {
            Ok(settings) => assert!(can_fit && settings == ALL, "{bytes}: {settings:?}"),
            Err(kind) => assert_eq!(kind, ErrorKind::Unreachable, "{bytes}"),
        }
        network.proxy.clear();
    }
    network.proxy.reset_all();
    assert_eq!(network.loads().await.unwrap(), ALL);
}

#[tokio::test]
async fn f62_small_packets() {
    let network = Network::new().await;
    network.down(Toxic::Slicer {
        size: 1,
        delay: Duration::ZERO,
    });
    assert_eq!(network.loads().await.unwrap(), ALL);
    assert_eq!(network.requests(), 2);
}

#[tokio::test]
async fn f63_half_open_connections() {
    let network = Network::with_limits(Duration::from_millis(300)).await;
    assert_eq!(network.loads().await.unwrap(), ALL);
    network.down(Toxic::Timeout { after: None });
    assert_eq!(network.loads().await.unwrap_err(), ErrorKind::Timeout);
    // The stuck connection is not used again once the network is well.
    network.proxy.clear();
    network.proxy.reset_all();
    assert_eq!(network.loads().await.unwrap(), ALL);
}

#[tokio::test]
async fn f64_connections_closed_while_idle() {
    let network = Network::new().await;
    let walk = network.store.load(&|_| {}).await.unwrap();
    let pages = network.requests();
    // The end of the connection is known here at once, and then so late that the next request is sent into it.
    for (round, delay) in [0, 300, 300].into_iter().enumerate() {
        network.proxy.clear();
        let delay = Duration::from_millis(delay);
        network.down(Toxic::SlowClose { delay });
        network.proxy.close_all().await;
        network.finds_nothing_new(&walk).await;
        assert_eq!(
            network.requests(),
            pages * (round + 2),
            "none came twice to the store"
        );
        assert_eq!(network.proxy.connections(), round + 2);
    }
}

#[tokio::test]
async fn the_whole_client_over_tls_by_access_key_and_by_token() {
    let network = Network::new().await;
    assert_eq!(network.loads().await.unwrap(), ALL);
    assert_eq!(network.proxy.connections(), 1, "one connection serves all");
    let schemes: Vec<_> = network
        .emulator
        .log()
        .entries()
        .into_iter()
        .filter_map(|entry| entry.authorization_scheme)
        .collect();
    assert_eq!(schemes, ["HMAC-SHA256", "HMAC-SHA256"]);
}

#[cfg(unix)]
#[test]
fn f65_out_of_descriptors_and_back() {
    // In a process of its own, whose limit is low.
    let child = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 200 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::network::out_of_descriptors",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

#[tokio::test]
#[ignore = "run by f65 in a process with few descriptors"]
async fn out_of_descriptors() {
    let network = Network::new().await;
    let walk = network.store.load(&|_| {}).await.unwrap();
    // A client that has no connection yet, so that it needs a descriptor.
    let refused = client(&network.emulator, &network.names, Duration::from_secs(2));
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < 1000, "the limit is not low");
    }
    let error = refused.load(&|_| {}).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    drop(taken);
    network.finds_nothing_new(&walk).await;
    assert_eq!(shown(&refused.load(&|_| {}).await.unwrap()), ALL);
}
