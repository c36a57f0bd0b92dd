//! Finds references while pages are still arriving, so that vault reads and paging overlap.
//!
//! A reference is announced as soon as no later query can replace its key: at once in the last query, and after
//! the later queries are through in an earlier one. So nothing is read that the finished walk would not need, but for what
//! was announced of a query before one of its later pages held a reference to a snapshot, whose settings stand in its place.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::reference::{ReferenceId, References};
use crate::setting::{ConfigurationSetting, ContentKind};
use crate::store::Progress;

/// What is to be read, and a setting that refers to it.
pub(super) type Announced = (ReferenceId, Arc<ConfigurationSetting>);

/// What was seen of one walk so far.
pub(super) struct Prefetch<'a> {
    references: &'a References,
    announce: UnboundedSender<Announced>,
    queries: Vec<Seen>,
    /// The last query in which a key was seen; keys of the first query replace nothing and are left out.
    latest: HashMap<Box<str>, usize>,
}

#[derive(Default)]
struct Seen {
    done: bool,
    /// It refers to a snapshot, whose settings may replace others of the query or be replaced by them: what it needs is
    /// known only when the walk is finished.
    expands: bool,
    waiting: Vec<Announced>,
}

impl<'a> Prefetch<'a> {
    pub(super) fn new(
        references: &'a References,
        queries: usize,
        announce: UnboundedSender<Announced>,
    ) -> Self {
        let queries = std::iter::repeat_with(Seen::default)
            .take(queries)
            .collect();
        Self {
            references,
            announce,
            queries,
            latest: HashMap::new(),
        }
    }

    pub(super) fn observe(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Page { query, settings } => self.page(*query, settings),
            Progress::QueryDone { query } => self.done(*query),
            Progress::Restarted => self.restart(),
        }
    }

    fn page(&mut self, query: usize, settings: &[Arc<ConfigurationSetting>]) {
        if query > 0 {
            for setting in settings {
                let latest = self.latest.entry(setting.key().into()).or_insert(query);
                *latest = query.max(*latest);
            }
        }
        let free = self.later_are_done(query);
        let Some(seen) = self.queries.get_mut(query) else {
            return;
        };
        seen.expands |= settings.iter().any(|setting| expands(setting));
        if seen.expands {
            seen.waiting.clear();
            return;
        }
        for setting in settings {
            let Some(id) = reference(self.references, setting) else {
                continue;
            };
            let announced = (id, Arc::clone(setting));
            if free && !is_replaced(&self.latest, setting.key(), query) {
                let _ = self.announce.send(announced);
            } else {
                seen.waiting.push(announced);
            }
        }
    }

    fn done(&mut self, query: usize) {
        if let Some(seen) = self.queries.get_mut(query) {
            seen.done = true;
        }
        for query in (0..self.queries.len()).rev() {
            if !self.later_are_done(query) {
                break;
            }
            let waiting = std::mem::take(&mut self.queries[query].waiting);
            for announced in waiting {
                if !is_replaced(&self.latest, announced.1.key(), query) {
                    let _ = self.announce.send(announced);
                }
            }
        }
    }

    /// Failover: another endpoint starts from the beginning. What was read already stays in the cache.
    fn restart(&mut self) {
        self.queries
            .iter_mut()
            .for_each(|seen| *seen = Seen::default());
        self.latest.clear();
    }

    fn later_are_done(&self, query: usize) -> bool {
        self.queries.iter().skip(query + 1).all(|seen| seen.done)
    }
}

fn is_replaced(latest: &HashMap<Box<str>, usize>, key: &str, query: usize) -> bool {
    latest.get(key).is_some_and(|latest| *latest > query)
}

fn expands(setting: &ConfigurationSetting) -> bool {
    setting.kind() == ContentKind::SnapshotReference
}

fn reference(references: &References, setting: &ConfigurationSetting) -> Option<ReferenceId> {
    Some(references.parse(setting)?.ok()?.id)
}
