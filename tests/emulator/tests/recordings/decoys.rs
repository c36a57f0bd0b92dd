//! What a recorded answer must not show: neighbours that its filters leave out, later writes, other snapshots.
//!
//! Without them a service that ignored its filters would give the recorded answers too.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config_azure_emulator::{NewSnapshot, Setting, StoreHandle};

use crate::exchange::Exchange;

/// Sorts before letters, so that it leads every list that it gets into; its opposite sorts after them.
const BEFORE: &str = "!decoy-";
const BEHIND: &str = "~decoy";

/// Content of the moment that the answer shows. Returns how many decoys there are.
pub fn neighbours(store: &StoreHandle, exchange: &Exchange) -> usize {
    match exchange.target() {
        ("kv", name) if name.is_empty() && exchange.query("snapshot").is_some() => 0,
        ("kv" | "revisions", name) if name.is_empty() => {
            let settings = around_list(exchange);
            settings
                .inspect(|setting| drop(store.put(setting.clone())))
                .count()
        }
        ("kv", name) => {
            let label = exchange.query("label").filter(|label| label != "\0");
            let other = label.as_ref().map_or(Some(BEHIND.to_owned()), |_| None);
            store.put(decoy(&format!("{name}{BEHIND}"), label));
            store.put(decoy(&name, other));
            2
        }
        ("snapshots", _) => around_snapshots(store, exchange),
        _ => 0,
    }
}

/// Writes that came after that moment: they show if the answer is about the present.
pub fn later_writes(store: &StoreHandle) -> usize {
    let settings = store.settings();
    store.put(decoy(BEFORE, None));
    for mut setting in settings.iter().cloned() {
        setting.value = Some("written later".to_owned());
        store.put(setting);
    }
    settings.len() + 1
}

fn decoy(key: &str, label: Option<String>) -> Setting {
    let mut setting = Setting::new(key, "a decoy");
    setting.label = label;
    setting
}

fn around_list(exchange: &Exchange) -> impl Iterator<Item = Setting> {
    let keys = exchange.query("key").unwrap_or_default();
    let labels = exchange.query("label").unwrap_or_default();
    let (some_key, some_label) = (match_of(&keys), match_of(&labels));
    let other_keys = near_misses(&keys).into_iter().flatten();
    let of_other_key: Vec<_> = other_keys
        .map(|key| decoy(&key, some_label.clone()))
        .collect();
    let key = some_key.unwrap_or_else(|| BEHIND.to_owned());
    let of_other_label: Vec<_> = near_misses(&labels)
        .into_iter()
        .map(|label| decoy(&key, label))
        .collect();
    // The last of the page before this one.
    let token = exchange
        .query("after")
        .filter(|_| !exchange.is("revisions"));
    let seen = token.map(|token| {
        let text = BASE64.decode(token).expect("base64");
        let text = String::from_utf8(text).expect("a name");
        let (key, label) = text.split_once('\n').expect("key and label");
        decoy(key, Some(label.to_owned()).filter(|l| !l.is_empty()))
    });
    of_other_key.into_iter().chain(of_other_label).chain(seen)
}

/// Names that the filter just does not select; none for a filter that selects all.
pub fn near_misses(filter: &str) -> Vec<Option<String>> {
    if filter.is_empty() || filter.starts_with('*') {
        return Vec::new();
    }
    let mut misses = Vec::new();
    for element in elements(filter) {
        match element.strip_suffix('*') {
            _ if element == "\0" => misses.extend([BEFORE, BEHIND].map(|l| Some(l.to_owned()))),
            Some(start) if !start.ends_with('\\') => {
                misses.push(Some(format!("{BEFORE}{}", unescaped(start))));
            }
            _ => {
                let name = unescaped(&element);
                misses.push(Some(format!("{BEFORE}{name}")));
                misses.push(Some(format!("{name}{BEHIND}")));
            }
        }
    }
    if !elements(filter).iter().any(|element| element == "\0") {
        misses.push(None);
    }
    misses
}

/// A name that the filter selects; none is the null label, or any.
fn match_of(filter: &str) -> Option<String> {
    let first = elements(filter).into_iter().next()?;
    let first = if first.ends_with("\\*") {
        first
    } else {
        first.trim_end_matches('*').to_owned()
    };
    Some(unescaped(&first)).filter(|name| !name.is_empty() && name != "\0")
}

/// The parts between commas, escapes kept.
fn elements(filter: &str) -> Vec<String> {
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for c in filter.chars() {
        if c == ',' && !escaped {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

fn around_snapshots(store: &StoreHandle, exchange: &Exchange) -> usize {
    const LONG: Duration = Duration::from_secs(24 * 3600);
    let make = |order: NewSnapshot| {
        let order = order.filter("*", None);
        store.create_snapshot(order).expect("a good order");
    };
    let wanted = exchange.query("status").unwrap_or_default();
    let kinds = ["provisioning", "ready", "archived", "failed"];
    let unwanted = |kind: &&&str| !wanted.is_empty() && wanted != "*" && !wanted.contains(**kind);
    let mut count = 0;
    for kind in kinds.iter().filter(unwanted) {
        let order = NewSnapshot::new(format!("{BEFORE}{kind}"));
        match *kind {
            "provisioning" => make(order.ready_in(LONG)),
            "failed" => make(order.failing()),
            _ => make(order),
        }
        if *kind == "archived" {
            store.archive_snapshot(&format!("{BEFORE}{kind}"), true);
        }
        count += 1;
    }
    let name = exchange.query("name").unwrap_or_default();
    let named = if name.starts_with('*') { "" } else { &name };
    let path = exchange.target().1;
    for name in [named, &path].into_iter().filter(|name| !name.is_empty()) {
        make(NewSnapshot::new(format!("{BEFORE}{name}")));
        make(NewSnapshot::new(format!("{name}{BEHIND}")));
        count += 2;
    }
    count
}

#[test]
fn decoys_lie_next_to_what_a_filter_selects() {
    let misses = |filter| near_misses(filter);
    let some = |names: &[&str]| -> Vec<Option<String>> {
        names.iter().map(|&name| Some(name.to_owned())).collect()
    };
    assert_eq!(misses(""), []);
    assert_eq!(misses("*abc*"), []);
    assert_eq!(misses("\0"), some(&["!decoy-", "~decoy"]));
    let exact = [some(&["!decoy-a,b", "a,b~decoy"]), vec![None]].concat();
    assert_eq!(misses("a\\,b"), exact);
    let prefix = [some(&["!decoy-a"]), vec![None]].concat();
    assert_eq!(misses("a*"), prefix);
    let list = some(&["!decoy-a", "a~decoy", "!decoy-*", "*~decoy"]);
    assert_eq!(misses("a,\\*"), [list, vec![None]].concat());
}
