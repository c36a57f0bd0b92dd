//! The line, once: list the settings, resolve the references, assemble the tree. All or nothing.
//!
//! Only the start and the refresh engine call it. Neither a token nor a value leaves here except in a [`Draft`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::error::{Error, ErrorKind, Result};
use crate::loaded::Loaded;
use crate::publication::{Publication, Published};
use crate::reference::{ReadFailure, ReferenceId, References};
use crate::store::{Scope, Store, Walk};
use crate::task::{self, Panicked};
use crate::telemetry;
use crate::tree::Shape;

mod candidate;
mod contents;
mod prefetch;
mod unread;

pub(crate) use candidate::Candidate;

use prefetch::{Announced, Prefetch};
use unread::Unread;

/// Whether a draft is for the first value, or for a later one that has a last good value behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Startup,
    Refresh,
}

/// Everything that one store handle needs to produce a generation.
pub(crate) struct Pipeline {
    /// What the store is called in origins, and its first endpoint.
    name: Box<str>,
    endpoint: Box<str>,
    store: Store,
    references: References,
    shape: Shape,
    publication: Arc<Publication>,
    /// What failed last, by identifier. An entry goes with the next success.
    failures: Mutex<BTreeMap<ReferenceId, ReadFailure>>,
    /// What the first load waits for.
    unread: Unread,
    /// The settings, and with them the watch state, of the published generation.
    current: ArcSwapOption<Candidate>,
}

/// A generation that is ready to be published.
pub(crate) struct Draft {
    loaded: Loaded,
    candidate: Candidate,
}

/// What one read of a reference brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadReport {
    /// The value differs from the one held before, or there was none.
    pub(crate) changed: bool,
}

impl Pipeline {
    /// `endpoint` is the store's first one, `https://contoso.azconfig.io`.
    pub(crate) fn new(
        endpoint: &str,
        store: Store,
        references: References,
        shape: Shape,
        publication: Arc<Publication>,
    ) -> Self {
        let host = endpoint
            .split_once("://")
            .map_or(endpoint, |(_, host)| host);
        Self {
            name: host.split(['.', ':', '/']).next().unwrap_or(host).into(),
            endpoint: endpoint.into(),
            store,
            references,
            shape,
            publication,
            failures: Mutex::default(),
            unread: Unread::default(),
            current: ArcSwapOption::empty(),
        }
    }

    /// The endpoint that answered last, or the first configured one.
    pub(crate) fn endpoint(&self) -> String {
        match self.publication.current() {
            Some(loaded) if !loaded.endpoint().is_empty() => loaded.endpoint().to_owned(),
            _ => self.endpoint.clone().into(),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn references(&self) -> &References {
        &self.references
    }

    pub(crate) fn publication(&self) -> &Arc<Publication> {
        &self.publication
    }

    /// The settings and the watch state of the published generation.
    pub(crate) fn current(&self) -> Option<Arc<Candidate>> {
        self.current.load_full()
    }

    /// One pass of the first load. Settings fetched by an earlier pass are not fetched again: if only a vault failed,
    /// only the vault is asked again.
    pub(crate) async fn first_pass(
        &self,
        fetched: Option<Candidate>,
    ) -> (Result<Draft>, Option<Candidate>) {
        self.unread.clear();
        let candidate = match self.fetch(fetched).await {
            Ok(candidate) => candidate,
            Err(error) => return (Err(error), None),
        };
        let assembled = task::caught_now(|| self.assemble(&candidate, Phase::Startup));
        match assembled.unwrap_or_else(|Panicked| Err(panicked())) {
            Ok(draft) => {
                self.unread.clear();
                (Ok(draft), None)
            }
            Err(error) => (Err(error), Some(candidate)),
        }
    }

    /// Walks the store and reads references while pages are still on their way.
    async fn fetch(&self, fetched: Option<Candidate>) -> Result<Candidate> {
        let (announce, announced) = unbounded_channel();
        let walk = async {
            let candidate = match fetched {
                Some(candidate) => candidate,
                None => {
                    let prefetch = Mutex::new(Prefetch::new(
                        &self.references,
                        self.store.selection().queries().len(),
                        announce.clone(),
                    ));
                    let observe = |progress: crate::store::Progress<'_>| {
                        prefetch
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .observe(&progress);
                    };
                    Candidate::new(self.store.load(&observe).await?, &self.references)
                }
            };
            for announced in candidate.named() {
                let _ = announce.send(announced);
            }
            drop(announce);
            Ok(candidate)
        };
        let reads = async {
            self.read_announced(announced).await;
            Ok::<(), Error>(())
        };
        let (candidate, ()) = futures::future::try_join(walk, reads).await?;
        Ok(candidate)
    }

    /// Reads every announced identifier once. Failures are remembered, for [`assemble`](Self::assemble) to judge.
    async fn read_announced(&self, mut announced: UnboundedReceiver<Announced>) {
        let mut asked = BTreeSet::new();
        let mut reads = FuturesUnordered::new();
        let mut open = true;
        while open || !reads.is_empty() {
            tokio::select! {
                next = announced.recv(), if open => match next {
                    Some((id, _)) if asked.contains(&id) || self.references.held(&id).is_some() => {}
                    Some((id, setting)) => {
                        asked.insert(id.clone());
                        self.unread.asked(id.clone(), setting);
                        reads.push(async move {
                            if self.read(&id).await.is_ok() {
                                self.unread.came(&id);
                            }
                        });
                    }
                    None => open = false,
                },
                Some(_) = reads.next(), if !reads.is_empty() => {}
            }
        }
    }

    /// Asks whether the store has moved on from `known`: one conditional request per remembered page.
    pub(crate) async fn poll(&self, known: &Candidate, scope: Scope) -> Result<Option<Candidate>> {
        let walk = self.store.check(known.walk(), scope).await?;
        Ok(walk.map(|walk| Candidate::new(walk, &self.references)))
    }

    /// Lists everything anew.
    pub(crate) async fn walk(&self) -> Result<Candidate> {
        let walk: Walk = self.store.load(&|_| {}).await?;
        Ok(Candidate::new(walk, &self.references))
    }

    /// Reads one reference from its vault. Success replaces the value held; failure leaves it.
    pub(crate) async fn read(&self, id: &ReferenceId) -> Result<ReadReport, ReadFailure> {
        let before = self.references.held(id);
        let result = self.references.read(id).await;
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(resolved) => {
                failures.remove(id);
                Ok(ReadReport {
                    changed: before.is_none_or(|before| before != resolved),
                })
            }
            Err(failure) => {
                failures.insert(id.clone(), failure.clone());
                Err(failure)
            }
        }
    }

    /// Why `id` could not be read last time, if it could not.
    pub(crate) fn failure(&self, id: &ReferenceId) -> Option<ReadFailure> {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    /// The references that the first load is waiting for or could not read, by setting, vault and secret: the first few
    /// and how many more. `None` if it waits for none.
    pub(crate) fn unread(&self) -> Option<String> {
        self.unread.text(|id| self.failure(id))
    }

    /// Builds the tree of a candidate out of the secrets held, by the policy of each reference.
    ///
    /// # Errors
    /// All references that their policy does not forgive, in one error; or a conflict of keys.
    pub(crate) fn assemble(&self, candidate: &Candidate, phase: Phase) -> Result<Draft> {
        let contents = contents::gather(self, candidate, phase)?;
        let (tree, warnings) = contents.into_tree(&self.name, &self.shape)?;
        let loaded = Loaded::new(
            tree,
            candidate.walk().endpoint(),
            candidate.warnings().chain(warnings).collect(),
        );
        Ok(Draft {
            loaded,
            candidate: candidate.clone(),
        })
    }

    /// Forgets every secret but these: what the current generation, or one in the making, refers to.
    pub(crate) fn retain(&self, ids: &BTreeSet<ReferenceId>) {
        self.references.retain(ids);
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, _| ids.contains(id));
    }

    /// Publishes an empty generation, for a start without the store.
    pub(crate) fn publish_empty(&self) {
        self.publication.publish(Loaded::new(
            crate::tree::Tree::default(),
            &self.endpoint,
            Vec::new(),
        ));
    }

    /// Makes a draft the current generation: values and watch state together, in one swap. Cannot fail.
    pub(crate) fn publish(&self, draft: Draft) -> Published {
        let Draft { loaded, candidate } = draft;
        self.references.published(candidate.ids());
        let candidate = Arc::new(candidate);
        self.current.store(Some(Arc::clone(&candidate)));
        let before = self.publication.generation();
        let published = self.publication.publish(loaded);
        if published.generation > before {
            let paths = published.changes.iter().map(|change| change.path());
            telemetry::published(published.generation, candidate.walk().endpoint(), paths);
        }
        published
    }
}

fn panicked() -> Error {
    let message =
        "code of the application (such as `map_key`) panicked while the settings were put together";
    Error::new(ErrorKind::Runtime, message)
}
