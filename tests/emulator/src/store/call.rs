//! One request as the store's rooms see it.

use std::time::Duration;

use http::HeaderMap;
use time::OffsetDateTime;

use super::query::Query;
use super::version::ApiVersion;

/// An admitted request, read as far as all resources have in common.
pub(crate) struct Call<'a> {
    /// The path as it stood on the request line.
    pub(crate) path: &'a str,
    pub(crate) query: &'a Query,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) version: ApiVersion,
    pub(crate) options: &'a Options,
    pub(crate) now: OffsetDateTime,
}

/// How a store behaves where tests want a choice.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) page_size: usize,
    pub(crate) etag_on_304: bool,
    pub(crate) sync_tokens: bool,
    pub(crate) newest: ApiVersion,
    /// How far what can be read lies behind what was written.
    pub(crate) lag: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page_size: 100,
            etag_on_304: false,
            sync_tokens: true,
            newest: ApiVersion::NEWEST,
            lag: Duration::ZERO,
        }
    }
}
