//! Distinct names: `/keys` and `/labels`.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Response;

use super::call::Call;
use super::filter::Filter;
use super::json::{Fields, KEY_SET, LABEL_SET, Named, Page};
use super::page::{add_link, name_in, ok, token_after};
use super::problem::Problem;
use super::setting::{Name, Ordinal};
use super::state::Items;

/// Answers GET and HEAD `/keys`.
pub(crate) fn keys(call: &Call<'_>, items: &Items) -> Result<Response<Bytes>, Problem> {
    let keys = items.keys().map(|name| Some(name.key.clone()));
    names(call, &keys.collect(), KEY_SET)
}

/// Answers GET and HEAD `/labels`. The null label is a name too.
pub(crate) fn labels(call: &Call<'_>, items: &Items) -> Result<Response<Bytes>, Problem> {
    let labels = items.keys().map(|name| name.label.clone());
    names(call, &labels.collect(), LABEL_SET)
}

fn names(
    call: &Call<'_>,
    all: &BTreeSet<Option<Ordinal>>,
    media_type: &'static str,
) -> Result<Response<Bytes>, Problem> {
    let filter = Filter::parse("name", call.query.first("name").unwrap_or_default())?;
    // A name is continued after as the key of a setting is; the null label is the empty key.
    let after = call.query.first("after").and_then(name_in);
    let after = after.map(|name| Some(name.key).filter(|key| !key.0.is_empty()));
    let names: Vec<_> = all
        .iter()
        .map(|name| name.as_ref().map(|name| name.0.as_str()))
        .filter(|name| filter.matches(*name))
        .filter(|name| {
            let name = name.map(|name| Ordinal(name.to_owned()));
            after.as_ref().is_none_or(|after| name > *after)
        })
        .take(call.options.page_size)
        .collect();
    let full = names.len() == call.options.page_size;
    let last = names.last().filter(|_| full);
    let token = last.map(|last| token_after(&Name::new(last.unwrap_or_default(), None)));
    let next = token.map(|token| call.query.continued(call.path, &token));
    let fields = &Fields::parse(call.query);
    let items = names.into_iter().map(|name| Named { name, fields });
    let page = Page {
        etag: None,
        items: items.collect(),
        next: next.as_deref(),
    };
    let body = serde_json::to_vec(&page).expect("names are plain text");
    let mut response = ok(media_type, body);
    if let Some(next) = &next {
        add_link(&mut response, next, "next");
    }
    Ok(response)
}
