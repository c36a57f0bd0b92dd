//! A world in which a recorded answer is the right one, and the request to be made in it.

use std::time::Duration;

use azure_core::credentials::TokenCredential as _;
use config_azure_emulator::{Composition, Emulator, NewSnapshot, Setting, StoreHandle};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::common::Call;
use crate::decoys;
use crate::exchange::Exchange;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The world, the request, and how much there is in the world that must not show.
pub async fn world(exchange: &Exchange) -> (Emulator, Call, usize) {
    let builder = Emulator::builder().store(exchange.host());
    let emulator = match memento(exchange) {
        Some(date) => builder.clock_start(date).in_memory(),
        None => builder.in_memory(),
    };
    let store = emulator.store(exchange.host());
    furnish(&store, exchange);
    let mut decoys = decoys::neighbours(&store, exchange);
    if memento(exchange).is_some() {
        emulator.clock().advance(DAY);
    }
    if memento(exchange).is_some() || exchange.query("snapshot").is_some() {
        decoys += decoys::later_writes(&store);
    }
    let mut call = request(&store, exchange);
    if exchange.status == 403 {
        let token = emulator
            .credential()
            .get_token(&["https://azconfig.io/.default"], None)
            .await;
        let token = token.expect("a token");
        call = call.header("authorization", &format!("Bearer {}", token.token.secret()));
        store.forbid(true);
    } else {
        store.anonymous(true);
    }
    (emulator, call, decoys)
}

/// The moment that the answer shows, if it shows the past.
fn memento(exchange: &Exchange) -> Option<OffsetDateTime> {
    let text = exchange.answer_headers.get("memento-datetime")?;
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = time::PrimitiveDateTime::parse(text, &format).expect("a date");
    Some(date.assume_utc())
}

/// The recorded request without its credentials, and with what some recorders left out.
fn request(store: &StoreHandle, exchange: &Exchange) -> Call {
    let mut url = exchange.url.clone();
    if exchange.is("revisions") {
        // The service's continuation of revisions is a time of its own.
        let kept: Vec<_> = exchange
            .url
            .query_pairs()
            .filter(|(n, _)| n != "after")
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    let mut call = Call::new(&exchange.method, url.as_str());
    for name in ["accept", "if-match", "if-none-match", "accept-datetime"] {
        if let Some(value) = exchange.headers.get(name) {
            call = call.header(name, value);
        }
    }
    if let (Some(date), None) = (
        exchange.answer_headers.get("memento-datetime"),
        exchange.headers.get("accept-datetime"),
    ) {
        call = call.header("accept-datetime", date);
    }
    if exchange.status == 304 {
        call.headers.retain(|(name, _)| name != "if-none-match");
        let setting = named_setting(exchange);
        let etag = store
            .get(&setting.key, setting.label.as_deref())
            .expect("it is there")
            .etag;
        call = call.header("if-none-match", &format!("\"{etag}\""));
    }
    call
}

fn furnish(store: &StoreHandle, exchange: &Exchange) {
    let items = exchange.body["items"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    store.page_size(if exchange.links_to("next") {
        items.len()
    } else {
        items.len() + 1
    });
    match exchange.target() {
        ("kv", name) if name.is_empty() => {
            for item in &items {
                store.put(setting(item, exchange));
            }
            // A snapshot that does not exist is an empty page.
            if let Some(name) = exchange.query("snapshot").filter(|_| !items.is_empty()) {
                let all = NewSnapshot::new(name)
                    .filter("*", Some("*"))
                    .composition(Composition::KeyLabel);
                store.create_snapshot(all).expect("a good order");
            }
        }
        ("kv", _) => match (exchange.status, &exchange.body) {
            (200, Value::Object(_)) => drop(store.put(setting(&exchange.body, exchange))),
            (200 | 304, _) => drop(store.put(named_setting(exchange))),
            _ => {}
        },
        ("revisions", _) => {
            for item in items.iter().rev() {
                store.put(setting(item, exchange));
            }
        }
        ("snapshots", name) if name.is_empty() => {
            for item in &items {
                snapshot(store, item);
            }
        }
        ("snapshots", _) if exchange.status == 200 => snapshot(store, &exchange.body),
        ("operations", _) => {
            let name = exchange.query("snapshot").expect("a snapshot");
            let order = NewSnapshot::new(name).filter("*", None);
            let running = exchange.body["status"] == "Running";
            let order = order.ready_in(if running { DAY } else { Duration::ZERO });
            store.create_snapshot(order).expect("a good order");
        }
        _ => {}
    }
}

fn text(item: &Value, name: &str) -> Option<String> {
    item[name].as_str().map(str::to_owned)
}

fn setting(item: &Value, asked: &Exchange) -> Setting {
    // An answer of selected fields may lack key or label, but then the request names them.
    let named = |name: &str| asked.query(name).filter(|text| !text.contains('*'));
    let key = text(item, "key").or_else(|| named("key"));
    let mut setting = Setting::new(key.unwrap_or_default(), "");
    setting.value = text(item, "value");
    setting.label = match item.get("label") {
        Some(label) => label.as_str().map(str::to_owned),
        None => named("label").filter(|label| label != "\0"),
    };
    setting.content_type = text(item, "content_type");
    setting.locked = item["locked"] == true;
    let tags = item["tags"].as_object().into_iter().flatten();
    let tags = tags.map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned)));
    setting.tags = tags.collect();
    setting
}

/// A setting that the request names, where the answer does not show it.
fn named_setting(exchange: &Exchange) -> Setting {
    let label = exchange.query("label").filter(|label| label != "\0");
    Setting::new(exchange.target().1, "").label(label.unwrap_or_default())
}

/// A snapshot like the recorded one, of as many settings.
fn snapshot(store: &StoreHandle, recorded: &Value) {
    let mut order = NewSnapshot::new(text(recorded, "name").expect("a name"));
    for filter in recorded["filters"].as_array().into_iter().flatten() {
        let key = text(filter, "key").expect("a key filter");
        let label = text(filter, "label");
        order = order.filter(key.clone(), label.as_deref());
        for number in 0..recorded["items_count"].as_u64().unwrap_or_default() {
            let key = match key.strip_suffix('*') {
                Some(prefix) => format!("{prefix}{number}"),
                None => key.clone(),
            };
            store.put(Setting::new(key, "x").label(label.clone().unwrap_or_default()));
        }
    }
    if order.filters.is_empty() {
        order = order.filter("*", None);
    }
    let tags = recorded["tags"].as_object().into_iter().flatten();
    let tags = tags.map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned)));
    order.tags = tags.collect();
    order.composition = Composition::KeyLabel;
    if recorded["status"] == "provisioning" {
        order.ready_in = DAY;
    }
    let name = order.name.clone();
    store.create_snapshot(order).expect("a good order");
    if recorded["status"] == "archived" {
        store.archive_snapshot(&name, true);
    }
}
