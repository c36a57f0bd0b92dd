//! Real traffic: every settings listing of `CONFIG_AZURE_RECORDINGS`, through the parser and through the client.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::scripted::{Reply, Seen};
use super::{scripted, scripted_with, shown};
use crate::setting::Label;
use crate::store::link::{continuation, next_in_header};
use crate::store::{Scope, Sentinel, SettingSelector, wire};

/// The exchanges of all recordings, or `None` with a word about why.
#[expect(
    clippy::disallowed_methods,
    reason = "the one variable that tests look at"
)]
pub(super) fn exchanges() -> Option<Vec<Value>> {
    let Ok(folder) = std::env::var("CONFIG_AZURE_RECORDINGS") else {
        skipped("CONFIG_AZURE_RECORDINGS is not set");
        return None;
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(PathBuf::from(folder)).expect("the folder of recordings") {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".json") && name.starts_with("appconfig-") {
            let text = std::fs::read_to_string(&path).unwrap();
            let records: Vec<Value> = serde_json::from_str(&text).unwrap();
            let of = |record: &Value| record["exchanges"].as_array().cloned().unwrap_or_default();
            all.extend(records.iter().flat_map(of));
        }
    }
    Some(all)
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}; it names the folder of recorded service traffic");
}

#[expect(
    clippy::print_stderr,
    reason = "the count is what the reader wants to see"
)]
pub(super) fn counted(what: &str, count: usize) {
    eprintln!("{count} {what}");
}

pub(super) fn header(exchange: &Value, name: &str) -> Option<String> {
    let headers = exchange["response"]["headers"].as_object()?;
    let mut found = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    found
        .next()
        .and_then(|(_, value)| value.as_str())
        .map(str::to_owned)
}

/// A listing, unless it was asked for without keys (`$select`), which nothing that reads settings would do.
fn is_list(exchange: &Value) -> bool {
    let url = exchange["request"]["url"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let selected = url
        .split_once("$select=")
        .map(|(_, rest)| rest.split('&').next().unwrap_or_default());
    let has_keys = selected.is_none_or(|fields| fields.is_empty() || fields.contains("key"));
    has_keys
        && exchange["response"]["status"] == 200
        && header(exchange, "content-type")
            .is_some_and(|text| text.contains("appconfig.kvset+json"))
}

#[test]
fn every_listing_and_every_setting_is_read() {
    let Some(exchanges) = exchanges() else { return };
    let (mut lists, mut settings, mut single, mut links) = (0, 0, 0, 0);
    for exchange in &exchanges {
        let body = exchange["response"]["body"].to_string();
        let content_type = header(exchange, "content-type").unwrap_or_default();
        if is_list(exchange) {
            let page = wire::list_page(body.as_bytes()).unwrap();
            let items = exchange["response"]["body"]["items"].as_array().unwrap();
            assert_eq!(page.items.len(), items.len());
            for (setting, item) in page.items.iter().zip(items) {
                assert_eq!(setting.value(), item["value"].as_str());
                assert_eq!(
                    setting.label().as_str(),
                    item["label"].as_str().filter(|l| !l.is_empty())
                );
                assert!(setting.etag().as_str() == item["etag"].as_str().unwrap_or_default());
            }
            lists += 1;
            settings += items.len();
        } else if content_type.contains("appconfig.kv+json")
            && exchange["response"]["status"] == 200
        {
            // Some answers to a HEAD were recorded with the type and without a body.
            if exchange["response"]["body"].is_object() {
                wire::setting(body.as_bytes()).unwrap();
                single += 1;
            }
        }
        if let Some(link) = header(exchange, "link") {
            let next = next_in_header(&link);
            assert_eq!(next.is_some(), link.contains("rel=\"next\""), "{link}");
            if let Some(next) = next {
                let request = exchange["request"]["url"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap();
                continuation(next, &request).unwrap();
                links += 1;
            }
        }
    }
    counted("listings", lists);
    counted("settings in them", settings);
    counted("single settings", single);
    counted("next links", links);
    assert!(lists > 80 && settings > 200 && single > 200 && links >= 3);
}

/// Each recorded listing, as the answer to our own request: the same settings come out, and the sync token goes
/// into the next request.
#[tokio::test(start_paused = true)]
async fn each_listing_through_the_client() {
    let Some(exchanges) = exchanges() else { return };
    let mut replayed = 0;
    for exchange in exchanges.into_iter().filter(is_list) {
        let body = exchange["response"]["body"].clone();
        if body["@nextLink"].is_string() {
            continue;
        }
        let token = header(&exchange, "sync-token");
        let (text, sent) = (body.to_string(), token.clone());
        let (transport, store) = scripted(&[SettingSelector::all()], move |_: &Seen| {
            let token = sent.as_deref().map(|token| ("sync-token", token));
            Reply::json("kvset", &text, token.as_slice())
        });
        let walk = store.load(&|_| {}).await.unwrap();
        assert_eq!(shown(&walk), winners(&body));
        store.check(&walk, Scope::Both).await.unwrap();
        let second = &transport.take()[1];
        let expected = token.map(|token| token.split(";sn=").next().unwrap().to_owned());
        assert_eq!(second.header("sync-token").map(str::to_owned), expected);
        replayed += 1;
    }
    counted("listings replayed", replayed);
    assert!(replayed > 80);
}

/// Each recorded walk of two pages: both come out, the second is asked for with the recorded continuation, and where
/// neither has changed the walk goes on over both.
#[tokio::test(start_paused = true)]
async fn each_walk_over_pages_through_the_client() {
    let Some(exchanges) = exchanges() else { return };
    let lists: Vec<Value> = exchanges.into_iter().filter(is_list).collect();
    let mut replayed = 0;
    for first in &lists {
        let next = first["response"]["body"]["@nextLink"].as_str();
        // Not those over revisions.
        let Some(after) = next.filter(|link| link.starts_with("/kv")).and_then(after) else {
            continue;
        };
        let is_next = |exchange: &&Value| {
            let url = exchange["request"]["url"].as_str().unwrap();
            self::after(url).as_ref() == Some(&after)
        };
        let Some(second) = lists.iter().find(is_next) else {
            continue;
        };
        if second["response"]["body"]["@nextLink"].is_string() {
            continue;
        }
        let mut both = first["response"]["body"].clone();
        let rest = second["response"]["body"]["items"].as_array().unwrap();
        both["items"]
            .as_array_mut()
            .unwrap()
            .extend_from_slice(rest);

        let pages = [first.clone(), second.clone()];
        let (transport, store) = scripted(&[SettingSelector::all()], move |seen: &Seen| {
            let at = usize::from(self::after(&seen.line).is_some());
            page(&pages[at], &format!("\"page-{at}\""), seen)
        });
        let walk = store.load(&|_| {}).await.unwrap();
        assert_eq!(shown(&walk), winners(&both));
        store.check(&walk, Scope::Both).await.unwrap();
        let asked: Vec<_> = transport
            .take()
            .iter()
            .map(|seen| {
                let known = seen.header("if-none-match").map(str::to_owned);
                (self::after(&seen.line), known)
            })
            .collect();
        let known = |at: usize| Some(format!("\"page-{at}\""));
        let next = Some(after);
        let wanted = [
            (None, None),
            (next.clone(), None),
            (None, known(0)),
            (next, known(1)),
        ];
        assert_eq!(asked, wanted);
        replayed += 1;
    }
    counted("walks over two pages replayed", replayed);
    assert_eq!(replayed, 2);
}

/// The continuation in a URL or in a part of one.
fn after(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let after = pairs.find(|(name, _)| name == "after");
    after.map(|(_, value)| value.into_owned())
}

/// The recorded page, with an ETag of ours: these recordings are older than those of pages.
fn page(recorded: &Value, etag: &str, seen: &Seen) -> Reply {
    // Older clients asked for `/kv/`, and were led on from there.
    let link = header(recorded, "link").map(|link| link.replace("/kv/?", "/kv?"));
    let mut headers = vec![("etag", etag)];
    headers.extend(link.as_deref().map(|link| ("link", link)));
    if seen.header("if-none-match") == Some(etag) {
        return Reply::status(304, &headers);
    }
    let body = recorded["response"]["body"].to_string();
    Reply::json("kvset", &body.replace("/kv/?", "/kv?"), &headers)
}

/// `key=value` of the settings in a listing that are no feature flags, the last of each key.
pub(super) fn winners(body: &Value) -> Vec<String> {
    let text = |item: &Value, name: &str| item[name].as_str().map(str::to_owned);
    let mut last = BTreeMap::new();
    for item in body["items"].as_array().unwrap() {
        let content_type = text(item, "content_type").unwrap_or_default();
        if !content_type.contains("appconfig.ff") {
            let value = text(item, "value").unwrap_or_else(|| "(null)".to_owned());
            last.insert(text(item, "key").unwrap(), value);
        }
    }
    let shown = last
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"));
    shown.collect()
}

/// Each recorded read of one setting, as the answer to a look at a sentinel: its ETag goes back byte for byte, a
/// 304 is no error and a 404 is a state.
#[tokio::test(start_paused = true)]
async fn each_single_read_through_the_client() {
    let Some(exchanges) = exchanges() else { return };
    let (mut found, mut unchanged, mut absent) = (0, 0, 0);
    for exchange in exchanges.into_iter().filter(is_single_read) {
        let etag = header(&exchange, "etag").or_else(|| {
            let headers = exchange["request"]["headers"].as_object()?;
            headers.get("If-None-Match")?.as_str().map(str::to_owned)
        });
        let status = exchange["response"]["status"].as_u64().unwrap();
        let (recorded, known) = (exchange, etag.clone());
        let (transport, store) = scripted_with(
            &[],
            |options| {
                options.sentinels = vec![Sentinel {
                    key: "k".into(),
                    label: Label::none(),
                }];
            },
            move |seen| answer(&recorded, known.as_deref(), seen),
        );
        let walk = store.load(&|_| {}).await.unwrap();
        transport.take();
        assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
        let looks = transport.take();
        assert_eq!(looks.len(), 1, "it guards the rest");
        let second = &looks[0];
        match status {
            404 => absent += 1,
            304 => unchanged += 1,
            _ => found += 1,
        }
        let sent = second.header("if-none-match").map(str::to_owned);
        assert_eq!(sent, etag.filter(|_| status != 404));
    }
    counted("single reads replayed", found);
    counted("of status 304", unchanged);
    counted("of status 404", absent);
    assert!(found > 15 && unchanged >= 2 && absent > 25);
}

fn is_single_read(exchange: &Value) -> bool {
    let url = exchange["request"]["url"].as_str().unwrap_or_default();
    let is_item = url
        .split_once("/kv/")
        .is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('?'));
    let status = exchange["response"]["status"].as_u64();
    exchange["request"]["method"] == "GET" && is_item && matches!(status, Some(200 | 304 | 404))
}

/// The recorded answer; where that is a 304, the first look gets the setting that it is about.
fn answer(recorded: &Value, etag: Option<&str>, seen: &Seen) -> Reply {
    if seen.line.starts_with("/kv?") {
        return Reply::list("", &[]);
    }
    let etag = etag.map(|etag| ("etag", etag));
    if recorded["response"]["status"] == 404 {
        return Reply::status(404, &[]);
    }
    if seen.header("if-none-match").is_some() {
        return Reply::status(304, etag.as_slice());
    }
    let body = match &recorded["response"]["body"] {
        body @ Value::Object(_) => body.clone(),
        _ => serde_json::json!({"key": "k", "etag": "unused"}),
    };
    Reply::json("kv", &body.to_string(), etag.as_slice())
}

/// Every recorded description of a snapshot is read.
#[test]
fn every_snapshot_is_read() {
    let Some(exchanges) = exchanges() else { return };
    let mut read = 0;
    for exchange in &exchanges {
        let content_type = header(exchange, "content-type").unwrap_or_default();
        if content_type.contains("appconfig.snapshot+json")
            && exchange["response"]["body"].is_object()
        {
            let body = exchange["response"]["body"].to_string();
            let info = wire::snapshot_info(body.as_bytes()).unwrap();
            assert_eq!(exchange["response"]["body"]["status"], *info.status);
            read += 1;
        }
    }
    counted("snapshots", read);
    assert!(read > 10);
}
