//! Snapshots and references to them (provider-spec 7.1, 7.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::client::{Answer, Call, EndpointClient, Media};
use super::filter::check_snapshot_name;
use super::page::{Budget, Page, read_pages};
use super::selection::Target;
use super::wire::snapshot_info;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::json;
use crate::setting::{ConfigurationSetting, ContentKind};

const AT_ONCE: usize = 4;

/// The pages of a snapshot; `None` if there is no such snapshot or it is not ready.
pub(super) type Content = Option<Arc<[Arc<Page>]>>;

/// The content of each snapshot that the references of a list name.
pub(super) type Contents = BTreeMap<Box<str>, Content>;

/// Reads a snapshot, telling its pages as they arrive.
pub(super) async fn read_snapshot(
    client: &EndpointClient,
    name: &str,
    budget: &Budget,
    arrived: &(dyn Fn(&Page) + Send + Sync),
) -> Result<Content> {
    if !is_ready(client, name).await? {
        return Ok(None);
    }
    let target = Target::Snapshot {
        name: name.into(),
        required: false,
    };
    let pages = read_pages(client, &target, budget, arrived).await?;
    Ok(Some(pages.into()))
}

/// True if the snapshot exists and can be read. While one is being made, its list would be empty and look like
/// a store that was cleared.
async fn is_ready(client: &EndpointClient, name: &str) -> Result<bool> {
    let call = Call::new(client.lines().snapshot(name), Media::Snapshot);
    let body = match client.get(&call).await? {
        Answer::Found { body, .. } => body,
        Answer::Absent | Answer::Unchanged { .. } => return Ok(false),
    };
    let info =
        snapshot_info(&body).map_err(|error| error.with_endpoint(client.endpoint().as_str()))?;
    if !matches!(&*info.status, "ready" | "archived") {
        return Ok(false);
    }
    match info.composition_type.as_deref() {
        None | Some("key") => Ok(true),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidOption,
            format!(
                "the snapshot '{}' may hold several values of one key; its composition must be `key`",
                printable(name)
            ),
        )
        .with_endpoint(client.endpoint().as_str())),
    }
}

/// Reads every snapshot that the pages refer to and that is not in `known` already.
pub(super) async fn read_referenced(
    client: &EndpointClient,
    pages: &[Arc<Page>],
    known: &Contents,
    budget: &Budget,
    arrived: &(dyn Fn(&Page) + Send + Sync),
) -> Result<Contents> {
    let mut contents = Contents::new();
    for setting in pages.iter().flat_map(|page| &page.items) {
        if setting.kind() == ContentKind::SnapshotReference {
            let name = snapshot_name(setting)?;
            let at_hand = known.get(&name).cloned().flatten();
            contents.insert(name, at_hand);
        }
    }
    let missing: Vec<Box<str>> = contents
        .iter()
        .filter(|(_, content)| content.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    // By index: a closure over references would not let the future be sent.
    let read: Vec<Content> = stream::iter(0..missing.len())
        .map(|at| read_snapshot(client, &missing[at], budget, arrived))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    contents.extend(missing.into_iter().zip(read));
    Ok(contents)
}

/// The snapshot that a reference names. What is malformed stays so until somebody mends it.
pub(super) fn snapshot_name(setting: &ConfigurationSetting) -> Result<Box<str>> {
    #[derive(Deserialize)]
    struct Reference {
        snapshot_name: String,
    }
    let name = setting
        .value()
        .and_then(|value| json::object::<Reference>(value.as_bytes()).ok())
        .map(|reference| reference.snapshot_name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let malformed = |message: &'static str| {
        let error = Error::new(ErrorKind::Reference, message);
        error.with_setting(setting.key(), setting.label().as_str())
    };
    let name = name.ok_or_else(|| malformed("the snapshot reference does not name a snapshot"))?;
    check_snapshot_name(&name).map_err(|_| {
        malformed(
            "the snapshot reference names what cannot be a snapshot: more than 256 characters, a control \
             character, '%', '.' or '..'",
        )
    })?;
    Ok(name.into_boxed_str())
}
