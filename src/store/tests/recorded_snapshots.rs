//! Real traffic: every recorded read of a snapshot and of what is in it, through a selector of that snapshot.

use serde_json::Value;
use url::Url;

use super::recordings::{counted, exchanges, header, winners};
use super::scripted::{Reply, Seen};
use super::{scripted, shown};
use crate::error::ErrorKind;
use crate::setting::WarningKind;
use crate::store::{Scope, SettingSelector};

/// What a GET asked for.
fn asked(exchange: &Value) -> Option<Url> {
    let url = exchange["request"]["url"].as_str()?.parse().ok();
    url.filter(|_| exchange["request"]["method"] == "GET")
}

/// The snapshot whose description was read.
fn described(exchange: &Value) -> Option<String> {
    let url = asked(exchange)?;
    let name = url.path().strip_prefix("/snapshots/")?;
    Some(name.to_owned())
}

/// The snapshot whose settings were listed.
fn listed(exchange: &Value) -> Option<String> {
    let url = asked(exchange).filter(|url| url.path() == "/kv")?;
    let mut pairs = url.query_pairs();
    let name = pairs.find(|(name, _)| name == "snapshot");
    name.map(|(_, value)| value.into_owned())
}

/// The recorded answer, for whoever asks as the recording did.
fn recorded(exchange: &Value, media: &str) -> Reply {
    match &exchange["response"]["body"] {
        body @ Value::Object(_) if exchange["response"]["status"] == 200 => {
            let token = header(exchange, "sync-token");
            let token = token.as_deref().map(|token| ("sync-token", token));
            Reply::json(media, &body.to_string(), token.as_slice())
        }
        _ => {
            let status = exchange["response"]["status"].as_u64().unwrap();
            Reply::status(status.try_into().unwrap(), &[])
        }
    }
}

/// The line without its query.
fn path(seen: &Seen) -> &str {
    seen.line.split('?').next().unwrap_or_default()
}

/// Those that hold several values of one key are refused by name, before a setting of them is read; those that do not exist
/// are a warning or an error, and their list, which the service answers with an empty page, is not even asked for.
#[tokio::test(start_paused = true)]
async fn each_description_of_a_snapshot_through_its_selector() {
    let Some(exchanges) = exchanges() else { return };
    let (mut refused, mut missing, mut fine) = (0, 0, 0);
    for exchange in &exchanges {
        let Some(name) = described(exchange) else {
            continue;
        };
        let composition = exchange["response"]["body"]["composition_type"].as_str();
        let status = exchange["response"]["status"].as_u64().unwrap();
        for required in [false, true] {
            let selector = SettingSelector::snapshot(&name);
            let selector = match required {
                true => selector.required(),
                false => selector,
            };
            let of = exchange.clone();
            let (transport, store) = scripted(&[selector], move |seen| match path(seen) {
                "/kv" => Reply::list("", &[]),
                _ => recorded(&of, "snapshot"),
            });
            let walk = store.load(&|_| {}).await;
            let lines = transport.take();
            assert_eq!(path(&lines[0]), format!("/snapshots/{name}"));
            match (status, composition) {
                (404, _) if required => {
                    let error = walk.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                    assert!(error.to_string().contains(&name), "{error}");
                }
                (404, _) => {
                    let walk = walk.unwrap();
                    assert!(shown(&walk).is_empty());
                    assert_eq!(walk.warnings()[0].kind(), WarningKind::MissingSnapshot);
                    assert!(walk.warnings()[0].to_string().contains(&name));
                    missing += 1;
                }
                // `all` is what the preview called it.
                (200, Some("all" | "key_label")) => {
                    let error = walk.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
                    let text = error.to_string();
                    assert!(
                        text.contains(&name) && text.contains("composition"),
                        "{text}"
                    );
                    assert!(!error.is_transient());
                    refused += usize::from(!required);
                }
                // One was asked for a few fields only.
                (200, None) => {
                    assert!(walk.unwrap().warnings().is_empty());
                    fine += usize::from(!required);
                }
                other => panic!("{other:?} was never recorded"),
            }
            let list = usize::from(status == 200 && composition.is_none());
            assert_eq!(lines.len(), 1 + list, "{name}");
        }
    }
    counted("snapshots of another composition refused", refused);
    counted("snapshots that do not exist", missing);
    counted("snapshots without a composition", fine);
    assert_eq!((refused, missing, fine), (10, 1, 1));
}

/// The recorded lists come out as settings, under the recorded description; in it, the composition alone is changed to `key`,
/// for all that were recorded are of another.
#[tokio::test(start_paused = true)]
async fn each_list_of_a_snapshot_through_its_selector() {
    let Some(exchanges) = exchanges() else { return };
    let mut replayed = 0;
    for list in &exchanges {
        let Some(name) = listed(list) else {
            continue;
        };
        let is_its = |exchange: &&Value| described(exchange).as_ref() == Some(&name);
        let mut description = exchanges.iter().find(is_its).unwrap().clone();
        let exists = description["response"]["status"] == 200;
        if exists {
            description["response"]["body"]["composition_type"] = "key".into();
        }
        let page = list.clone();
        let selectors = [SettingSelector::snapshot(&name)];
        let (transport, store) = scripted(&selectors, move |seen| match path(seen) {
            "/kv" => recorded(&page, "kvset"),
            _ => recorded(&description, "snapshot"),
        });
        let walk = store.load(&|_| {}).await.unwrap();
        assert_eq!(shown(&walk), winners(&list["response"]["body"]));
        let lines = transport.take();
        assert_eq!(lines.len(), 1 + usize::from(exists));
        if exists {
            assert!(!shown(&walk).is_empty() && walk.warnings().is_empty());
            let asked = format!("/kv?api-version=2023-11-01&snapshot={name}");
            assert_eq!(lines[1].line, asked);
        }
        // What exists cannot change; what does not may appear.
        assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
        assert_eq!(transport.take().len(), usize::from(!exists));
        replayed += 1;
    }
    counted("lists of snapshots replayed", replayed);
    assert_eq!(replayed, 3);
}
