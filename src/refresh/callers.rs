//! Who waits for the end of a round, and since when.

use std::collections::BTreeMap;

use tokio::sync::oneshot::Sender;

use super::outcome::RefreshOutcome;
use super::state::Caller;
use crate::error::{Error, Result};
use crate::tree::ChangeSet;

type Answer = Result<RefreshOutcome>;

struct Waiting {
    answer: Sender<Answer>,
    /// The generation that was current when it called.
    since: u64,
}

/// The callers of `refresh()` that have no answer yet.
#[derive(Default)]
pub(super) struct Callers {
    waiting: BTreeMap<Caller, Waiting>,
    last: Caller,
    /// What was published while somebody waited.
    published: Vec<(u64, ChangeSet)>,
}

impl Callers {
    pub(super) fn add(&mut self, answer: Sender<Answer>, since: u64) -> Caller {
        self.last += 1;
        self.waiting.insert(self.last, Waiting { answer, since });
        self.last
    }

    pub(super) fn published(&mut self, generation: u64, changes: ChangeSet) {
        if !self.waiting.is_empty() {
            self.published.push((generation, changes));
        }
    }

    /// Answers some of them. `reply` is asked once for each generation since which somebody waits, and given the sum of
    /// what was published after it.
    pub(super) fn answer(&mut self, callers: &[Caller], reply: impl Fn(u64, ChangeSet) -> Answer) {
        let mut replies: BTreeMap<u64, Answer> = BTreeMap::new();
        for caller in callers {
            let Some(Waiting { answer, since }) = self.waiting.remove(caller) else {
                continue;
            };
            let reply = replies
                .entry(since)
                .or_insert_with(|| reply(since, self.sum(since)));
            // Whoever does not wait any more does not mind.
            let _ = answer.send(reply.clone());
        }
        if self.waiting.is_empty() {
            self.published.clear();
        }
    }

    fn sum(&self, since: u64) -> ChangeSet {
        let later = self
            .published
            .iter()
            .filter(|(generation, _)| *generation > since);
        later.fold(ChangeSet::default(), |sum, (_, changes)| {
            sum.then(changes.clone())
        })
    }

    pub(super) fn answer_all(&mut self, error: &Error) {
        for (_, Waiting { answer, .. }) in std::mem::take(&mut self.waiting) {
            let _ = answer.send(Err(error.clone()));
        }
        self.published.clear();
    }

    /// True if nobody is there to hear an answer.
    pub(super) fn is_deserted(&self) -> bool {
        self.waiting
            .values()
            .all(|waiting| waiting.answer.is_closed())
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.published.clear();
    }
}
