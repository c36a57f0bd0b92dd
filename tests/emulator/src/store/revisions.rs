//! The history of settings: `/revisions`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Response;

use super::call::Call;
use super::list::{Selection, settings_page};
use super::problem::Problem;
use super::state::{Change, Changed};

/// Answers GET and HEAD `/revisions` out of `changes` (oldest first): newest first, deletions left out.
pub(crate) fn revisions(call: &Call<'_>, changes: &[Change]) -> Result<Response<Bytes>, Problem> {
    let selection = Selection::parse(call)?;
    let before = call.query.first("after").and_then(position_in);
    let found: Vec<_> = changes
        .iter()
        .enumerate()
        .rev()
        .filter(|(position, _)| before.is_none_or(|before| *position < before))
        .filter_map(|(position, change)| match &change.what {
            Changed::Setting(_, Some(setting)) => Some((position, setting)),
            Changed::Setting(_, None) | Changed::Snapshot(_) => None,
        })
        .filter(|(_, setting)| selection.matches(setting))
        .take(call.options.page_size)
        .collect();
    let full = found.len() == call.options.page_size;
    let token = found
        .last()
        .filter(|_| full)
        .map(|(position, _)| BASE64.encode(position.to_string()));
    let page: Vec<_> = found.into_iter().map(|(_, s)| Arc::clone(s)).collect();
    settings_page(call, &page, token.as_deref())
}

fn position_in(token: &str) -> Option<usize> {
    String::from_utf8(BASE64.decode(token).ok()?)
        .ok()?
        .parse()
        .ok()
}
