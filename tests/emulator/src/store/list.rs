//! Lists of settings: `/kv`.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use super::call::Call;
use super::filter::{Filter, TagFilters};
use super::json::{Fields, KV_SET, KeyValue, Page};
use super::page::{
    Preconditions, add_link, name_in, not_modified, ok, page_etag, set_etag, token_after,
};
use super::problem::Problem;
use super::setting::{Name, Setting};
use super::state::Items;

/// What a list request selects.
pub(crate) struct Selection {
    pub(crate) key: Filter,
    pub(crate) label: Filter,
    pub(crate) tags: TagFilters,
}

impl Selection {
    /// Reads `key`, `label` and, from the version on that has it, `tags`.
    pub(crate) fn parse(call: &Call<'_>) -> Result<Self, Problem> {
        let filter = |name| Filter::parse(name, call.query.first(name).unwrap_or_default());
        let tags = if call.version.has_tags_on_lists() {
            TagFilters::parse(call.query.all("tags"))?
        } else {
            TagFilters::default()
        };
        Ok(Self {
            key: filter("key")?,
            label: filter("label")?,
            tags,
        })
    }

    pub(crate) fn matches(&self, setting: &Setting) -> bool {
        self.key.matches(Some(&setting.key))
            && self.label.matches(setting.label.as_deref())
            && self.tags.matches(setting)
    }

    /// The next `count` settings after `after`.
    fn page(&self, items: &Items, after: Option<&Name>, count: usize) -> Vec<Arc<Setting>> {
        let start = self.key.start().map(|start| Name::new(start, None));
        let from = match (after, start.as_ref()) {
            (Some(after), Some(start)) if after < start => Bound::Included(start),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(start)) => Bound::Included(start),
            (None, None) => Bound::Unbounded,
        };
        items
            .range((from, Bound::Unbounded))
            .take_while(|(name, _)| !self.key.ended(&name.key.0))
            .map(|(_, setting)| setting)
            .filter(|setting| self.matches(setting))
            .take(count)
            .cloned()
            .collect()
    }
}

/// Answers GET and HEAD `/kv` out of `items`.
pub(crate) fn key_values(call: &Call<'_>, items: &Items) -> Result<Response<Bytes>, Problem> {
    let selection = Selection::parse(call)?;
    let after = call.query.first("after").and_then(name_in);
    let page = selection.page(items, after.as_ref(), call.options.page_size);
    // A full page has a continuation even if nothing follows: the next page is then an empty one.
    let full = page.len() == call.options.page_size;
    let token = page
        .last()
        .filter(|_| full)
        .map(|last| token_after(&last.name()));
    settings_page(call, &page, token.as_deref())
}

/// A page of settings, or 304 if the client has it already.
pub(crate) fn settings_page(
    call: &Call<'_>,
    page: &[Arc<Setting>],
    token: Option<&str>,
) -> Result<Response<Bytes>, Problem> {
    let etags = page.iter().map(|setting| setting.etag.as_str());
    let has_etag = call.version.has_page_etags();
    let etag = has_etag.then(|| page_etag(etags, token));
    let next = token.map(|token| call.query.continued(call.path, token));
    let conditions = Preconditions::parse(call.headers);
    let unmodified = match &etag {
        Some(etag) => conditions.unmodified(etag)?,
        None => false,
    };
    let mut response = if unmodified {
        not_modified()
    } else {
        ok(KV_SET, body(call, page, etag.as_deref(), next.as_deref()))
    };
    if let Some(etag) = etag.filter(|_| !unmodified || call.options.etag_on_304) {
        set_etag(&mut response, &etag);
    }
    if let Some(next) = next {
        add_link(&mut response, &next, "next");
    }
    Ok(response)
}

fn body(call: &Call<'_>, page: &[Arc<Setting>], etag: Option<&str>, next: Option<&str>) -> Vec<u8> {
    let fields = &Fields::parse(call.query);
    let items = page.iter().map(|setting| KeyValue {
        setting,
        fields,
        version: call.version,
    });
    let page = Page {
        etag,
        items: items.collect(),
        next,
    };
    serde_json::to_vec(&page).expect("settings are plain text")
}
