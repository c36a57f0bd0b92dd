//! Asking whether anything changed: one conditional request per remembered page, many at a time.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::Scope;
use super::client::EndpointClient;
use super::page::{Budget, Chain, LoadLimits, Page, PageAnswer, read_new_page, read_page};
use super::selection::{Query, QueryKind, Selection, Target};
use super::snapshot::{read_referenced, read_snapshot};
use super::walk::{List, Walk};
use crate::error::Result;

/// Conditional requests in flight at a time.
const PAGES_AT_ONCE: usize = 16;
/// Lists that are put together at a time.
const LISTS_AT_ONCE: usize = 8;

/// Where a page starts, and the page that stands there now: the known one if it is unchanged.
type Checked = HashMap<Option<Box<str>>, Arc<Page>>;

/// True if a check of this scope would send any request.
pub(super) fn has_work(selection: &Selection, known: &Walk, scope: Scope) -> bool {
    let in_scope = |(query, list): (&Query, &Arc<List>)| {
        scope.covers(query.kind) && (can_change(query) || list.missing)
    };
    let queries = selection.queries().iter();
    queries.zip(known.lists()).any(in_scope)
}

/// The lists after a check, and whether any of them differs from the known one.
pub(super) async fn check_lists(
    client: &EndpointClient,
    selection: &Selection,
    known: &Walk,
    scope: Scope,
    limits: LoadLimits,
) -> Result<(Vec<Arc<List>>, bool)> {
    // A page whose start has moved may arrive twice. What comes of it is weighed at the end.
    let budget = Budget::of_a_check(limits);
    let mut checked: Vec<Checked> = vec![Checked::new(); known.lists().len()];
    let jobs = jobs(selection, known, scope);
    // The first answer shows whether the endpoint is there at all; only then does the rest set out.
    if let Some(first) = jobs.first() {
        let (list, page) = check_page(client, first, &budget).await?;
        checked[list].insert(page.start.clone(), page);
    }
    // By index: a closure over references would not let the future be sent.
    let mut answers = stream::iter(1..jobs.len())
        .map(|at| check_page(client, &jobs[at], &budget))
        .buffer_unordered(PAGES_AT_ONCE);
    while let Some((list, page)) = answers.try_next().await? {
        checked[list].insert(page.start.clone(), page);
    }
    drop(answers);
    let lists: Vec<Arc<List>> = stream::iter(0..checked.len())
        .map(|at| {
            let (query, list) = (&selection.queries()[at], &known.lists()[at]);
            renew(client, query, list, &checked[at], scope, &budget)
        })
        .buffered(LISTS_AT_ONCE)
        .try_collect()
        .await?;
    let changed = lists
        .iter()
        .zip(known.lists())
        .any(|(new, old)| !Arc::ptr_eq(new, old));
    if changed {
        weigh(&lists, limits).map_err(|error| error.with_endpoint(client.endpoint().as_str()))?;
    }
    Ok((lists, changed))
}

/// Holds what is kept and what is new, together, to the limits of a load.
fn weigh(lists: &[Arc<List>], limits: LoadLimits) -> Result<()> {
    let budget = Budget::new(limits);
    for list in lists {
        let snapshots = list.snapshots.values().flatten();
        let pages = list
            .pages
            .iter()
            .chain(snapshots.flat_map(|pages| pages.iter()));
        for page in pages {
            budget.spend(page.bytes, page.items.len())?;
        }
    }
    Ok(())
}

/// One remembered page to ask for.
struct Job<'a> {
    list: usize,
    query: &'a Query,
    page: &'a Arc<Page>,
}

/// Every page that can change: neither snapshots nor the past can.
fn jobs<'a>(selection: &'a Selection, known: &'a Walk, scope: Scope) -> Vec<Job<'a>> {
    selection
        .queries()
        .iter()
        .zip(known.lists())
        .enumerate()
        .filter(|(_, (query, _))| can_change(query) && scope.covers(query.kind))
        .flat_map(|(list, (query, known))| {
            let pages = known.pages.iter();
            pages.map(move |page| Job { list, query, page })
        })
        .collect()
}

fn can_change(query: &Query) -> bool {
    matches!(query.target, Target::Filter { as_of: None, .. })
}

/// The page itself if it is unchanged, or what now stands where it started, with the index of its list.
async fn check_page(
    client: &EndpointClient,
    job: &Job<'_>,
    budget: &Budget,
) -> Result<(usize, Arc<Page>)> {
    let known = job.page;
    let (start, etag) = (known.start.as_deref(), known.etag());
    let answer = read_page(client, &job.query.target, start, etag.as_deref(), budget).await?;
    let page = match answer {
        PageAnswer::Found(new) if !new.same_content(known) => Arc::new(new),
        // The service counts another state of the page, in which nothing is another: nobody is told, but the next check
        // asks with what is current, or it would get the page anew each time.
        PageAnswer::Found(new) => {
            known.renew_etag(&new);
            Arc::clone(known)
        }
        // The page is the same, and something has been added behind it.
        PageAnswer::Unchanged(Some(next)) if known.next.as_ref() != Some(&next) => {
            Arc::new(known.leading_to(next))
        }
        PageAnswer::Unchanged(_) => Arc::clone(known),
    };
    Ok((job.list, page))
}

/// Puts a list together from checked pages. Where a page now leads to a place that was not checked, the walk
/// goes on from there until it meets a checked page again or ends.
async fn renew(
    client: &EndpointClient,
    query: &Query,
    known: &Arc<List>,
    checked: &Checked,
    scope: Scope,
    budget: &Budget,
) -> Result<Arc<List>> {
    if !scope.covers(query.kind) {
        return Ok(Arc::clone(known));
    }
    if checked.is_empty() {
        return look_again_for_missing(client, query, known, budget).await;
    }
    let mut chain = Chain::within(budget);
    let mut start: Option<Box<str>> = None;
    loop {
        let page = match checked.get(&start) {
            Some(page) => Arc::clone(page),
            None => {
                let start = start.as_deref();
                Arc::new(read_new_page(client, &query.target, start, budget).await?)
            }
        };
        start = chain.push(page)?;
        if start.is_none() {
            break;
        }
    }
    let pages = chain.into_pages();
    let snapshots = read_referenced(client, &pages, &known.snapshots, budget, &|_| {}).await?;
    let list = List {
        pages,
        snapshots,
        missing: false,
    };
    Ok(same_or_new(known, list))
}

/// A snapshot does not change, but one that was missing may have come into being.
async fn look_again_for_missing(
    client: &EndpointClient,
    query: &Query,
    known: &Arc<List>,
    budget: &Budget,
) -> Result<Arc<List>> {
    let Target::Snapshot { name, .. } = &query.target else {
        return Ok(Arc::clone(known));
    };
    if !known.missing {
        return Ok(Arc::clone(known));
    }
    let content = read_snapshot(client, name, budget, &|_| {}).await?;
    Ok(match content {
        None => Arc::clone(known),
        Some(pages) => Arc::new(List {
            pages: pages.to_vec(),
            snapshots: known.snapshots.clone(),
            missing: false,
        }),
    })
}

fn same_or_new(known: &Arc<List>, list: List) -> Arc<List> {
    let same_pages = known.pages.len() == list.pages.len()
        && known
            .pages
            .iter()
            .zip(&list.pages)
            .all(|(old, new)| Arc::ptr_eq(old, new));
    if same_pages && known.snapshots == list.snapshots {
        return Arc::clone(known);
    }
    Arc::new(list)
}

impl Scope {
    fn covers(self, kind: QueryKind) -> bool {
        match self {
            Self::Both => true,
            Self::Settings => kind == QueryKind::Settings,
            Self::Flags => kind == QueryKind::Flags,
        }
    }
}
