//! `/kv/{key}` and `/locks/{key}`: reading, writing, preconditions, refusals.

mod common;

use std::time::Duration;

use common::{Call, get, header, text};
use config_azure_emulator::{Emulator, Setting, StoreHandle};
use serde_json::Value;

const STORE: &str = "https://contoso.azconfig.io";

fn world() -> (Emulator, StoreHandle) {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    store.anonymous(true);
    (emulator, store)
}

fn item(key: &str) -> String {
    format!("{STORE}/kv/{key}?api-version=2023-11-01")
}

#[tokio::test]
async fn a_setting_is_written_read_and_deleted() {
    let (emulator, store) = world();
    let url = format!("{}&label=prod", item("orders%3Atitle%2Flong"));
    let body = r#"{"value":"Shop","content_type":"text/plain","tags":{"team":"blue"}}"#;
    let (status, headers, written) = get(&emulator, &Call::new("PUT", &url).json(body)).await;
    assert_eq!(status, 200, "{written}");
    let (_, of_get, read) = text(&emulator, "GET", &url).await;
    assert_eq!(read, written);
    let value: Value = serde_json::from_str(&read).expect("JSON");
    assert_eq!(value["key"], "orders:title/long");
    assert_eq!(value["label"], "prod");
    assert_eq!(value["tags"]["team"], "blue");
    assert_eq!(value["locked"], false);
    assert_eq!(
        header(&headers, "etag"),
        format!("\"{}\"", value["etag"].as_str().expect("etag"))
    );
    assert_eq!(header(&of_get, "etag"), header(&headers, "etag"));
    assert!(header(&of_get, "last-modified").ends_with("GMT"));
    assert!(header(&of_get, "content-type").contains("appconfig.kv+json"));
    assert_eq!(
        text(&emulator, "GET", &item("orders%3Atitle%2Flong"))
            .await
            .0,
        404,
        "null label"
    );
    let (status, _, deleted) = text(&emulator, "DELETE", &url).await;
    assert_eq!((status, deleted), (200, read));
    assert_eq!(text(&emulator, "DELETE", &url).await.0, 204);
    assert_eq!(store.settings(), []);
}

#[tokio::test]
async fn an_absent_setting_is_404_without_a_body() {
    let (emulator, _) = world();
    for method in ["GET", "HEAD"] {
        let (status, _, body) = text(&emulator, method, &item("none")).await;
        assert_eq!((status, body.as_str()), (404, ""));
    }
    assert_eq!(
        text(&emulator, "PUT", &format!("{STORE}/locks/none"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn preconditions_of_reads_and_writes() {
    let (emulator, store) = world();
    let current = format!("\"{}\"", store.set("a", None, "1"));
    let table = [
        ("GET", "if-none-match", current.as_str(), 304),
        ("GET", "if-none-match", "*", 304),
        ("GET", "if-none-match", "\"other\"", 200),
        ("GET", "if-none-match", "\"other\", \"second\"", 200),
        ("GET", "if-match", current.as_str(), 200),
        ("GET", "if-match", "\"other\"", 412),
        ("PUT", "if-none-match", "*", 412),
        ("PUT", "if-match", "\"other\"", 412),
        ("DELETE", "if-match", "\"other\"", 412),
    ];
    for (method, name, value, expected) in table {
        let call = Call::new(method, &item("a"))
            .json(r#"{"value":"2"}"#)
            .header(name, value);
        let (status, headers, body) = get(&emulator, &call).await;
        assert_eq!(status, expected, "{method} {name}: {value}");
        if status == 304 {
            assert_eq!(
                (header(&headers, "etag"), body.as_str()),
                (current.as_str(), "")
            );
        }
    }
    let call = Call::new("PUT", &item("new"))
        .json("{}")
        .header("if-match", "*");
    assert_eq!(get(&emulator, &call).await.0, 412);
    let call = Call::new("PUT", &item("new"))
        .json("{}")
        .header("if-none-match", "*");
    assert_eq!(get(&emulator, &call).await.0, 200);
    let call = Call::new("DELETE", &item("a")).header("if-match", &current);
    assert_eq!(get(&emulator, &call).await.0, 200);
}

#[tokio::test]
async fn writing_the_same_content_again_gives_a_new_etag_as_recorded() {
    let (_, store) = world();
    assert_ne!(store.set("a", None, "1"), store.set("a", None, "1"));
}

#[tokio::test]
async fn a_locked_setting_cannot_be_changed() {
    let (emulator, store) = world();
    let before = store.set("a", None, "1");
    let lock = format!("{STORE}/locks/a?api-version=1.0");
    let (status, _, body) = text(&emulator, "PUT", &lock).await;
    assert_eq!((status, body.contains("\"locked\":true")), (200, true));
    let locked = store.get("a", None).expect("a");
    assert!(locked.locked && locked.etag != before);
    for method in ["PUT", "DELETE"] {
        let call = Call::new(method, &item("a")).json(r#"{"value":"2"}"#);
        let (status, _, body) = get(&emulator, &call).await;
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(status, 409);
        assert_eq!(problem["type"], "https://azconfig.io/errors/key-locked");
        assert_eq!(problem["title"], "Modifing key 'a' is not allowed");
    }
    assert_eq!(text(&emulator, "DELETE", &lock).await.0, 200);
    assert_eq!(text(&emulator, "DELETE", &item("a")).await.0, 200);
    assert_eq!(text(&emulator, "GET", &lock).await.0, 405);
}

#[tokio::test]
async fn a_problem_comes_in_the_media_type_that_the_client_accepts() {
    const KV: &str = "application/vnd.microsoft.appconfig.kv+json";
    const PROBLEM: &str = "application/problem+json";
    let (emulator, store) = world();
    let mut setting = Setting::new("a", "1");
    setting.locked = true;
    store.put(setting);
    let both = format!("{KV}, {PROBLEM}");
    let any = format!("{KV};q=0.9, */*;q=0.1");
    for (accept, expected) in [
        (KV, KV),
        (&both, PROBLEM),
        (&any, PROBLEM),
        ("application/json", PROBLEM),
        ("", PROBLEM),
    ] {
        let call = Call::new("PUT", &item("a")).json(r#"{"value":"2"}"#);
        let call = call.header("accept", accept);
        let (status, headers, body) = get(&emulator, &call).await;
        assert_eq!(status, 409, "{body}");
        let expected = format!("{expected}; charset=utf-8");
        assert_eq!(header(&headers, "content-type"), expected, "{accept}");
    }
    let absent = Call::new("GET", &item("none")).header("accept", KV);
    let (status, headers, _) = get(&emulator, &absent).await;
    assert_eq!((status, header(&headers, "content-type")), (404, ""));
}

#[tokio::test(start_paused = true)]
async fn locks_count_as_changes_only_where_they_change_something() {
    let (emulator, store) = world();
    store.set("a", None, "1");
    let lock = format!("{STORE}/locks/a?api-version=1.0");
    let mut before = store.get("a", None).expect("a");
    for (method, changes) in [
        ("DELETE", false),
        ("PUT", true),
        ("PUT", false),
        ("DELETE", true),
    ] {
        tokio::time::advance(Duration::from_secs(10)).await;
        let (_, headers, _) = text(&emulator, method, &lock).await;
        let after = store.get("a", None).expect("a");
        assert_eq!(after.etag != before.etag, changes, "{method}");
        assert_eq!(
            after.last_modified > before.last_modified,
            changes,
            "{method}"
        );
        assert_eq!(header(&headers, "etag"), format!("\"{}\"", after.etag));
        before = after;
    }
}

#[tokio::test]
async fn paths_with_an_escaped_percent_sign_are_refused_but_lists_find_the_key() {
    let (emulator, store) = world();
    store.set("100%", None, "x");
    let (status, _, body) = text(&emulator, "GET", &item("100%25")).await;
    assert_eq!((status, body.as_str()), (400, ""));
    let url = format!("{STORE}/kv?key=100%25&label=%00&api-version=2023-11-01");
    assert!(text(&emulator, "GET", &url).await.2.contains("\"100%\""));
}

#[tokio::test]
async fn keys_with_reserved_characters_are_read_one_by_one() {
    let (emulator, store) = world();
    for (key, escaped) in [
        ("*abc,\\", "%2Aabc%2C%5C"),
        ("a/b", "a%2Fb"),
        ("ä b+", "%C3%A4%20b%2B"),
    ] {
        store.set(key, None, "x");
        assert_eq!(text(&emulator, "GET", &item(escaped)).await.0, 200, "{key}");
    }
    assert_eq!(
        text(&emulator, "GET", &item("a/b")).await.0,
        200,
        "an unescaped slash too"
    );
}

#[tokio::test]
async fn methods_media_types_and_names_are_checked() {
    let (emulator, _) = world();
    for (method, path, expected) in [
        ("POST", "kv/a", 405),
        ("PATCH", "kv/a", 405),
        ("PUT", "kv/", 405),
        ("GET", "locks/a", 405),
        ("GET", "nothing", 404),
    ] {
        let (status, ..) = text(&emulator, method, &format!("{STORE}/{path}")).await;
        assert_eq!(status, expected, "{method} {path}");
    }
    let mut call = Call::new("PUT", &item("a")).header("content-type", "text/plain");
    call.body = "{}".to_owned();
    assert_eq!(get(&emulator, &call).await.0, 415);
    assert_eq!(
        get(&emulator, &Call::new("PUT", &item("a")).json("{"))
            .await
            .0,
        400
    );
    assert_eq!(text(&emulator, "GET", &item(&"k".repeat(257))).await.0, 400);
    assert_eq!(text(&emulator, "GET", &item("a%0Ab")).await.0, 400);
}

#[tokio::test]
async fn api_versions_are_known_defaulted_or_refused() {
    let (emulator, store) = world();
    store.put(Setting::new("a", "1").tag("t", "v"));
    for version in [
        "1.0",
        "2023-10-01",
        "2023-11-01",
        "2024-09-01",
        "2026-04-01",
    ] {
        let url = format!("{STORE}/kv/a?api-version={version}");
        assert_eq!(text(&emulator, "GET", &url).await.0, 200, "{version}");
    }
    assert_eq!(
        text(&emulator, "GET", &format!("{STORE}/kv/a")).await.0,
        200
    );
    for (query, title) in [
        ("api-version=2020-01-01", "Unsupported API version"),
        ("api-version=", "Unsupported API version"),
        (
            "api-version=1.0&api-version=2023-11-01",
            "Ambiguous API version",
        ),
    ] {
        let (status, _, body) = text(&emulator, "GET", &format!("{STORE}/kv/a?{query}")).await;
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, &problem["title"]), (400, &Value::from(title)));
        assert_eq!(problem["name"], "api-version");
    }
    let tagged = |version| format!("{STORE}/kv/a?api-version={version}&tags=t%3Dother");
    assert_eq!(
        text(&emulator, "GET", &tagged("2023-11-01")).await.0,
        200,
        "ignored below"
    );
    assert_eq!(text(&emulator, "GET", &tagged("2024-09-01")).await.0, 404);
    store.newest_api_version("2024-09-01");
    let url = format!("{STORE}/kv/a?api-version=2026-04-01");
    assert_eq!(text(&emulator, "GET", &url).await.0, 400);
}
