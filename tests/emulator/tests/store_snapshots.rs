//! Snapshots and the past.

mod common;

use std::time::Duration;

use common::{Call, get, header, text};
use config_azure_emulator::{Composition, Emulator, NewSnapshot, Setting, StoreHandle};
use serde_json::Value;

const STORE: &str = "https://contoso.azconfig.io";

fn world() -> (Emulator, StoreHandle) {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    store.anonymous(true);
    for (key, label) in [
        ("a", None),
        ("a", Some("dev")),
        ("a", Some("prod")),
        ("b", None),
    ] {
        store.set(key, label, label.unwrap_or("null"));
    }
    (emulator, store)
}

fn url(path: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{STORE}/{path}{joint}api-version=2023-10-01")
}

async fn json(emulator: &Emulator, path: &str) -> Value {
    let (status, _, body) = text(emulator, "GET", &url(path)).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// Key and value of every setting in a snapshot.
async fn content(emulator: &Emulator, name: &str) -> Vec<(String, String)> {
    let page = json(emulator, &format!("kv?snapshot={name}")).await;
    let items = page["items"].as_array().expect("items").iter();
    let text = |item: &Value, name: &str| item[name].as_str().expect("text").to_owned();
    items.map(|i| (text(i, "key"), text(i, "value"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected.iter();
    pairs
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_ordered_made_read_archived_and_gone() {
    let (emulator, store) = world();
    let body = r#"{"filters":[{"key":"*","label":"dev"}],"composition_type":"key_label","retention_period":3600,"tags":{"t":"v"}}"#;
    let put = Call::new("PUT", &url("snapshots/s1")).json(body);
    let (status, headers, body) = get(&emulator, &put).await;
    assert_eq!(
        (status, body.contains("\"status\":\"provisioning\"")),
        (201, true),
        "{body}"
    );
    assert_eq!(
        header(&headers, "link"),
        "</kv?snapshot=s1&api-version=2023-10-01>; rel=\"items\""
    );
    assert_eq!(
        header(&headers, "operation-location"),
        url("operations?snapshot=s1")
    );
    assert_eq!(get(&emulator, &put).await.0, 409, "it exists already");
    let snapshot = json(&emulator, "snapshots/s1").await;
    assert_eq!(snapshot["status"], "ready");
    assert_eq!(snapshot["items_count"], 1);
    assert_eq!(
        snapshot["filters"].to_string(),
        r#"[{"key":"*","label":"dev"}]"#
    );
    assert_eq!(snapshot["retention_period"], 3600);
    assert!(snapshot.get("expires").is_none());
    store.set("a", "dev", "changed");
    assert_eq!(
        content(&emulator, "s1").await,
        pairs(&[("a", "dev")]),
        "it does not change"
    );

    let archive = Call::new("PATCH", &url("snapshots/s1")).json(r#"{"status":"archived"}"#);
    let (status, headers, body) = get(&emulator, &archive).await;
    assert_eq!((status, body.contains("\"expires\":")), (200, true));
    assert_ne!(
        header(&headers, "etag"),
        format!("\"{}\"", snapshot["etag"].as_str().expect("etag"))
    );
    assert_eq!(content(&emulator, "s1").await.len(), 1);
    emulator.clock().advance(Duration::from_secs(3601));
    assert_eq!(text(&emulator, "GET", &url("snapshots/s1")).await.0, 404);
    assert_eq!(content(&emulator, "s1").await, []);
}

#[tokio::test]
async fn composition_by_key_lets_the_later_filter_win() {
    let (emulator, store) = world();
    let by_key = NewSnapshot::new("key")
        .filter("*", None)
        .filter("a", Some("prod"));
    store.create_snapshot(by_key).expect("a good order");
    assert_eq!(
        content(&emulator, "key").await,
        pairs(&[("a", "prod"), ("b", "null")])
    );
    let both = NewSnapshot::new("both")
        .filter("a", Some("*"))
        .composition(Composition::KeyLabel);
    store.create_snapshot(both).expect("a good order");
    let all = pairs(&[("a", "null"), ("a", "dev"), ("a", "prod")]);
    assert_eq!(content(&emulator, "both").await, all);
    assert_eq!(
        json(&emulator, "snapshots/both").await["composition_type"],
        "key_label"
    );
    let several = NewSnapshot::new("bad").filter("a", Some("*"));
    assert!(store.create_snapshot(several).is_err());
    assert!(store.create_snapshot(NewSnapshot::new("none")).is_err());
}

#[tokio::test]
async fn bad_orders_are_refused() {
    let (emulator, _) = world();
    for body in [
        "{}",
        r#"{"filters":[]}"#,
        r#"{"filters":[{"key":""}]}"#,
        r#"{"filters":[{"key":"a"},{"key":"a"},{"key":"a"},{"key":"a"}]}"#,
        r#"{"filters":[{"key":"a"}],"retention_period":10}"#,
        r#"{"filters":[{"key":"a"}],"composition_type":"all"}"#,
        r#"{"filters":[{"key":"a","label":"x,y"}]}"#,
    ] {
        let put = Call::new("PUT", &url("snapshots/bad")).json(body);
        assert_eq!(get(&emulator, &put).await.0, 400, "{body}");
    }
    assert_eq!(
        text(&emulator, "GET", &url("kv?snapshot=s&key=a")).await.0,
        400
    );
    let old = format!("{STORE}/snapshots/s?api-version=1.0");
    assert_eq!(text(&emulator, "GET", &old).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_missing_failed_or_unfinished_snapshot_is_an_empty_page() {
    let (emulator, store) = world();
    let slow = NewSnapshot::new("slow")
        .filter("*", None)
        .ready_in(Duration::from_secs(20));
    store.create_snapshot(slow).expect("a good order");
    let failing = NewSnapshot::new("failing").filter("*", None).failing();
    store.create_snapshot(failing).expect("a good order");
    for name in ["none", "slow", "failing"] {
        assert_eq!(content(&emulator, name).await, [], "{name}");
    }
    let (_, headers, body) = text(&emulator, "GET", &url("operations?snapshot=slow")).await;
    assert!(body.contains("\"status\":\"Running\""), "{body}");
    assert_eq!(header(&headers, "retry-after"), "10");
    assert_eq!(
        json(&emulator, "operations?snapshot=failing").await["status"],
        "Failed"
    );
    let patch = Call::new("PATCH", &url("snapshots/slow")).json(r#"{"status":"archived"}"#);
    assert_eq!(get(&emulator, &patch).await.0, 409);
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(content(&emulator, "slow").await.len(), 2);
    assert_eq!(
        json(&emulator, "operations?snapshot=slow").await["status"],
        "Succeeded"
    );
    assert_eq!(
        text(&emulator, "GET", &url("operations?snapshot=none"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn snapshots_are_listed_by_name_and_status_and_paged() {
    let (emulator, store) = world();
    for name in ["s1", "s2", "s3"] {
        store
            .create_snapshot(NewSnapshot::new(name).filter("*", None))
            .expect("a good order");
    }
    store.archive_snapshot("s2", true);
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items
            .map(|i| i["name"].as_str().expect("name").to_owned())
            .collect()
    };
    for (query, expected) in [
        ("", &["s1", "s2", "s3"][..]),
        ("?status=ready,failed", &["s1", "s3"]),
        ("?status=archived", &["s2"]),
        ("?status=*&name=s*", &["s1", "s2", "s3"]),
        ("?name=s3", &["s3"]),
    ] {
        let page = json(&emulator, &format!("snapshots{query}")).await;
        assert_eq!(names(&page), expected, "{query}");
    }
    store.page_size(2);
    let page = json(&emulator, "snapshots?$select=name").await;
    assert_eq!(
        page["items"].to_string(),
        r#"[{"name":"s1"},{"name":"s2"}]"#
    );
    let next = page["@nextLink"].as_str().expect("more");
    let (_, _, body) = text(&emulator, "GET", &format!("{STORE}{next}")).await;
    assert_eq!(body, r#"{"items":[{"name":"s3"}]}"#);
}

#[tokio::test(start_paused = true)]
async fn the_past_is_read_with_accept_datetime() {
    let start = time::macros::datetime!(2026-06-01 12:00:00 UTC);
    let emulator = Emulator::builder()
        .store("contoso")
        .clock_start(start)
        .in_memory();
    let store = emulator.store("contoso");
    store.anonymous(true).set("a", None, "first");
    tokio::time::advance(Duration::from_secs(10)).await;
    store.set("a", None, "second");
    store.set("b", None, "new");
    tokio::time::advance(Duration::from_secs(10)).await;
    store.delete("a", None);
    let at = |path: &str, second: u8| {
        Call::new("GET", &format!("{STORE}/{path}")).header(
            "accept-datetime",
            &format!("Mon, 01 Jun 2026 12:00:{second:02} GMT"),
        )
    };
    for (second, expected) in [(0, 200), (5, 200), (15, 200)] {
        let (status, headers, _) = get(&emulator, &at("kv/a", second)).await;
        assert_eq!(status, expected, "{second}");
        let memento = format!("Mon, 01 Jun 2026 12:00:{second:02} GMT");
        assert_eq!(header(&headers, "memento-datetime"), memento);
        assert_eq!(header(&headers, "link"), "</kv/a>; rel=\"original\"");
    }
    assert_eq!(
        text(&emulator, "GET", &format!("{STORE}/kv/a")).await.0,
        404
    );
    for (path, second, expected) in [
        ("kv?$select=value", 5, r#"{"items":[{"value":"first"}]}"#),
        (
            "kv?$select=value",
            10,
            r#"{"items":[{"value":"second"},{"value":"new"}]}"#,
        ),
        ("keys", 5, r#"{"items":[{"name":"a"}]}"#),
        (
            "revisions?$select=value&key=a",
            5,
            r#"{"items":[{"value":"first"}]}"#,
        ),
    ] {
        assert_eq!(get(&emulator, &at(path, second)).await.2, expected);
    }
    let future = Call::new("GET", &format!("{STORE}/kv"))
        .header("accept-datetime", "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(
        header(&get(&emulator, &future).await.1, "memento-datetime"),
        ""
    );
    let bad = Call::new("GET", &format!("{STORE}/kv")).header("accept-datetime", "then");
    assert_eq!(get(&emulator, &bad).await.0, 400);
}

#[tokio::test]
async fn a_page_of_the_past_has_both_links() {
    let (emulator, store) = world();
    store.page_size(2);
    emulator.clock().advance(Duration::from_secs(10));
    let now = emulator.clock().now() - time::Duration::seconds(5);
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let call = Call::new("GET", &format!("{STORE}/kv"))
        .header("accept-datetime", &now.format(&format).expect("a date"));
    let (_, headers, _) = get(&emulator, &call).await;
    let link = header(&headers, "link");
    assert!(
        link.contains("rel=\"next\", <") && link.contains("rel=\"original\""),
        "{link}"
    );
}

#[tokio::test]
async fn tags_of_a_filter_narrow_it_whoever_orders_the_snapshot() {
    let (emulator, store) = world();
    for (key, team, tier) in [
        ("c", "orders", "1"),
        ("d", "orders", "2"),
        ("e", "shop", "1"),
    ] {
        let setting = Setting::new(key, key).tag("team", team).tag("tier", tier);
        store.put(setting);
    }
    let tags = ["team=orders", "tier=1"];
    let order = NewSnapshot::new("here").filter_tagged("*", None, &tags);
    store.create_snapshot(order).expect("a good order");
    let body = r#"{"filters":[{"key":"*","tags":["team=orders","tier=1"]}]}"#;
    let put = Call::new("PUT", &url("snapshots/there")).json(body);
    assert_eq!(get(&emulator, &put).await.0, 201);
    let shown = r#"[{"key":"*","label":null,"tags":["team=orders","tier=1"]}]"#;
    for name in ["here", "there"] {
        assert_eq!(
            content(&emulator, name).await,
            pairs(&[("c", "c")]),
            "{name}"
        );
        let snapshot = json(&emulator, &format!("snapshots/{name}")).await;
        assert_eq!(snapshot["filters"].to_string(), shown, "{name}");
    }
    let bad = NewSnapshot::new("bad").filter_tagged("*", None, &["team"]);
    assert!(store.create_snapshot(bad).is_err(), "no value");
}

fn sequence(headers: &http::HeaderMap) -> u64 {
    let token = header(headers, "sync-token");
    let (_, number) = token.rsplit_once("sn=").expect("a sequence number");
    number.parse().expect("a number")
}

#[tokio::test]
async fn snapshots_count_in_sync_tokens_when_ordered_made_archived_and_taken_back() {
    let (emulator, store) = world();
    let body = r#"{"filters":[{"key":"*"}]}"#;
    let put = Call::new("PUT", &url("snapshots/s1")).json(body);
    let (status, headers, _) = get(&emulator, &put).await;
    assert_eq!(
        (status, sequence(&headers)),
        (201, 5),
        "after four settings"
    );
    let (_, headers, body) = text(&emulator, "GET", &url("operations?snapshot=s1")).await;
    assert_eq!(sequence(&headers), 6, "{body}");
    assert!(body.contains("Succeeded"), "{body}");
    for (status, expected) in [("archived", 7), ("ready", 8)] {
        let change = format!(r#"{{"status":"{status}"}}"#);
        let patch = Call::new("PATCH", &url("snapshots/s1")).json(&change);
        let (_, headers, body) = get(&emulator, &patch).await;
        assert_eq!(sequence(&headers), expected, "{body}");
    }
    assert!(store.sync_token().ends_with(";sn=8"));
    let revisions = json(&emulator, "revisions").await;
    assert_eq!(revisions["items"].as_array().map(Vec::len), Some(4));
}
