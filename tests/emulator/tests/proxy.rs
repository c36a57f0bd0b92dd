//! The byte proxy: every toxic seen from an HTTP client.

use std::time::{Duration, Instant};

use config_azure_emulator::{Direction, Emulator, Fault, Proxy, Route, Toxic};

const HOST: &str = "contoso.azconfig.io";
const URL: &str = "https://contoso.azconfig.io/kv";

async fn world() -> (Emulator, Proxy, reqwest::Client) {
    let emulator = Emulator::builder()
        .store("contoso")
        .start()
        .await
        .expect("start");
    let store = emulator.store("contoso");
    store.anonymous(true);
    for n in 0..50 {
        store.set(&format!("key{n}"), None, "x".repeat(100));
    }
    let proxy = emulator.proxy(HOST).await.expect("a proxy");
    let client = emulator.client(reqwest::Client::builder());
    let client = client.timeout(Duration::from_secs(60)).build();
    (emulator, proxy, client.expect("client"))
}

/// The body of the list; none if anything went wrong.
async fn list(client: &reqwest::Client) -> Option<String> {
    client.get(URL).send().await.ok()?.text().await.ok()
}

#[tokio::test]
async fn without_toxics_everything_passes_under_the_real_name() {
    let (emulator, proxy, client) = world().await;
    let body = list(&client).await.expect("a body");
    assert!(body.contains("key49"));
    assert_eq!(proxy.connections(), 1);
    assert_eq!(emulator.log().count(Route::store_list().status(200)), 1);
}

#[tokio::test]
async fn slow_networks_are_slow_and_lose_nothing() {
    for (toxic, at_least) in [
        (
            Toxic::Latency {
                latency: Duration::from_millis(20),
                jitter: Duration::from_millis(5),
            },
            15,
        ),
        (Toxic::Bandwidth { rate: 100_000 }, 50),
        (
            Toxic::Slicer {
                size: 512,
                delay: Duration::from_millis(1),
            },
            10,
        ),
    ] {
        let (_emulator, proxy, client) = world().await;
        let whole = list(&client).await.expect("a body");
        proxy.add(Direction::Downstream, toxic);
        let started = Instant::now();
        assert_eq!(list(&client).await.as_ref(), Some(&whole), "{toxic:?}");
        // A lower bound only: the toxic itself waits that long.
        assert!(
            started.elapsed() >= Duration::from_millis(at_least),
            "{toxic:?}"
        );
        proxy.clear();
        assert_eq!(list(&client).await, Some(whole));
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_the_same_answer() {
    let (emulator, proxy, client) = world().await;
    emulator.store("contoso").clear();
    let whole = list(&client).await.expect("a body");
    for direction in [Direction::Upstream, Direction::Downstream] {
        proxy.add(
            direction,
            Toxic::Slicer {
                size: 1,
                delay: Duration::ZERO,
            },
        );
    }
    assert_eq!(list(&client).await, Some(whole));
}

#[tokio::test]
async fn broken_networks_break_requests() {
    for toxic in [
        Toxic::LimitData { bytes: 1000 },
        Toxic::LimitData { bytes: 0 },
        Toxic::ResetPeer {
            after: Duration::ZERO,
        },
        Toxic::Timeout {
            after: Some(Duration::from_millis(5)),
        },
    ] {
        let (_emulator, proxy, client) = world().await;
        proxy.add(Direction::Downstream, toxic);
        assert_eq!(list(&client).await, None, "{toxic:?}");
        proxy.clear();
        assert!(
            list(&client).await.is_some(),
            "the next connection is a good one"
        );
    }
}

#[tokio::test]
async fn a_stalled_handshake_lasts_until_the_client_gives_up() {
    let (emulator, proxy, _) = world().await;
    proxy.add(Direction::Downstream, Toxic::Timeout { after: None });
    let client = emulator.client(reqwest::Client::builder());
    let client = client
        .connect_timeout(Duration::from_millis(50))
        .build()
        .expect("client");
    let error = client.get(URL).send().await.expect_err("no handshake");
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(emulator.log().count(Route::any()), 0);
}

#[tokio::test]
async fn all_connections_can_be_reset_at_once_between_requests() {
    let (_emulator, proxy, client) = world().await;
    assert!(list(&client).await.is_some());
    proxy.reset_all();
    // The pooled connection is dead; whether the client notices before or while using it is its own affair.
    let second = list(&client).await;
    let third = list(&client).await;
    assert!(second.is_some() || third.is_some());
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_slow_close_keeps_the_client_s_side_open() {
    use tokio::io::AsyncReadExt as _;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind");
    let proxy = Proxy::to(server.local_addr().expect("address"))
        .await
        .expect("a proxy");
    let delay = Duration::from_millis(30);
    proxy.add(Direction::Downstream, Toxic::SlowClose { delay });
    let mut client = tokio::net::TcpStream::connect(proxy.address())
        .await
        .expect("connect");
    drop(server.accept().await.expect("accept"));
    let started = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("the end");
    assert!(started.elapsed() >= delay);
}

#[tokio::test]
async fn a_server_can_close_what_is_idle_and_the_client_learn_of_it_later() {
    let (emulator, proxy, client) = world().await;
    assert!(list(&client).await.is_some());
    proxy.close_all().await;
    assert_eq!(proxy.connections(), 1);
    let delay = Duration::from_secs(3600);
    proxy.add(Direction::Downstream, Toxic::SlowClose { delay });
    // The first close is seen before or while the next request is sent.
    let second = list(&client).await;
    assert!(second.is_some() || list(&client).await.is_some());
    let before = emulator.log().count(Route::any());
    proxy.close_all().await;
    // The client cannot know, and what it sends goes nowhere.
    let hasty = client.get(URL).timeout(Duration::from_millis(300));
    assert!(hasty.send().await.is_err());
    assert_eq!(emulator.log().count(Route::any()), before);
}

#[tokio::test]
async fn a_proxy_that_is_down_ends_connections_and_refuses_new_ones_until_it_is_up() {
    let (emulator, mut proxy, client) = world().await;
    assert!(list(&client).await.is_some());
    emulator.faults().script(Route::any(), Fault::Hang, Some(1));
    let open = tokio::spawn(client.get(URL).send());
    emulator.log().wait_for(Route::store_list(), 2).await;
    proxy.down().await;
    assert!(open.await.expect("no panic").is_err());
    let refused = client.get(URL).send().await.expect_err("it is down");
    assert!(refused.is_connect(), "{refused:?}");
    assert_eq!(proxy.connections(), 1);
    proxy.down().await;
    for _ in 0..2 {
        proxy.up().await.expect("the same port");
        assert!(list(&client).await.is_some());
    }
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_dropped_proxy_closes_its_port() {
    let (_emulator, proxy, client) = world().await;
    drop(proxy);
    assert_eq!(list(&client).await, None);
}
