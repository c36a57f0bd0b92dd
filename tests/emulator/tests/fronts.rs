//! Both fronts lead to the same world.

mod common;

use std::time::Duration;

use azure_core::http::{Method, Request};
use common::{get, signed, text};
use config_azure_emulator::{Emulator, Fault, HostKind, Route};

#[tokio::test]
async fn a_store_answers_under_its_real_name_on_its_own_port_and_in_memory() {
    let emulator = Emulator::builder()
        .store("contoso")
        .start()
        .await
        .expect("start");
    let store = emulator.store("contoso");
    store.set("title", None, "Shop");
    let client = emulator
        .client(reqwest::Client::builder())
        .build()
        .expect("client");
    for endpoint in [store.endpoint(), store.local_endpoint()] {
        let url = format!("{endpoint}/kv?api-version=2023-11-01");
        let request = signed(&store.connection_string(), "GET", &url);
        let answer = request.send_with(&client).await;
        assert_eq!(answer.status(), 200, "{url}");
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        assert!(answer.text().await.expect("a body").contains("Shop"));
    }
    let url = format!("{}/kv?api-version=2023-11-01", store.endpoint());
    let (status, _, body) = get(&emulator, &signed(&store.connection_string(), "GET", &url)).await;
    assert_eq!((status, body.contains("Shop")), (200, true));
    let entries = emulator.log().matching(Route::store_list().status(200));
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|e| e.host == "contoso.azconfig.io"));
    assert!(entries[1].authority.starts_with("localhost:"));
}

#[tokio::test]
async fn a_service_s_own_port_speaks_plain_http_and_http_1_too() {
    let emulator = Emulator::builder()
        .store("contoso")
        .http1_only()
        .start()
        .await
        .expect("start");
    let store = emulator.store("contoso");
    store.anonymous(true).set("title", None, "Shop");
    let client = emulator
        .client(reqwest::Client::builder())
        .build()
        .expect("client");
    let plain = store.local_endpoint().replace("https:", "http:");
    for endpoint in [plain, store.endpoint()] {
        let answer = client
            .get(format!("{endpoint}/kv/title"))
            .send()
            .await
            .expect("answer");
        assert_eq!(
            (answer.status().as_u16(), answer.version()),
            (200, reqwest::Version::HTTP_11)
        );
    }
    let schemes: Vec<_> = emulator
        .log()
        .entries()
        .into_iter()
        .map(|e| e.scheme)
        .collect();
    assert_eq!(schemes, ["http", "https"]);
}

#[tokio::test]
async fn a_client_without_the_hook_does_not_trust_the_emulator() {
    let emulator = Emulator::builder()
        .store("contoso")
        .start()
        .await
        .expect("start");
    let stranger = reqwest::Client::new();
    let url = format!("{}/kv", emulator.store("contoso").local_endpoint());
    let error = stranger.get(url).send().await.expect_err("no trust");
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(emulator.log().entries().len(), 0);
}

#[tokio::test]
async fn the_last_clone_that_goes_closes_the_ports() {
    let emulator = Emulator::builder()
        .store("contoso")
        .start()
        .await
        .expect("start");
    let clone = emulator.clone();
    let hook = emulator.client_hook();
    let client = hook(reqwest::Client::builder()).build().expect("client");
    let url = "https://contoso.azconfig.io/kv";
    drop(emulator);
    assert_eq!(client.get(url).send().await.expect("answer").status(), 401);
    drop(clone);
    assert!(client.get(url).send().await.is_err());
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again_at_the_same_address() {
    let emulator = Emulator::builder()
        .store("contoso")
        .start()
        .await
        .expect("start");
    let client = emulator
        .client(reqwest::Client::builder())
        .build()
        .expect("client");
    let (host, url) = ("contoso.azconfig.io", "https://contoso.azconfig.io/kv");
    assert_eq!(client.get(url).send().await.expect("answer").status(), 401);
    emulator.close_port(host).await.expect("close");
    assert!(
        client
            .get(url)
            .send()
            .await
            .expect_err("refused")
            .is_connect()
    );
    emulator.reopen_port(host).await.expect("reopen");
    assert_eq!(client.get(url).send().await.expect("answer").status(), 401);
    assert_eq!(emulator.log().connections(host), 2);
}

#[test]
fn an_emulator_without_a_runtime_serves_on_its_own_thread() {
    let emulator = Emulator::builder()
        .store("contoso")
        .start_blocking()
        .expect("start");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let status = runtime.expect("runtime").block_on(async {
        let client = emulator
            .client(reqwest::Client::builder())
            .build()
            .expect("client");
        let answer = client.get("https://contoso.azconfig.io/kv").send().await;
        answer.expect("answer").status()
    });
    assert_eq!(status, 401);
}

#[tokio::test(start_paused = true)]
async fn in_memory_latency_and_wall_clock_follow_the_paused_clock() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    store.anonymous(true).set("title", None, "Shop");
    emulator.latency(HostKind::Store, Duration::from_secs(3600));
    let before = emulator.clock().now();
    let started = tokio::time::Instant::now();
    let (status, headers, _) = text(&emulator, "GET", "https://contoso.azconfig.io/kv/title").await;
    assert_eq!(status, 200);
    assert_eq!(started.elapsed().as_secs(), 3600);
    assert_eq!((emulator.clock().now() - before).whole_seconds(), 3600);
    assert!(headers.contains_key("date"));
}

#[tokio::test(start_paused = true)]
async fn a_hung_request_is_in_flight_until_its_caller_gives_up() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    emulator.faults().script(Route::store(), Fault::Hang, None);
    let log = emulator.log();
    let transport = emulator.transport();
    let task = tokio::spawn(async move {
        let url = "https://contoso.azconfig.io/kv".parse().expect("url");
        transport
            .execute_request(&Request::new(url, Method::Get))
            .await
            .map(drop)
    });
    log.wait_for(Route::store_list(), 1).await;
    assert_eq!((log.in_flight(), log.high_water(None)), (1, 1));
    task.abort();
    log.wait_idle().await;
    assert_eq!(log.in_flight(), 0);
    assert_eq!(log.entries()[0].status, None);
}

#[tokio::test]
async fn an_unknown_host_has_no_address_in_memory() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let url = "https://evil.example/kv".parse().expect("url");
    let answer = emulator
        .transport()
        .execute_request(&Request::new(url, Method::Get))
        .await;
    let error = answer.expect_err("nobody there");
    assert!(matches!(
        error.kind(),
        azure_core::error::ErrorKind::Connection
    ));
}
