//! Peers to whom nothing is said: bad certificates, old versions of TLS, no TLS at all.

use std::net::SocketAddr;
use std::sync::Arc;

use azure_core::error::ErrorKind;
use config_azure_emulator::{CertificateKind, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{HOST, ask, emulator, guard, limits};
use crate::transport::{Guard, HostKind, HostPolicy, HttpHook, Origin, reqwest_transport};

/// A guard over a client whose hook is this one alone.
fn hooked(hook: &HttpHook) -> Arc<Guard> {
    let policy = HostPolicy::new();
    policy.allow(Origin::https(HOST), HostKind::Store);
    Guard::new(
        reqwest_transport(Some(hook)).unwrap(),
        policy,
        limits(20_000),
    )
}

#[tokio::test]
async fn f56_a_certificate_that_is_not_good_gets_no_byte() {
    let emulator = emulator().await;
    for kind in [
        CertificateKind::Expired,
        CertificateKind::NotYetValid,
        CertificateKind::WrongName,
        CertificateKind::SelfSigned,
    ] {
        emulator.show_certificate(HOST, kind).unwrap();
        let error = ask(&guard(&emulator, limits(5000), |builder| builder))
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Connection, "{error:?}");
        assert!(
            !format!("{error:?}").contains("key="),
            "no URL in the error"
        );
    }
    assert_eq!(emulator.log().count(Route::any()), 0);
    emulator
        .show_certificate(HOST, CertificateKind::Good)
        .unwrap();
    ask(&guard(&emulator, limits(5000), |builder| builder))
        .await
        .unwrap();
}

#[tokio::test]
async fn t15_an_authority_that_nobody_told_us_of_gets_no_byte() {
    let emulator = emulator().await;
    let address = emulator.address(HOST).unwrap();
    let hook: HttpHook = Arc::new(move |builder| builder.resolve(HOST, address));
    let error = ask(&hooked(&hook)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connection, "{error:?}");
    assert_eq!(emulator.log().count(Route::any()), 0);
}

#[tokio::test]
async fn t15_a_server_in_plain_http_gets_no_request() {
    let (address, mut told) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let hook: HttpHook = Arc::new(move |builder| builder.resolve(HOST, address));
    let error = ask(&hooked(&hook)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connection, "{error:?}");
    let told = told.recv().await.unwrap();
    assert!(
        records(&told)
            .iter()
            .all(|(kind, _)| *kind != APPLICATION_DATA)
    );
}

/// Whatever the hook says.
#[tokio::test]
async fn t15_a_server_that_has_only_an_old_tls_gets_no_byte() {
    for minimum in [
        None,
        Some(reqwest::tls::Version::TLS_1_0),
        Some(reqwest::tls::Version::TLS_1_1),
    ] {
        let (address, mut told) = answering(&server_hello()).await;
        let hook: HttpHook = Arc::new(move |builder| {
            let builder = builder.resolve(HOST, address);
            match minimum {
                Some(minimum) => builder.tls_version_min(minimum),
                None => builder,
            }
        });
        let error = ask(&hooked(&hook)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Connection, "{error:?}");
        let told = told.recv().await.unwrap();
        let records = records(&told);
        let kinds: Vec<u8> = records.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [HANDSHAKE, ALERT], "the hello and its end");
        let offered = offered_versions(records[0].1);
        assert!(
            !offered.is_empty() && offered.iter().all(|version| *version >= TLS_1_2),
            "{offered:x?}"
        );
        assert_eq!(records[1].1, [FATAL, PROTOCOL_VERSION]);
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const FATAL: u8 = 2;
const PROTOCOL_VERSION: u8 = 70;
const TLS_1_1: [u8; 2] = [3, 2];
const TLS_1_2: u16 = 0x0303;
/// The extension that names the versions a client has (RFC 8446, 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;

/// A ServerHello of TLS 1.1 (RFC 4346, 7.4.1.3), with a cipher suite of that time and no extensions.
fn server_hello() -> Vec<u8> {
    let mut body = TLS_1_1.to_vec();
    body.extend([7; 32]);
    let no_session = 0;
    body.extend([no_session, 0xC0, 0x13, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![HANDSHAKE, TLS_1_1[0], TLS_1_1[1], 0, length + 4];
    record.extend([2, 0, 0, length]);
    record.extend(body);
    record
}

/// A server that answers the first words of a connection so, and what it was told until the client hung up.
async fn answering(answer: &[u8]) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(8);
    let answer = answer.to_vec();
    crate::task::spawn_on(&tokio::runtime::Handle::current(), async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut all = vec![0; 5];
            // A whole record, so that nothing of it is unread when the connection ends.
            if stream.read_exact(&mut all).await.is_err() {
                continue;
            }
            let length = usize::from(u16::from_be_bytes([all[3], all[4]]));
            all.resize(5 + length, 0);
            let _ = stream.read_exact(&mut all[5..]).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.read_to_end(&mut all).await;
            let _ = tell.send(all).await;
        }
    });
    (address, told)
}

/// The records of TLS in a stream: type and content.
fn records(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut records = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (content, rest) = rest.split_at(length);
        records.push((*kind, content));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a record");
    records
}

/// What a ClientHello (RFC 8446, 4.1.2) offers.
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    let number = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    // Type and length, the version of old, the random number.
    let mut rest = &hello[4 + 2 + 32..];
    let session = usize::from(rest[0]);
    rest = &rest[1 + session..];
    let suites = usize::from(number(rest));
    rest = &rest[2 + suites..];
    let compressions = usize::from(rest[0]);
    rest = &rest[1 + compressions + 2..];
    while !rest.is_empty() {
        let (kind, length) = (number(rest), usize::from(number(&rest[2..])));
        let content = &rest[4..4 + length];
        if kind == SUPPORTED_VERSIONS {
            return content[1..].chunks(2).map(number).collect();
        }
        rest = &rest[4 + length..];
    }
    Vec::new()
}
