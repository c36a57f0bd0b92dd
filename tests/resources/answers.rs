//! T10, N14: what one answer of the store may cost, whatever it holds.

use config_azure::{AppConfiguration, Error, ErrorKind, RefreshOptions};
use config_azure_emulator::{Emulator, Fault, Route};

use crate::{alone, heap};

const MIB: usize = 1 << 20;
/// A store's page may have so many bytes.
const MOST: usize = 16 * MIB;

/// `{"items":[` and then `item` as often as fits, and `last`.
fn full_page(begin: &str, item: &str, end: &str) -> String {
    let count = (MOST - begin.len() - end.len()) / (item.len() + 1);
    let items = vec![item; count].join(",");
    format!("{begin}{items}{end}")
}

/// A setting with as many tags as fit.
fn full_tags() -> String {
    let mut body = String::from(r#"{"items":[{"key":"a","tags":{"#);
    let mut at = 0;
    while body.len() < MOST - 30 {
        body.push_str(&format!("\"{at:x}\":null,"));
        at += 1;
    }
    body + r#""z":null}}]}"#
}

fn emulator() -> config_azure_emulator::EmulatorBuilder {
    Emulator::builder().store("contoso")
}

/// Loads `a=1`, and then meets each of the answers: a clear failure, at a bounded cost, and the last good value stays.
async fn meets(
    emulator: &Emulator,
    builder: config_azure::AppConfigurationBuilder,
    answers: Vec<(Fault, ErrorKind)>,
) {
    emulator.store("contoso").set("a", None, "1");
    let azure = builder
        .connection_string(emulator.store("contoso").connection_string())
        .refresh(RefreshOptions::new().disabled())
        .load()
        .await
        .expect("a load");
    for (fault, kind) in answers {
        let script = emulator.faults().script(Route::store_list(), fault, None);
        let before = heap::alive();
        // Room to tell how much it is, if it is too much.
        let capped = heap::cap(before + 512 * MIB);
        let error: Error = azure.refresh().await.expect_err("no configuration");
        let cost = capped.peak() - before;
        drop(capped);
        println!("{} KiB: {error}", cost / 1024);
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.endpoint(), Some("https://contoso.azconfig.io"));
        assert!(cost <= 32 * MIB, "{cost} bytes: {error}");
        assert!(script.fired() > 0);
        script.remove();
        let loaded = azure.loaded().expect("the last good");
        assert_eq!(loaded.generation(), 1);
        azure.refresh().await.expect("a check");
    }
}

#[test]
fn t10_a_full_page_of_next_to_nothing() {
    alone(true, full_pages());
}

async fn full_pages() {
    let emulator = emulator().in_memory();
    let builder = AppConfiguration::builder().transport(emulator.transport());
    let settings = full_page(r#"{"items":["#, r#"{"key":"a"}"#, "]}");
    let ignored = full_page(r#"{"x":["#, "0", r#"],"items":7}"#);
    let answers = vec![
        (Fault::page(settings).into(), ErrorKind::TooLarge),
        (Fault::page(full_tags()).into(), ErrorKind::Protocol),
        (Fault::page(ignored).into(), ErrorKind::Protocol),
    ];
    meets(&emulator, builder, answers).await;
}

#[test]
fn t10_bombs_and_a_flood_of_headers() {
    alone(false, bombs_and_floods());
}

async fn bombs_and_floods() {
    // On a runtime of its own.
    let emulator = emulator().start_blocking().expect("an emulator");
    let builder = AppConfiguration::builder().http_client(emulator.client_hook());
    let answers = vec![
        (Fault::gzip_bomb(64).into(), ErrorKind::TooLarge),
        (Fault::deflate_bomb(64).into(), ErrorKind::Protocol),
        (
            Fault::gzip_bomb(1).header("content-encoding", "br").into(),
            ErrorKind::Protocol,
        ),
        (Fault::header_flood(5_000).into(), ErrorKind::Unreachable),
    ];
    meets(&emulator, builder, answers).await;
}
