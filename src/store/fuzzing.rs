//! What the fuzz targets reach of this room.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use url::Url;

use super::connection_string::ConnectionString;
use super::discovery::{LookupFailed, SrvLookup, SrvRecord, find_replicas};
use super::endpoint::Endpoint;
use super::failure::{Scheme, from_status};
use super::sync_token::SyncTokens;
use super::{link, wire};
use crate::setting::ConfigurationSetting;
use crate::{Error, Result};

/// The settings of a page, and the link to the next.
///
/// # Errors
/// If the body is not a page.
pub fn list_page(body: &[u8]) -> Result<(Vec<Arc<ConfigurationSetting>>, Option<String>)> {
    let page = wire::list_page(body)?;
    Ok((page.items, page.next_link))
}

/// The target of relation `next` in a `Link` header, and where a list goes on from there.
///
/// # Errors
/// If the target is not more of the same list.
pub fn next_page<'h>(header: &'h str, request: &Url) -> Option<(&'h str, Result<Box<str>>)> {
    let target = link::next_in_header(header)?;
    Some((target, link::continuation(target, request)))
}

/// The endpoint of a connection string.
///
/// # Errors
/// If the connection string is not one.
pub fn connection_string(text: &str) -> Result<String> {
    let parsed = ConnectionString::parse(text)?;
    Ok(parsed.endpoint.as_str().to_owned())
}

/// The error that an answer with this status becomes; `None` if `endpoint` is not one.
#[must_use]
pub fn error_of_answer(
    endpoint: &str,
    status: u16,
    headers: &Headers,
    body: &[u8],
    now: SystemTime,
) -> Option<Error> {
    let endpoint = Endpoint::parse(endpoint).ok()?;
    Some(from_status(
        &endpoint,
        Scheme::AccessKey,
        status,
        headers,
        body,
        now,
    ))
}

/// What is sent after answers with these `Sync-Token` headers.
#[must_use]
pub fn sync_tokens(headers: &[String]) -> Option<String> {
    let tokens = SyncTokens::default();
    for header in headers {
        tokens.merge(header);
    }
    tokens.header()
}

/// One answer of a name server: priority, weight and target of each record.
pub type SrvAnswer = Vec<(u16, u16, String)>;

#[derive(Debug)]
struct Scripted(std::sync::Mutex<std::vec::IntoIter<SrvAnswer>>);

#[async_trait]
impl SrvLookup for Scripted {
    async fn srv(&self, _name: &str) -> std::result::Result<Vec<SrvRecord>, LookupFailed> {
        let mut answers = self.0.lock().map_err(|_| LookupFailed)?;
        let record = |(priority, weight, target)| SrvRecord {
            priority,
            weight,
            target,
        };
        let answer = answers.next().unwrap_or_default();
        Ok(answer.into_iter().map(record).collect())
    }
}

/// The replicas of the store at `host` that are believed, given these answers one after another.
pub async fn replicas(host: &str, answers: Vec<SrvAnswer>) -> Vec<String> {
    let lookup = Scripted(std::sync::Mutex::new(answers.into_iter()));
    find_replicas(&lookup, host).await.unwrap_or_default()
}
