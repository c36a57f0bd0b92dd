//! Scripted faults, in memory and on sockets.

mod common;

use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::{Method, Request};
use common::{header, text};
use config_azure_emulator::{CertificateKind, Emulator, Fault, HostKind, Route};

const HOST: &str = "contoso.azconfig.io";
const URL: &str = "https://contoso.azconfig.io/kv/title";

fn in_memory() -> Emulator {
    let emulator = Emulator::builder().store("contoso").in_memory();
    emulator
        .store("contoso")
        .anonymous(true)
        .set("title", None, "Shop");
    emulator
}

async fn on_sockets(http1_only: bool) -> (Emulator, reqwest::Client) {
    let builder = Emulator::builder().store("contoso");
    let builder = if http1_only {
        builder.http1_only()
    } else {
        builder
    };
    let emulator = builder.start().await.expect("start");
    emulator
        .store("contoso")
        .anonymous(true)
        .set("title", None, "Shop");
    let client = emulator
        .client(reqwest::Client::builder().no_gzip())
        .build();
    (emulator, client.expect("client"))
}

async fn error_kind(emulator: &Emulator) -> (bool, bool) {
    let request = Request::new(URL.parse().expect("url"), Method::Get);
    let answer = emulator.transport().execute_request(&request).await;
    let answer = match answer {
        Ok(answer) => answer.try_into_raw_response().await.map(drop),
        Err(error) => Err(error),
    };
    let error = answer.expect_err("a fault");
    let kind = error.kind();
    (
        matches!(kind, ErrorKind::Connection),
        matches!(kind, ErrorKind::Io),
    )
}

#[tokio::test]
async fn a_script_strikes_so_many_times_and_then_the_service_answers() {
    let emulator = in_memory();
    let fault = Fault::status(429)
        .retry_after_ms(250)
        .retry_after(1)
        .body("text/plain", "slow down");
    let script = emulator
        .faults()
        .script(Route::store_item(), fault, Some(2));
    for _ in 0..2 {
        let (status, headers, body) = text(&emulator, "GET", URL).await;
        assert_eq!((status, body.as_str()), (429, "slow down"));
        assert_eq!(header(&headers, "retry-after-ms"), "250");
        assert_eq!(header(&headers, "retry-after"), "1");
    }
    assert_eq!(text(&emulator, "GET", URL).await.0, 200);
    assert_eq!(script.fired(), 2);
    assert_eq!(emulator.log().count(Route::any().status(429)), 2);
}

#[tokio::test(start_paused = true)]
async fn faults_stack_in_order_and_can_be_taken_back() {
    let emulator = in_memory();
    let faults = emulator.faults();
    faults.script(Route::any(), Fault::Delay(Duration::from_secs(30)), None);
    let etag = faults.script(Route::any(), Fault::etag(Some("\"wrong\"")), None);
    let started = tokio::time::Instant::now();
    let (status, headers, _) = text(&emulator, "GET", URL).await;
    assert_eq!((status, header(&headers, "etag")), (200, "\"wrong\""));
    assert_eq!(started.elapsed().as_secs(), 30);
    etag.remove();
    assert_ne!(
        header(&text(&emulator, "GET", URL).await.1, "etag"),
        "\"wrong\""
    );
    faults.script(Route::any(), Fault::etag(None), None);
    assert_eq!(header(&text(&emulator, "GET", URL).await.1, "etag"), "");
    faults.clear();
    faults.script(
        Route::any(),
        Fault::redirect("https://evil.example/"),
        Some(1),
    );
    let (status, headers, _) = text(&emulator, "GET", URL).await;
    assert_eq!(
        (status, header(&headers, "location")),
        (302, "https://evil.example/")
    );
    faults.script(Route::any(), Fault::html(), Some(1));
    assert!(
        text(&emulator, "GET", URL)
            .await
            .2
            .starts_with("<!DOCTYPE html>")
    );
}

#[tokio::test(start_paused = true)]
async fn in_memory_connections_are_refused_dropped_cut_and_slow() {
    let emulator = in_memory();
    for (fault, expected) in [
        (Fault::Refuse, (true, false)),
        (Fault::Drop, (false, true)),
        (Fault::Cut(5), (false, true)),
    ] {
        emulator.faults().script(Route::any(), fault, Some(1));
        assert_eq!(error_kind(&emulator).await, expected);
    }
    let pause = Duration::from_secs(1);
    emulator
        .faults()
        .script(Route::any(), Fault::Trickle { chunk: 10, pause }, Some(1));
    let started = tokio::time::Instant::now();
    let (_, _, body) = text(&emulator, "GET", URL).await;
    assert_eq!(started.elapsed().as_secs(), body.len().div_ceil(10) as u64);
}

#[tokio::test]
async fn on_sockets_answers_are_dropped_cut_and_slow() {
    for http1_only in [true, false] {
        let (emulator, client) = on_sockets(http1_only).await;
        let faults = emulator.faults();
        faults.script(Route::any(), Fault::Drop, None);
        assert!(client.get(URL).send().await.is_err());
        faults.clear();
        let whole = client
            .get(URL)
            .send()
            .await
            .expect("answer")
            .bytes()
            .await
            .expect("body");
        for at in [0, 1, whole.len() / 2, whole.len() - 1] {
            faults.script(Route::any(), Fault::Cut(at), Some(1));
            let broken = match client.get(URL).send().await {
                Ok(answer) => answer.bytes().await.is_err(),
                Err(_) => true,
            };
            assert!(broken, "cut at {at}, HTTP/1 only: {http1_only}");
        }
        let pause = Duration::from_millis(1);
        faults.script(Route::any(), Fault::Trickle { chunk: 7, pause }, Some(1));
        let slow = client.get(URL).send().await.expect("answer").bytes().await;
        assert_eq!(slow.expect("body"), whole);
    }
}

#[tokio::test]
async fn on_sockets_a_dropped_request_takes_the_whole_connection_along() {
    for fault in [Fault::Drop, Fault::Refuse] {
        let (emulator, client) = on_sockets(false).await;
        let connections = || emulator.log().connections("contoso.azconfig.io");
        let answer = client.get(URL).send().await.expect("answer");
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        emulator.faults().script(Route::any(), Fault::Hang, Some(1));
        let other = tokio::spawn(client.get(URL).send());
        emulator.log().wait_for(Route::store_item(), 2).await;
        assert_eq!(connections(), 1, "both requests share it");
        emulator.faults().script(Route::any(), fault, Some(1));
        assert!(client.get(URL).send().await.is_err());
        assert!(client.get(URL).send().await.is_ok());
        assert_eq!(connections(), 2, "the first one is gone");
        assert!(other.await.expect("no panic").is_err());
        emulator.log().wait_idle().await;
    }
}

#[tokio::test]
async fn on_sockets_a_hung_request_ends_with_its_client() {
    let (emulator, client) = on_sockets(false).await;
    emulator.faults().script(Route::any(), Fault::Hang, Some(1));
    let request = tokio::spawn(client.get(URL).send());
    let log = emulator.log();
    log.wait_for(Route::store_item(), 1).await;
    assert_eq!(log.in_flight(), 1);
    request.abort();
    log.wait_idle().await;
}

#[tokio::test]
async fn a_gzip_bomb_is_small_on_the_wire_and_says_that_it_is_gzip() {
    let (emulator, client) = on_sockets(false).await;
    emulator
        .faults()
        .script(Route::any(), Fault::gzip_bomb(16), None);
    let answer = client.get(URL).send().await.expect("answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let body = answer.bytes().await.expect("body");
    assert!(body.len() < 32 << 10, "{}", body.len());
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&body[..]);
    std::io::Read::read_to_end(&mut decoder, &mut plain).expect("gzip");
    assert_eq!(plain.len(), 16 << 20);
}

#[tokio::test]
async fn bad_certificates_are_refused_and_the_good_one_comes_back() {
    let (emulator, client) = on_sockets(false).await;
    for kind in [
        CertificateKind::Expired,
        CertificateKind::NotYetValid,
        CertificateKind::WrongName,
        CertificateKind::SelfSigned,
    ] {
        emulator
            .show_certificate(HOST, kind)
            .expect("a certificate");
        let error = client.get(URL).send().await.expect_err("refused");
        assert!(error.is_connect(), "{kind:?}: {error:?}");
    }
    assert_eq!(emulator.log().count(Route::any()), 0);
    emulator
        .show_certificate(HOST, CertificateKind::Good)
        .expect("a certificate");
    assert_eq!(client.get(URL).send().await.expect("answer").status(), 200);
}

#[tokio::test]
async fn a_service_can_say_what_no_server_would() {
    let (emulator, client) = on_sockets(false).await;
    let odd = "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nETag: \"b\"\r\n\r\nbody";
    emulator.say(HOST, odd).expect("bytes");
    let answer = client.get(URL).send().await.expect("an answer");
    assert_eq!(answer.status(), 304);
    assert_eq!(answer.headers().get_all("etag").iter().count(), 2);
    emulator.say(HOST, "\0\0\0").expect("bytes");
    assert!(client.get(URL).send().await.is_err());
    emulator
        .show_certificate(HOST, CertificateKind::Good)
        .expect("a certificate");
    assert_eq!(client.get(URL).send().await.expect("answer").status(), 200);
}

#[tokio::test]
async fn answers_are_gzipped_by_option_for_those_who_accept_it() {
    let (emulator, client) = on_sockets(false).await;
    let get = |accept: &'static str| client.get(URL).header("accept-encoding", accept).send();
    assert!(
        !get("gzip")
            .await
            .expect("answer")
            .headers()
            .contains_key("content-encoding")
    );
    emulator.compress(true);
    let plain = get("identity")
        .await
        .expect("answer")
        .text()
        .await
        .expect("body");
    let answer = get("br, gzip;q=0.5").await.expect("answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let body = answer.bytes().await.expect("body");
    let mut unpacked = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&body[..]);
    std::io::Read::read_to_string(&mut decoder, &mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn a_stranger_answers_and_is_in_the_log() {
    let emulator = Emulator::builder().stranger("evil.example").in_memory();
    assert_eq!(
        text(&emulator, "GET", "https://evil.example/kv").await.0,
        200
    );
    assert_eq!(emulator.log().count(Route::kind(HostKind::Other)), 1);
}
