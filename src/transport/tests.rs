//! The transport on real sockets, and the guard in front of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{AUTHORIZATION, HeaderName};
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, Url};
use config_azure_emulator::{Direction, Emulator, Fault, Proxy, Route, Toxic};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::client::{Pace, Transport};
use super::{
    Guard, HostKind, HostLimits, HostPolicy, HttpHook, Limits, Origin, Refusal, reqwest_transport,
};

mod tls;

const HOST: &str = "contoso.azconfig.io";

/// Small and quick enough for a test.
fn limits(milliseconds: u64) -> Limits {
    let one = HostLimits {
        bytes: 1 << 20,
        time: Duration::from_millis(milliseconds),
    };
    Limits {
        store: one,
        vault: one,
        identity: one,
    }
}

async fn emulator() -> Emulator {
    let emulator = Emulator::builder()
        .store("contoso")
        .store("sink")
        .start()
        .await
        .unwrap();
    for name in ["contoso", "sink"] {
        emulator.store(name).anonymous(true);
    }
    emulator
}

/// A guard over our own client, whose hook is applied after the emulator's.
fn guard(
    emulator: &Emulator,
    limits: Limits,
    more: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
) -> Arc<Guard> {
    let base = emulator.client_hook();
    let hook: HttpHook = Arc::new(move |builder| more(base(builder)));
    let policy = HostPolicy::new();
    policy.allow(Origin::https(HOST), HostKind::Store);
    Guard::new(reqwest_transport(Some(&hook)).unwrap(), policy, limits)
}

fn get(url: &str) -> Request {
    Request::new(Url::parse(url).unwrap(), Method::Get)
}

async fn ask(guard: &Guard) -> azure_core::Result<AsyncRawResponse> {
    let url = format!("https://{HOST}/kv?api-version=2023-11-01&key=%2A&label=%00");
    guard.execute_request(&get(&url)).await
}

fn refusal(outcome: azure_core::Result<AsyncRawResponse>) -> Option<Refusal> {
    Refusal::in_error(&outcome.unwrap_err())
}

#[tokio::test]
async fn only_allowed_hosts_are_asked() {
    let emulator = emulator().await;
    let guard = guard(&emulator, limits(5000), |builder| builder);
    assert_eq!(u16::from(ask(&guard).await.unwrap().status()), 200);
    let foreign = get("https://sink.azconfig.io/kv");
    assert_eq!(
        refusal(guard.execute_request(&foreign).await),
        Some(Refusal::ForeignHost)
    );
    let plain = get(&format!("http://{HOST}/kv"));
    assert_eq!(
        refusal(guard.execute_request(&plain).await),
        Some(Refusal::Insecure)
    );
    assert_eq!(emulator.log().count(Route::any()), 1);
    guard
        .policy()
        .allow(Origin::https("sink.azconfig.io"), HostKind::Store);
    guard.execute_request(&foreign).await.unwrap();
}

#[tokio::test]
async fn t05_no_redirect_is_followed_whatever_the_hook_says() {
    let emulator = emulator().await;
    let guard = guard(&emulator, limits(5000), |builder| {
        builder.redirect(reqwest::redirect::Policy::limited(5))
    });
    guard
        .policy()
        .allow(Origin::https("sink.azconfig.io"), HostKind::Store);
    for status in [301, 302, 303, 307, 308] {
        for location in [
            "https://sink.azconfig.io/kv",
            "http://sink.azconfig.io/kv",
            "/kv",
            "//sink.azconfig.io:1/kv",
        ] {
            let answer = Fault::status(status).header("location", location);
            emulator.faults().script(Route::store(), answer, Some(1));
            assert_eq!(refusal(ask(&guard).await), Some(Refusal::Redirect(status)));
        }
    }
    assert_eq!(emulator.log().count(Route::any()), 20);
    assert_eq!(
        emulator.log().count(Route::any().host("sink.azconfig.io")),
        0
    );
}

#[tokio::test]
async fn t10_bodies_are_counted_after_decompression() {
    let emulator = emulator().await;
    let guard = guard(&emulator, limits(20_000), |builder| builder);
    emulator
        .faults()
        .script(Route::store(), Fault::gzip_bomb(64), Some(1));
    assert_eq!(refusal(ask(&guard).await), Some(Refusal::TooLarge(1 << 20)));
    let fits = Fault::status(200).body("application/json", vec![b' '; 1 << 20]);
    emulator.faults().script(Route::store(), fits, Some(1));
    assert!(ask(&guard).await.is_ok());
}

#[tokio::test]
async fn f68_endless_bodies_and_encodings_inside_one_another() {
    let emulator = emulator().await;
    let guard = guard(&emulator, limits(20_000), |builder| builder);
    let long = Fault::status(200).body("application/json", vec![b' '; (1 << 20) + 1]);
    emulator.faults().script(Route::store(), long, Some(1));
    assert_eq!(refusal(ask(&guard).await), Some(Refusal::TooLarge(1 << 20)));
    // Unpacked at most once: what comes out is not JSON.
    let nested = Fault::gzip_bomb(1).header("content-encoding", "gzip");
    emulator.faults().script(Route::store(), nested, Some(1));
    let body = ask(&guard)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
}

/// A listener that counts connections and never says a word.
async fn silent() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    crate::task::spawn_on(&tokio::runtime::Handle::current(), async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut byte = [0; 1];
            let _ = stream.read(&mut byte).await;
            open.push(stream);
        }
    });
    (address, connections)
}

/// A guard whose hook sends everything through a proxy, and how many connections the proxy saw.
async fn through_a_proxy(emulator: &Emulator) -> (Arc<Guard>, Arc<AtomicUsize>) {
    let (proxy, connections) = silent().await;
    let through = move |builder: reqwest::ClientBuilder| {
        builder.proxy(reqwest::Proxy::all(format!("http://{proxy}")).unwrap())
    };
    (guard(emulator, limits(2000), through), connections)
}

#[tokio::test]
async fn t17_local_hosts_are_asked_past_any_proxy() {
    let emulator = emulator().await;
    let (guard, connections) = through_a_proxy(&emulator).await;
    let local = emulator.store("contoso").local_endpoint();
    let origin = Origin::of(&Url::parse(&local).unwrap()).unwrap();
    guard.policy().allow(origin, HostKind::Store);
    let answer = guard
        .execute_request(&get(&format!("{local}/kv?api-version=2023-11-01")))
        .await;
    assert_eq!(u16::from(answer.unwrap().status()), 200);
    assert_eq!(connections.load(Ordering::Relaxed), 0);
}

/// From a loopback address there is no way to a link-local one, so nothing leaves this machine.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn t17_link_local_hosts_are_asked_past_any_proxy() {
    let (proxy, connections) = silent().await;
    let hook: HttpHook = Arc::new(move |builder| {
        builder
            .proxy(reqwest::Proxy::all(format!("http://{proxy}")).unwrap())
            .local_address(IpAddr::from([127, 0, 0, 1]))
    });
    let policy = HostPolicy::new();
    let metadata = Url::parse("http://169.254.169.254/metadata").unwrap();
    policy.allow(Origin::of(&metadata).unwrap(), HostKind::Identity);
    let guard = Guard::new(
        reqwest_transport(Some(&hook)).unwrap(),
        policy,
        limits(2000),
    );
    let error = guard.execute_request(&get(metadata.as_str())).await;
    assert_eq!(*error.unwrap_err().kind(), ErrorKind::Connection);
    assert_eq!(connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn f67_everything_else_goes_through_the_proxy_that_was_chosen() {
    let emulator = emulator().await;
    let (guard, connections) = through_a_proxy(&emulator).await;
    ask(&guard).await.unwrap_err();
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    assert_eq!(emulator.log().count(Route::any()), 0);
}

#[tokio::test]
async fn f57_a_peer_that_says_nothing_runs_into_the_deadline_of_connecting() {
    let (address, connections) = silent().await;
    let hook: HttpHook = Arc::new(move |builder| builder.resolve(HOST, address));
    let policy = HostPolicy::new();
    policy.allow(Origin::https(HOST), HostKind::Store);
    let pace = Pace {
        connect: Duration::from_millis(200),
        ..Pace::DEFAULT
    };
    let transport = Transport::new(Some(&hook), pace).unwrap();
    // Neither the guard's deadline nor that of silence: those are no errors of connecting.
    let guard = Guard::new(Arc::new(transport), policy, limits(60_000));
    let error = ask(&guard).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connection, "{error:?}");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn f57_an_answer_that_never_comes_runs_into_the_deadline_of_an_answer() {
    let emulator = emulator().await;
    emulator.faults().script(Route::store(), Fault::Hang, None);
    let quick = guard(&emulator, limits(300), |builder| builder);
    assert_eq!(refusal(ask(&quick).await), Some(Refusal::Deadline));
}

#[tokio::test]
async fn f60_a_broken_answer_is_an_error_and_asked_for_once() {
    let emulator = emulator().await;
    emulator.store("contoso").set("a", None, "1");
    let guard = guard(&emulator, limits(5000), |builder| builder);
    for fault in [Fault::Drop, Fault::Cut(0), Fault::Cut(1), Fault::Cut(50)] {
        emulator.log().clear();
        emulator.faults().script(Route::store(), fault, Some(1));
        assert_eq!(
            refusal(ask(&guard).await),
            None,
            "the transport's own error"
        );
        assert_eq!(
            emulator.log().count(Route::any()),
            1,
            "the client does not retry"
        );
        assert!(ask(&guard).await.is_ok());
    }
}

#[tokio::test]
async fn headers_that_came_twice_are_joined() {
    let emulator = emulator().await;
    let answer = Fault::status(200)
        .header("sync-token", "a=1;sn=1")
        .header("sync-token", "b=2;sn=2")
        .body("application/json", "{}");
    emulator.faults().script(Route::store(), answer, None);
    let guard = guard(&emulator, limits(5000), |builder| builder);
    let answer = ask(&guard).await.unwrap();
    let name = HeaderName::from_static("sync-token");
    assert_eq!(
        answer.headers().get_optional_str(&name),
        Some("a=1;sn=1, b=2;sn=2")
    );
}

#[tokio::test]
async fn a_bearer_token_never_goes_over_http() {
    let emulator = emulator().await;
    let guard = guard(&emulator, limits(1000), |builder| builder);
    let url = Url::parse("http://127.0.0.1:9/kv").unwrap();
    guard
        .policy()
        .allow(Origin::of(&url).unwrap(), HostKind::Store);
    for scheme in ["Bearer x", " bearer x", "BEARER x"] {
        let mut request = Request::new(url.clone(), Method::Get);
        request.insert_header(AUTHORIZATION, scheme.to_owned());
        assert_eq!(
            refusal(guard.execute_request(&request).await),
            Some(Refusal::Insecure)
        );
    }
}

#[test]
fn a_client_that_cannot_be_built_is_an_invalid_option() {
    let hook: HttpHook = Arc::new(|builder| builder.user_agent("line\nbreak"));
    let error = reqwest_transport(Some(&hook)).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::InvalidOption);
}

#[tokio::test]
async fn f63_a_connection_that_went_silent_is_not_used_again() {
    let emulator = emulator().await;
    let proxy = Proxy::to(emulator.address(HOST).unwrap()).await.unwrap();
    let (base, address) = (emulator.client_hook(), proxy.address());
    let hook: HttpHook = Arc::new(move |builder| base(builder).resolve(HOST, address));
    let pace = Pace {
        ping: Duration::from_millis(200),
        ping_timeout: Duration::from_secs(1),
        ..Pace::DEFAULT
    };
    let policy = HostPolicy::new();
    policy.allow(Origin::https(HOST), HostKind::Store);
    let transport = Transport::new(Some(&hook), pace).unwrap();
    let guard = Guard::new(Arc::new(transport), policy, limits(10_000));
    ask(&guard).await.unwrap();
    proxy.add(Direction::Downstream, Toxic::Timeout { after: None });
    ask(&guard).await.unwrap_err();
    // The network is well again, but the old connection stays silent for ever.
    proxy.clear();
    ask(&guard).await.unwrap();
    assert_eq!(proxy.connections(), 2);
}

/// Whoever allows an answer more time means it, also if the server is silent until then.
#[test]
fn a_longer_bound_of_an_answer_is_not_undercut_by_the_bound_of_silence() {
    let patient = Pace::DEFAULT.waiting_for(Duration::from_secs(60));
    assert_eq!(patient.read, Duration::from_secs(60));
    let hasty = Pace::DEFAULT.waiting_for(Duration::from_secs(1));
    assert_eq!(hasty.read, Pace::DEFAULT.read);
}
