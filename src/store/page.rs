//! Reading pages, one after the other, within bounds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::http::Url;
use azure_core::http::headers::{ETAG, HeaderName, Headers};
use bytes::Bytes;

use super::client::{Answer, Call, EndpointClient, Media};
use super::link::{continuation, next_in_header};
use super::selection::Target;
use super::wire::{ListPage, list_page};
use crate::error::{Error, ErrorKind, Result};
use crate::setting::ConfigurationSetting;

const LINK: HeaderName = HeaderName::from_static("link");
/// Pages of one list. A thousand full pages hold the 100,000 settings that a load may have unless told otherwise.
const MOST_PAGES: usize = 1_000;
/// Settings of a full page of the service.
const FULL_PAGE: usize = 100;

/// One page, and what is needed to ask whether it is still the same.
#[derive(Debug)]
pub(super) struct Page {
    /// The continuation that led to it; `None` for the first.
    pub(super) start: Option<Box<str>>,
    /// The continuation that leads on; `None` for the last.
    pub(super) next: Option<Box<str>>,
    etag: PageEtag,
    pub(super) items: Vec<Arc<ConfigurationSetting>>,
    /// The length of its text.
    pub(super) bytes: usize,
}

/// What an endpoint says of a page.
pub(super) enum PageAnswer {
    Found(Page),
    /// It still has the ETag that was asked with; and where it leads to now, if the answer says so.
    Unchanged(Option<Box<str>>),
}

impl Page {
    /// The same page, followed by another one.
    pub(super) fn leading_to(&self, next: Box<str>) -> Self {
        Self {
            start: self.start.clone(),
            next: Some(next),
            etag: PageEtag::new(self.etag()),
            items: self.items.clone(),
            bytes: self.bytes,
        }
    }

    /// The page's ETag, byte for byte as the service wrote it.
    pub(super) fn etag(&self) -> Option<Arc<str>> {
        self.etag.get()
    }

    /// Takes over the ETag that the same content has by now. It is what to ask with, and no part of what is known: so it
    /// changes in place, and whoever holds the page, published or not, asks with it from then on.
    pub(super) fn renew_etag(&self, newer: &Self) {
        if let Some(etag) = newer.etag() {
            self.etag.set(etag);
        }
    }

    /// True if it holds the same settings and leads to the same place, whatever its own ETag says.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        self.next == other.next && self.items == other.items
    }
}

/// Two pages are the same if they bring the same, whatever their ETags say.
impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.start == other.start && self.same_content(other)
    }
}

/// An ETag that can be replaced.
#[derive(Debug)]
struct PageEtag(Mutex<Option<Arc<str>>>);

impl PageEtag {
    fn new(etag: Option<Arc<str>>) -> Self {
        Self(Mutex::new(etag))
    }

    fn get(&self) -> Option<Arc<str>> {
        let etag = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        etag.clone()
    }

    fn set(&self, etag: Arc<str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(etag);
    }
}

/// How much one load may bring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadLimits {
    /// Bytes of all pages together, after decompression.
    pub(crate) bytes: usize,
    /// Settings of all pages together.
    pub(crate) settings: usize,
}

impl LoadLimits {
    /// Pages of one list: a thousand, or as many as the settings fill.
    fn pages(self) -> usize {
        self.settings.div_ceil(FULL_PAGE).max(MOST_PAGES)
    }

    fn doubled(self) -> Self {
        Self {
            bytes: self.bytes.saturating_mul(2),
            settings: self.settings.saturating_mul(2),
        }
    }
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            settings: 100_000,
        }
    }
}

/// What is left of the limits during one load.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: AtomicUsize,
    settings: AtomicUsize,
    limits: LoadLimits,
    /// Pages of one list.
    pages: usize,
}

impl Budget {
    pub(super) fn new(limits: LoadLimits) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            settings: AtomicUsize::new(0),
            limits,
            pages: limits.pages(),
        }
    }

    /// For a check, in which every page may arrive as what it was and as what it is.
    pub(super) fn of_a_check(limits: LoadLimits) -> Self {
        Self {
            limits: limits.doubled(),
            ..Self::new(limits)
        }
    }

    pub(super) fn spend(&self, bytes: usize, settings: usize) -> Result<()> {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let settings = self.settings.fetch_add(settings, Ordering::Relaxed) + settings;
        let over = |what, most| {
            let message = format!("the selected settings are more than {most} {what}");
            Err(Error::new(ErrorKind::TooLarge, message))
        };
        if bytes > self.limits.bytes {
            return over("bytes", self.limits.bytes);
        }
        if settings > self.limits.settings {
            return over("in number", self.limits.settings);
        }
        Ok(())
    }
}

/// Reads the page that `start` leads to, if it does not have the ETag `known` any more.
pub(super) async fn read_page(
    client: &EndpointClient,
    target: &Target,
    start: Option<&str>,
    known: Option<&str>,
    budget: &Budget,
) -> Result<PageAnswer> {
    let as_of = match target {
        Target::Filter { as_of, .. } => *as_of,
        Target::Snapshot { .. } => None,
    };
    let call = Call::new(client.lines().page(target, start), Media::List)
        .known(known)
        .at_moment(as_of);
    match client.get(&call).await? {
        Answer::Unchanged { url, headers } => {
            let next = next_page(None, &headers, &url);
            let next = next.map_err(|error| error.with_endpoint(client.endpoint().as_str()))?;
            Ok(PageAnswer::Unchanged(next))
        }
        Answer::Absent => Err(client.absent()),
        Answer::Found { url, headers, body } => {
            let page = parse(start, &url, &headers, &body, budget);
            page.map(PageAnswer::Found)
                .map_err(|error| error.with_endpoint(client.endpoint().as_str()))
        }
    }
}

fn parse(
    start: Option<&str>,
    url: &Url,
    headers: &Headers,
    body: &Bytes,
    budget: &Budget,
) -> Result<Page> {
    budget.spend(body.len(), 0)?;
    let parsed = list_page(body)?;
    budget.spend(0, parsed.items.len())?;
    let next = next_page(parsed.next_link.as_deref(), headers, url)?;
    if next.is_some() && next.as_deref() == start {
        return Err(looping());
    }
    Ok(Page {
        start: start.map(Into::into),
        next,
        etag: PageEtag::new(page_etag(headers, &parsed)),
        items: parsed.items,
        bytes: body.len(),
    })
}

/// Where a page leads to: what its body says, or else the `Link` header, which stands on answers without a body too.
fn next_page(in_body: Option<&str>, headers: &Headers, url: &Url) -> Result<Option<Box<str>>> {
    let link = in_body.or_else(|| next_in_header(headers.get_optional_str(&LINK)?));
    link.map(|link| continuation(link, url)).transpose()
}

/// Reads a page of which nothing is known.
pub(super) async fn read_new_page(
    client: &EndpointClient,
    target: &Target,
    start: Option<&str>,
    budget: &Budget,
) -> Result<Page> {
    match read_page(client, target, start, None, budget).await? {
        PageAnswer::Found(page) => Ok(page),
        PageAnswer::Unchanged(_) => Err(client.absent()),
    }
}

/// The header as it is; without one, the ETag of the body in quotes.
fn page_etag(headers: &Headers, page: &ListPage) -> Option<Arc<str>> {
    if let Some(header) = headers.get_optional_str(&ETAG) {
        let etag = header.trim();
        return (!etag.is_empty()).then(|| etag.into());
    }
    let etag = page.etag.as_ref()?.as_str();
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    (!etag.is_empty() && etag.bytes().all(plain)).then(|| format!("\"{etag}\"").into())
}

/// Takes pages in order and refuses a list that never ends.
#[derive(Debug)]
pub(super) struct Chain {
    pages: Vec<Arc<Page>>,
    seen: std::collections::HashSet<Box<str>>,
    most: usize,
}

impl Chain {
    pub(super) fn within(budget: &Budget) -> Self {
        Self {
            pages: Vec::new(),
            seen: std::collections::HashSet::new(),
            most: budget.pages,
        }
    }

    /// Adds a page; the continuation to go on from, or `None` after the last page.
    pub(super) fn push(&mut self, page: Arc<Page>) -> Result<Option<Box<str>>> {
        let next = page.next.clone();
        let last_and_empty = next.is_none() && page.items.is_empty();
        self.pages.push(page);
        if self.pages.len() > self.most && !last_and_empty {
            let message = format!("a list has more than {} pages", self.most);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if let Some(next) = &next
            && !self.seen.insert(next.clone())
        {
            return Err(looping());
        }
        Ok(next)
    }

    pub(super) fn into_pages(self) -> Vec<Arc<Page>> {
        self.pages
    }
}

fn looping() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the pages of a list lead back to one another",
    )
}

/// Reads all pages of a list, telling each as it arrives.
pub(super) async fn read_pages(
    client: &EndpointClient,
    target: &Target,
    budget: &Budget,
    arrived: &(dyn Fn(&Page) + Send + Sync),
) -> Result<Vec<Arc<Page>>> {
    let mut chain = Chain::within(budget);
    let mut start: Option<Box<str>> = None;
    loop {
        let page = read_new_page(client, target, start.as_deref(), budget).await?;
        arrived(&page);
        start = chain.push(Arc::new(page))?;
        if start.is_none() {
            return Ok(chain.into_pages());
        }
    }
}
