//! Single settings that are watched as a signal. Their absence is a state like any other.

use std::sync::Arc;

use azure_core::http::headers::ETAG;

use super::client::{Answer, Call, EndpointClient, Media};
use super::filter::{check_text, refused};
use super::query::fits_path;
use super::wire::{list_page, setting};
use crate::error::Result;
use crate::setting::{ConfigurationSetting, Label};

/// A watched setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentinel {
    pub(crate) key: Box<str>,
    pub(crate) label: Label,
}

impl Sentinel {
    /// Refuses what no setting can be called.
    pub(super) fn check(&self) -> Result<()> {
        if self.key.is_empty() {
            return Err(refused("sentinel", "", "has no key"));
        }
        check_text("sentinel", &self.key)?;
        check_text(
            "label of a sentinel",
            self.label.as_str().unwrap_or_default(),
        )
    }
}

/// What was last seen of each watched setting, in their order. Clones share it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SentinelMarks(Arc<[Mark]>);

/// What was seen of one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    Absent,
    /// The ETag alone is not trusted to move with it: it may be missing, or garbage.
    Present {
        /// To ask with: as the service wrote it.
        etag: Option<Box<str>>,
        setting: Arc<ConfigurationSetting>,
    },
}

impl SentinelMarks {
    /// Which of the watched settings do not exist, by position.
    pub(crate) fn absent(&self) -> impl Iterator<Item = usize> {
        let marks = self.0.iter().enumerate();
        marks
            .filter(|(_, mark)| **mark == Mark::Absent)
            .map(|(at, _)| at)
    }
}

/// Looks at all sentinels. Those that `known` has marks for are asked for conditionally.
pub(super) async fn read_sentinels(
    client: &EndpointClient,
    sentinels: &[Sentinel],
    known: &SentinelMarks,
) -> Result<SentinelMarks> {
    let mut marks = Vec::with_capacity(sentinels.len());
    for (at, sentinel) in sentinels.iter().enumerate() {
        marks.push(read(client, sentinel, known.0.get(at)).await?);
    }
    Ok(SentinelMarks(marks.into()))
}

async fn read(client: &EndpointClient, sentinel: &Sentinel, known: Option<&Mark>) -> Result<Mark> {
    let by_path = fits_path(&sentinel.key);
    let media = if by_path { Media::Item } else { Media::List };
    let line = client.lines().item(&sentinel.key, sentinel.label.as_str());
    let etag = match known {
        Some(Mark::Present { etag, .. }) => etag.as_deref(),
        _ => None,
    };
    let (headers, body) = match client.get(&Call::new(line, media).known(etag)).await? {
        Answer::Unchanged { .. } => return Ok(known.cloned().unwrap_or(Mark::Absent)),
        Answer::Absent => return Ok(Mark::Absent),
        Answer::Found { headers, body, .. } => (headers, body),
    };
    let at_endpoint = |error: crate::Error| error.with_endpoint(client.endpoint().as_str());
    if !by_path {
        let page = list_page(&body).map_err(at_endpoint)?;
        let first = page.items.into_iter().next();
        // A list's own ETag is not the setting's, so only a path can be asked for conditionally.
        return Ok(first.map_or(Mark::Absent, |setting| Mark::Present {
            etag: None,
            setting,
        }));
    }
    let setting = setting(&body).map_err(at_endpoint)?;
    let header = headers.get_optional_str(&ETAG).map(str::trim);
    let own = || (!setting.etag().as_str().is_empty()).then(|| quoted(setting.etag().as_str()));
    Ok(Mark::Present {
        etag: header
            .filter(|etag| !etag.is_empty())
            .map(Into::into)
            .or_else(own),
        setting: Arc::new(setting),
    })
}

fn quoted(etag: &str) -> Box<str> {
    format!("\"{etag}\"").into()
}
