//! HMAC signatures and refusals, byte by byte.

mod common;

use azure_core::credentials::TokenCredential as _;
use common::{Call, get, header, sign, signed, text};
use config_azure_emulator::{Emulator, StoreHandle};
use time::{Duration, OffsetDateTime};

const URL: &str = "https://contoso.azconfig.io/kv/title?api-version=2023-11-01&label=%00";

fn world() -> (Emulator, StoreHandle) {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    store.set("title", None, "Shop");
    (emulator, store)
}

/// The description of the HMAC error that this call draws.
async fn refused(emulator: &Emulator, call: &Call) -> String {
    let (status, headers, body) = get(emulator, call).await;
    assert_eq!((status, body.as_str()), (401, ""), "{call:?}");
    let challenge = header(&headers, "www-authenticate");
    let description = challenge
        .strip_prefix("HMAC-SHA256 error=\"invalid_token\" error_description=\"")
        .and_then(|rest| rest.strip_suffix("\", Bearer"));
    description.unwrap_or(challenge).to_owned()
}

/// The call with one header changed.
fn with(call: &Call, name: &str, change: impl Fn(&str) -> String) -> Call {
    let mut call = call.clone();
    for (found, value) in &mut call.headers {
        if found == name {
            *value = change(value);
        }
    }
    call
}

fn without(call: &Call, name: &str) -> Call {
    let mut call = call.clone();
    call.headers.retain(|(found, _)| found != name);
    call
}

#[tokio::test]
async fn a_good_signature_is_let_in_for_reads_and_writes() {
    let (emulator, store) = world();
    let connection = store.connection_string();
    assert_eq!(
        get(&emulator, &signed(&connection, "GET", URL)).await.0,
        200
    );
    let call = Call::new("PUT", URL).json(r#"{"value":"New"}"#);
    let call = sign(call, &connection, OffsetDateTime::now_utc());
    assert_eq!(get(&emulator, &call).await.0, 200);
    assert_eq!(
        store.get("title", None).expect("title").value.as_deref(),
        Some("New")
    );
}

#[tokio::test]
async fn every_signed_byte_counts() {
    let (emulator, store) = world();
    let good = signed(&store.connection_string(), "GET", URL);
    let mut elsewhere = good.clone();
    elsewhere.url = URL.replace("%00", "prod");
    let mut reordered = good.clone();
    reordered.url = URL.replace(
        "api-version=2023-11-01&label=%00",
        "label=%00&api-version=2023-11-01",
    );
    let mut put = good.clone();
    put.method = "DELETE".to_owned();
    let mut body = good.clone();
    body.body = "x".to_owned();
    let hash = with(&good, "x-ms-content-sha256", |_| "AAAA".to_owned());
    let host = good.clone().header("host", "evil.azconfig.io");
    let signature = with(&good, "authorization", |v| {
        let other = if v.ends_with("AAA=") { "BBB=" } else { "AAA=" };
        format!("{}{other}", &v[..v.len() - 4])
    });
    for call in [elsewhere, reordered, put, body, hash, host, signature] {
        assert_eq!(refused(&emulator, &call).await, "Invalid Signature");
    }
}

#[tokio::test]
async fn every_cloud_has_audiences_of_its_own() {
    let public = ["https://azconfig.io", "https://appconfig.azure.com"];
    let us = ["https://azconfig.azure.us", "https://appconfig.azure.us"];
    let cn = ["https://azconfig.azure.cn", "https://appconfig.azure.cn"];
    for (host, own) in [
        ("contoso.azconfig.io", public),
        ("contoso.appconfig.azure.com", public),
        ("settings.contoso.com", public),
        ("contoso.azconfig.azure.us", us),
        ("contoso.appconfig.azure.us", us),
        ("contoso.azconfig.azure.cn", cn),
        ("appconfig.contoso.azconfig.azure.cn", cn),
    ] {
        let emulator = Emulator::builder().store(host).in_memory();
        let url = format!("https://{host}/keys?api-version=2023-11-01");
        for audience in [public, us, cn].concat() {
            let scope = format!("{audience}/.default");
            let token = emulator.credential().get_token(&[&scope], None).await;
            let token = token.expect("a token").token.secret().to_owned();
            let call = Call::new("GET", &url).header("authorization", &format!("Bearer {token}"));
            let expected = if own.contains(&audience) { 200 } else { 401 };
            let (status, ..) = get(&emulator, &call).await;
            assert_eq!(status, expected, "{host}: {audience}");
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (emulator, store) = world();
    let good = signed(&store.connection_string(), "GET", URL);
    let auth = |change: &dyn Fn(&str) -> String| with(&good, "authorization", change);
    let table = [
        (without(&good, "authorization"), "HMAC-SHA256, Bearer"),
        (
            auth(&|v| v.replace("HMAC-SHA256 ", "Basic ")),
            "HMAC-SHA256, Bearer",
        ),
        (
            auth(&|v| v.replace("Signature=", "Sig=")),
            "[Credential][SignedHeaders][Signature] is required",
        ),
        (
            auth(&|v| v.replace("Credential=", "Credential=x")),
            "Invalid Credential",
        ),
        (
            auth(&|v| v.replace("x-ms-date;host;", "x-ms-date;")),
            "host is required as a signed header",
        ),
        (
            auth(&|v| v.replace("x-ms-date;", "")),
            "x-ms-date is required as a signed header",
        ),
        (
            auth(&|v| v.replace(";x-ms-content-sha256", "")),
            "x-ms-content-sha256 is required as a signed header",
        ),
        (
            auth(&|v| v.replace("SignedHeaders=", "SignedHeaders=extra;")),
            "Signed request header 'extra' is not provided",
        ),
        (
            without(&good, "x-ms-date"),
            "Signed request header 'x-ms-date' is not provided",
        ),
        (
            with(&good, "x-ms-date", |_| "today".to_owned()),
            "Invalid access token date",
        ),
    ];
    for (call, expected) in table {
        assert_eq!(refused(&emulator, &call).await, expected);
    }
}

#[tokio::test]
async fn the_date_may_be_fifteen_minutes_off_by_the_service_s_clock() {
    let start = time::macros::datetime!(2026-06-01 12:00:00 UTC);
    let emulator = Emulator::builder()
        .store("contoso")
        .clock_start(start)
        .in_memory();
    let store = emulator.store("contoso");
    store.set("title", None, "Shop");
    let connection = store.connection_string();
    let at = |offset: Duration| sign(Call::new("GET", URL), &connection, start + offset);
    for offset in [Duration::minutes(14), Duration::minutes(-14)] {
        assert_eq!(get(&emulator, &at(offset)).await.0, 200, "{offset}");
    }
    for offset in [Duration::minutes(16), Duration::minutes(-16)] {
        assert_eq!(
            refused(&emulator, &at(offset)).await,
            "The access token has expired"
        );
    }
    emulator.clock().set_skew(Duration::minutes(20));
    let (_, headers, _) = get(&emulator, &at(Duration::ZERO)).await;
    assert!(
        header(&headers, "date").starts_with("Mon, 01 Jun 2026 12:2"),
        "the true date is told"
    );
    assert_eq!(get(&emulator, &at(Duration::minutes(20))).await.0, 200);
}

#[tokio::test]
async fn other_separators_and_the_plain_date_header_are_accepted() {
    let (emulator, store) = world();
    let good = signed(&store.connection_string(), "GET", URL);
    let commas = with(&good, "authorization", |v| v.replace('&', ", "));
    assert_eq!(get(&emulator, &commas).await.0, 200);
    let mut date = with(&good, "authorization", |v| v.replace("x-ms-date", "date"));
    for (name, _) in &mut date.headers {
        if name == "x-ms-date" {
            *name = "date".to_owned();
        }
    }
    assert_eq!(get(&emulator, &date).await.0, 200);
}

#[tokio::test]
async fn read_only_keys_read_and_rotated_keys_are_gone() {
    let (emulator, store) = world();
    let read_only = store.read_only_connection_string();
    assert_eq!(get(&emulator, &signed(&read_only, "GET", URL)).await.0, 200);
    assert_eq!(
        get(&emulator, &signed(&read_only, "DELETE", URL)).await.0,
        403
    );
    store.rotate_keys();
    let call = signed(&read_only, "GET", URL);
    assert_eq!(refused(&emulator, &call).await, "Invalid Credential");
}

#[tokio::test]
async fn anonymous_access_is_an_option() {
    let (emulator, store) = world();
    assert_eq!(text(&emulator, "GET", URL).await.0, 401);
    store.anonymous(true);
    assert_eq!(text(&emulator, "GET", URL).await.0, 200);
}
