//! `/kv`, `/revisions`, `/keys` and `/labels`: filters, pages, page ETags, conditional walks.

mod common;

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

fn numbered(store: &StoreHandle, count: usize) {
    for n in 0..count {
        store.set(&format!("key{n:04}"), None, format!("value {n}"));
    }
}

/// The keys (with labels after `/`) of the first page of this query.
async fn keys(emulator: &Emulator, query: &str) -> Vec<String> {
    let url = format!("{STORE}/kv?api-version=2023-11-01&{query}");
    let (status, _, body) = text(emulator, "GET", &url).await;
    assert_eq!(status, 200, "{query}: {body}");
    let page: Value = serde_json::from_str(&body).expect("JSON");
    let items = page["items"].as_array().expect("items").iter();
    let names = items.map(|item| match item["label"].as_str() {
        Some(label) => format!("{}/{label}", item["key"].as_str().expect("key")),
        None => item["key"].as_str().expect("key").to_owned(),
    });
    names.collect()
}

/// One step of a walk: status, ETag header, next page's URL.
async fn step(emulator: &Emulator, url: &str, etag: Option<&str>) -> (u16, String, Option<String>) {
    let mut call = Call::new("GET", url);
    if let Some(etag) = etag {
        call = call.header("if-none-match", etag);
    }
    let (status, headers, body) = get(emulator, &call).await;
    let link = header(&headers, "link");
    let next = link
        .strip_suffix(">; rel=\"next\"")
        .and_then(|l| l.strip_prefix('<'));
    if status == 200 {
        let page: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(page["@nextLink"].as_str(), next, "body and header agree");
        let quoted = format!("\"{}\"", page["etag"].as_str().expect("an ETag"));
        assert_eq!(header(&headers, "etag"), quoted, "body and header agree");
    } else {
        assert_eq!(body, "", "304 has no body");
    }
    let etag = header(&headers, "etag").to_owned();
    (status, etag, next.map(|next| format!("{STORE}{next}")))
}

/// Walks all pages, sending these ETags: statuses and the ETags of the answers.
async fn walk(emulator: &Emulator, query: &str, etags: &[String]) -> (Vec<u16>, Vec<String>) {
    let mut url = Some(format!("{STORE}/kv?{query}"));
    let (mut statuses, mut seen) = (Vec::new(), Vec::new());
    while let Some(at) = url {
        let sent = etags.get(statuses.len()).map(String::as_str);
        let (status, etag, next) = step(emulator, &at, sent).await;
        statuses.push(status);
        seen.push(etag);
        url = next;
    }
    (statuses, seen)
}

#[tokio::test]
async fn filters_select_by_key_label_and_tags_over_the_wire() {
    let (emulator, store) = world();
    for key in ["a", "ab", "a,b", "a*", r"a\", "b"] {
        store.set(key, None, "");
    }
    store.set("a", "prod", "");
    store.put(
        Setting::new("t", "")
            .label("prod")
            .tag("team", "blue")
            .tag("env", "x=y"),
    );
    let table: [(&str, &[&str]); 13] = [
        ("key=ab", &["ab"]),
        ("key=b*&label=%00", &["b"]),
        ("key=a%5C*", &["a*"]),
        ("key=a%5C%5C", &[r"a\"]),
        ("key=a%5C,b", &["a,b"]),
        ("key=b,ab", &["ab", "b"]),
        ("key=a", &["a", "a/prod"]),
        ("key=a&label=%00", &["a"]),
        ("key=a&label=", &["a", "a/prod"]),
        ("key=a&label=%00,prod", &["a", "a/prod"]),
        ("label=pro*", &["a/prod", "t/prod"]),
        ("tags=team%3Dblue&tags=env%3Dx%5C%3Dy", &["t/prod"]),
        ("tags=team%3Dblue&tags=env%3Dx", &[]),
    ];
    for (query, expected) in table {
        assert_eq!(keys(&emulator, query).await, expected, "{query}");
    }
    let all = keys(&emulator, "").await;
    assert_eq!(
        all,
        ["a", "a/prod", "a*", "a,b", r"a\", "ab", "b", "t/prod"]
    );
}

#[tokio::test]
async fn bad_filters_are_problems_and_tags_are_ignored_before_their_time() {
    let (emulator, store) = world();
    store.set("a", None, "");
    for query in ["key=a*b", "label=a*b", "key=a,b,c,d,e,f", "tags=a"] {
        let url = format!("{STORE}/kv?api-version=2023-11-01&{query}");
        let (status, headers, body) = text(&emulator, "GET", &url).await;
        assert_eq!(status, 400, "{query}");
        assert_eq!(
            header(&headers, "content-type"),
            "application/problem+json; charset=utf-8"
        );
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            problem["type"],
            "https://azconfig.io/errors/invalid-argument"
        );
        assert_eq!(problem["name"], query.split('=').next().expect("a name"));
    }
    let url = format!("{STORE}/kv?api-version=2023-10-01&tags=team%3Dblue");
    assert!(
        text(&emulator, "GET", &url)
            .await
            .2
            .contains("\"key\":\"a\"")
    );
}

#[tokio::test]
async fn an_exactly_full_last_page_is_followed_by_an_empty_one_with_an_etag() {
    let (emulator, store) = world();
    numbered(&store, 200);
    let query = "api-version=2023-11-01";
    let (statuses, etags) = walk(&emulator, query, &[]).await;
    assert_eq!(statuses, [200, 200, 200]);
    assert!(etags.iter().all(|etag| etag.len() > 2));
    assert_eq!(
        keys(&emulator, "after=a2V5MDE5OQo%3D").await.len(),
        0,
        "after key0199"
    );
    let (statuses, _) = walk(&emulator, query, &etags).await;
    assert_eq!(statuses, [304, 304, 304]);
    store.set("key0200", None, "one more");
    let (statuses, _) = walk(&emulator, query, &etags).await;
    assert_eq!(statuses, [304, 304, 200]);
}

#[tokio::test]
async fn a_conditional_walk_finds_its_way_by_links_alone() {
    let (emulator, store) = world();
    store.page_size(10);
    numbered(&store, 25);
    let query = "api-version=2023-11-01";
    let (_, etags) = walk(&emulator, query, &[]).await;
    store.set("key0012", None, "changed");
    let (statuses, seen) = walk(&emulator, query, &etags).await;
    assert_eq!(statuses, [304, 200, 304]);
    assert_eq!(
        (seen[0].as_str(), seen[2].as_str()),
        ("", ""),
        "no ETag on 304"
    );
    assert_ne!(seen[1], etags[1]);
    store.etag_on_304(true);
    let (_, seen) = walk(&emulator, query, &etags).await;
    assert_eq!((&seen[0], &seen[2]), (&etags[0], &etags[2]));
}

#[tokio::test]
async fn the_page_etag_does_not_depend_on_the_selected_fields() {
    let (emulator, store) = world();
    numbered(&store, 3);
    let query = "api-version=2023-11-01";
    let (_, whole) = walk(&emulator, query, &[]).await;
    let (_, keys) = walk(&emulator, &format!("{query}&%24select=key"), &[]).await;
    let (_, filtered) = walk(&emulator, &format!("{query}&key=key0001"), &[]).await;
    assert_eq!(whole, keys);
    assert_ne!(whole, filtered);
}

#[tokio::test]
async fn pages_of_several_tag_filters_stay_filtered() {
    let (emulator, store) = world();
    store.page_size(2);
    for n in 0..5 {
        store.put(
            Setting::new(format!("key{n}"), "")
                .tag("a", "1")
                .tag("b", "2"),
        );
        store.put(Setting::new(format!("key{n}x"), "").tag("a", "1"));
    }
    let query = "api-version=2023-11-01&tags=a%3D1&tags=b%3D2";
    assert_eq!(walk(&emulator, query, &[]).await.0, [200, 200, 200]);
}

#[tokio::test]
async fn version_1_0_has_no_page_etags_and_head_has_everything_but_a_body() {
    let (emulator, store) = world();
    numbered(&store, 100);
    let (status, headers, body) = text(&emulator, "GET", &format!("{STORE}/kv")).await;
    assert_eq!((status, header(&headers, "etag")), (200, ""));
    assert!(!body.contains("\"etag\":\"\"") && body.starts_with("{\"items\""));
    let url = format!("{STORE}/kv?api-version=2023-11-01");
    let (_, of_get, _) = text(&emulator, "GET", &url).await;
    let (status, of_head, body) = text(&emulator, "HEAD", &url).await;
    assert_eq!((status, body.as_str()), (200, ""));
    for name in ["etag", "link", "content-type"] {
        assert_eq!(header(&of_head, name), header(&of_get, name));
        assert_ne!(header(&of_head, name), "");
    }
    let call = Call::new("GET", &url).header("if-match", "\"other\"");
    assert_eq!(get(&emulator, &call).await.0, 412);
}

#[tokio::test]
async fn fields_are_selected_by_name() {
    let (emulator, store) = world();
    store.put(
        Setting::new("a", "1")
            .label("prod")
            .content_type("text/plain")
            .tag("t", "v"),
    );
    let list = |query: &str| format!("{STORE}/kv?api-version=2023-11-01&{query}");
    for (query, expected) in [
        ("$Select=key,unknown", r#"[{"key":"a"}]"#),
        ("fields=label%2Cvalue", r#"[{"label":"prod","value":"1"}]"#),
    ] {
        let (_, _, body) = text(&emulator, "GET", &list(query)).await;
        let page: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(page["items"].to_string(), expected);
    }
    for query in ["", "$select=", "$select=*"] {
        let (_, _, body) = text(&emulator, "GET", &list(query)).await;
        let names = [
            "etag",
            "key",
            "label",
            "content_type",
            "value",
            "tags",
            "locked",
        ];
        assert!(
            names.iter().all(|n| body.contains(&format!("\"{n}\":"))),
            "{body}"
        );
        assert!(!body.contains("description"));
    }
    let url = format!("{STORE}/kv?api-version=2026-04-01");
    assert!(
        text(&emulator, "GET", &url)
            .await
            .2
            .contains("\"description\":null")
    );
}

#[tokio::test]
async fn keys_and_labels_are_distinct_paged_and_filtered() {
    let (emulator, store) = world();
    store.page_size(2);
    for (key, label) in [
        ("a", None),
        ("a", Some("x")),
        ("b", Some("x")),
        ("c", Some("y")),
    ] {
        store.set(key, label, "");
    }
    let url = |rest: &str| format!("{STORE}/{rest}");
    let (_, headers, body) = text(&emulator, "GET", &url("keys?api-version=2023-11-01")).await;
    assert!(
        body.starts_with(r#"{"items":[{"name":"a"},{"name":"b"}],"#),
        "{body}"
    );
    let next = header(&headers, "link");
    let next = next
        .trim_start_matches('<')
        .split('>')
        .next()
        .expect("a link");
    let (_, _, body) = text(&emulator, "GET", &format!("{STORE}{next}")).await;
    assert_eq!(body, r#"{"items":[{"name":"c"}]}"#);
    let (_, headers, body) = text(&emulator, "GET", &url("labels")).await;
    assert!(
        body.starts_with(r#"{"items":[{"name":null},{"name":"x"}]"#),
        "{body}"
    );
    assert!(header(&headers, "content-type").contains("labelset"));
    let (_, _, body) = text(&emulator, "GET", &url("labels?name=y")).await;
    assert_eq!(body, r#"{"items":[{"name":"y"}]}"#);
}

#[tokio::test]
async fn revisions_are_newest_first_and_paged() {
    let (emulator, store) = world();
    store.page_size(2);
    for value in ["1", "2", "3"] {
        store.set("a", None, value);
    }
    store.delete("a", None);
    let url = format!("{STORE}/revisions?key=a&$select=value&api-version=1.0");
    let (_, headers, body) = text(&emulator, "GET", &url).await;
    assert!(
        body.starts_with(r#"{"items":[{"value":"3"},{"value":"2"}]"#),
        "{body}"
    );
    let next = header(&headers, "link");
    let next = next
        .trim_start_matches('<')
        .split('>')
        .next()
        .expect("a link");
    let (_, _, body) = text(&emulator, "GET", &format!("{STORE}{next}")).await;
    assert_eq!(body, r#"{"items":[{"value":"1"}]}"#);
}
