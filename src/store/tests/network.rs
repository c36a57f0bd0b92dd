//! The whole client on loopback sockets, with a network in between that misbehaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::{Direction, Emulator, Proxy, Route, Toxic};
#[cfg(feature = "replica_discovery")]
use config_azure_emulator::{DnsAnswer, DnsServer};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;
#[cfg(target_os = "linux")]
use tokio::net::TcpStream;

use super::shown;
#[cfg(feature = "replica_discovery")]
use crate::error::Error;
use crate::error::ErrorKind;
use crate::store::{
    ConnectionString, Scope, Selection, Store, StoreCredential, StoreOptions, Walk,
};
use crate::time::SystemClock;
use crate::transport::{Guard, HostPolicy, HttpHook, Limits, in_turns, reqwest_transport};

/// The time of an answer where one is waited for in vain: long enough for a good one on a machine that is busy.
const HASTY: Duration = Duration::from_secs(2);

pub(super) const HOST: &str = "contoso.azconfig.io";

/// Names that lead where the test says, at the time of each connection, in turns as those of the system do.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    pub(super) fn lead_to(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(in_turns(&self.0.lock().unwrap()).into_iter());
        Box::pin(async { Ok(addresses) })
    }
}

/// Names that a server on loopback knows; the port is the proxy's.
#[cfg(feature = "replica_discovery")]
struct ByDns {
    resolver: hickory_resolver::TokioResolver,
    port: u16,
}

#[cfg(feature = "replica_discovery")]
impl ByDns {
    fn new(server: &DnsServer, port: u16) -> Arc<Self> {
        use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
        let mut connection = ConnectionConfig::udp();
        connection.port = server.address().port();
        let server = NameServerConfig::new(server.address().ip(), true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let runtime = hickory_resolver::net::runtime::TokioRuntimeProvider::default();
        let mut builder = hickory_resolver::TokioResolver::builder_with_config(config, runtime);
        builder.options_mut().cache_size = 0;
        // Whoever connects gives up sooner.
        builder.options_mut().timeout = Duration::from_secs(60);
        let resolver = builder.build().unwrap();
        Arc::new(Self { resolver, port })
    }
}

#[cfg(feature = "replica_discovery")]
impl Resolve for ByDns {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, port) = (self.resolver.clone(), self.port);
        Box::pin(async move {
            let found = resolver.ipv4_lookup(format!("{}.", name.as_str())).await?;
            let addresses = found
                .answers()
                .iter()
                .filter_map(|record| record.data.ip_addr());
            let addresses: Vec<_> = addresses.map(|ip| SocketAddr::new(ip, port)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The emulator behind a proxy, and a client that goes through it.
pub(super) struct Network {
    pub(super) emulator: Emulator,
    proxy: Proxy,
    pub(super) names: Names,
    pub(super) store: Store,
}

impl Network {
    pub(super) async fn new() -> Self {
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
        let store = client(&emulator, Arc::new(names.clone()), time);
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

    pub(super) async fn finds_nothing_new(&self, known: &Walk) {
        let found = self.store.check(known, Scope::Both).await.unwrap();
        assert!(found.is_none());
    }

    async fn loads(&self) -> Result<Vec<String>, ErrorKind> {
        let walk = self.store.load(&|_| {}).await;
        walk.map(|walk| shown(&walk)).map_err(|error| error.kind())
    }
}

pub(super) fn client(emulator: &Emulator, names: Arc<dyn Resolve>, time: Duration) -> Store {
    let pem = emulator.ca_pem();
    let hook: HttpHook = Arc::new(move |builder| {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        // Without the emulator's own hook, which would resolve the names past the proxy.
        builder
            .tls_certs_only([certificate])
            .dns_resolver(Arc::clone(&names))
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

pub(super) const ALL: [&str; 3] = ["a=1", "b=1", "c=1"];

/// As a store that refuses connections: with what there was, and well again as soon as the name is.
#[cfg(feature = "replica_discovery")]
#[tokio::test]
async fn f51_the_store_s_own_name_is_not_found_and_found_again() {
    let network = Network::new().await;
    let known = DnsAnswer::A(vec![std::net::Ipv4Addr::LOCALHOST]);
    // No such name, and a server that fails.
    for fault in [DnsAnswer::Code(3), DnsAnswer::Code(2)] {
        let server = DnsServer::start().await.unwrap();
        let names = ByDns::new(&server, network.proxy.address().port());
        let store = client(&network.emulator, names, Duration::from_secs(15));
        let before = network.requests();
        let is_out_of_reach = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
            assert!(error.is_transient() && error.endpoint().is_some());
        };
        server.set(HOST, fault.clone());
        is_out_of_reach(store.load(&|_| {}).await.unwrap_err());
        assert!(server.queries().len() <= 9, "{:?}", server.queries());
        server.set(HOST, known.clone());
        let walk = store.load(&|_| {}).await.unwrap();
        assert_eq!(shown(&walk), ALL);
        assert_eq!(network.requests() - before, 2);

        server.set(HOST, fault);
        network.proxy.close_all().await;
        is_out_of_reach(store.check(&walk, Scope::Both).await.unwrap_err());
        assert_eq!(network.requests() - before, 2);
        server.set(HOST, known.clone());
        assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
        assert_eq!(network.requests() - before, 4);
    }
    // A server that says nothing.
    let server = DnsServer::start().await.unwrap();
    let names = ByDns::new(&server, network.proxy.address().port());
    let store = client(&network.emulator, names, HASTY);
    server.set(HOST, DnsAnswer::Silence);
    let error = store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    server.set(HOST, known);
    assert_eq!(shown(&store.load(&|_| {}).await.unwrap()), ALL);
}

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
    let network = Network::with_limits(HASTY).await;
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
    let network = Network::with_limits(HASTY).await;
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
