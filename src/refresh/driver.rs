//! Does what the machine says and tells it what came of it. One future, which starts no task of its own: whoever drops it
//! cancels every request that is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

use super::callers::Callers;
use super::check::{Look, look};
use super::engine::{Machine, Published, Shared};
use super::outcome::RefreshOutcome;
use super::report::Reporter;
use super::state::{
    Action, Caller, CandidateNo, CheckOutcome, Event, Publication, RoundOutcome, SecretId,
    restart_delay,
};
use super::{Scope, reply};
use crate::error::Result;
use crate::load::{Candidate, Phase, Pipeline, ReadReport};
use crate::reference::{ReadFailure, ReferenceId};
use crate::task::{self, Panicked};
use crate::telemetry;
use crate::time::Instant;

/// What reaches the driver from outside.
#[derive(Debug)]
pub(super) enum Message {
    Refresh(oneshot::Sender<Result<RefreshOutcome>>),
    StoreDirty { within: Duration },
    SecretDirty(SecretId),
}

/// Work that has ended.
enum Done {
    Checked(Result<Look>),
    Read(SecretId, ReferenceId, Result<ReadReport, ReadFailure>),
    Panicked(Box<Done>),
}

/// The one that executes. Exactly one exists for each engine.
pub(super) struct Driver {
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Message>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    candidates: BTreeMap<CandidateNo, Candidate>,
    newest: CandidateNo,
    callers: Callers,
    report: Reporter,
    /// It runs as a task of its own, not as part of a caller's.
    spawned: bool,
    /// The machine and what is under way agree. False if a start was cut off by one more panic.
    started: bool,
}

/// A panic this long after the one before is no part of a row.
const CALM: Duration = Duration::from_secs(10 * 60);

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, inbox: mpsc::UnboundedReceiver<Message>) -> Self {
        let mut driver = Self {
            report: Reporter::new(Arc::clone(&shared)),
            shared,
            inbox,
            work: FuturesUnordered::new(),
            candidates: BTreeMap::new(),
            newest: 0,
            callers: Callers::default(),
            spawned: false,
            started: false,
        };
        driver.begin(Shared::start);
        driver
    }

    fn pipeline(&self) -> &Arc<Pipeline> {
        &self.shared.pipeline
    }

    /// Starts over from what is published.
    fn begin(&mut self, start: fn(&Shared, Published<'_>)) {
        self.started = false;
        self.work.clear();
        self.callers.clear();
        self.candidates.clear();
        self.newest += 1;
        let current = self.pipeline().current();
        let needs = current.as_deref().map(|current| self.shared.needs(current));
        let published = needs.as_deref().map(|needs| (self.newest, needs));
        start(&self.shared, published);
        if let Some(current) = &current {
            self.pipeline().retain(&current.ids().cloned().collect());
            self.candidates.insert(self.newest, (**current).clone());
        }
        self.started = true;
        if let Some(current) = current {
            self.report.begins(&current);
        }
    }

    /// Runs for ever, as a task. A panic, of this crate or of code that it calls, starts the machine again after a pause.
    pub(super) async fn run(mut self) {
        self.spawned = true;
        let mut restarts = 0;
        let mut began = Instant::now();
        while task::caught(self.drive()).await.is_err() {
            if began.elapsed() > CALM {
                restarts = 0;
            }
            restarts += 1;
            self.restart();
            tokio::time::sleep(restart_delay(restarts)).await;
            began = Instant::now();
        }
    }

    /// After a panic: nothing that was under way is trusted any more. Callers learn of it.
    ///
    /// The application's clock, and whoever listens to `tracing`, may panic once more. What that cuts off is made up for by the
    /// next one who drives.
    pub(super) fn restart(&mut self) {
        self.callers.answer_all(&reply::panicked());
        let _ = task::caught_now(|| self.count_panic());
        let _ = task::caught_now(|| self.begin(Shared::restart));
        if !self.started {
            self.turn_away();
        }
    }

    /// Nothing can be begun for now: callers are told, and what events say is noted for the machine that comes next.
    fn turn_away(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            let now = Instant::now();
            match message {
                Message::Refresh(answer) => _ = answer.send(Err(reply::panicked())),
                Message::StoreDirty { within } => {
                    self.shared.machine().state.note_store(within, now);
                }
                Message::SecretDirty(id) => self.shared.machine().state.note_secret(id, now),
            }
        }
    }

    /// Waits for whatever comes next and handles it, for ever.
    pub(super) async fn drive(&mut self) {
        if !self.started {
            self.begin(Shared::restart);
        }
        loop {
            let wake = self.shared.machine().state.wake();
            let woken = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let messages = async {
                match self.inbox.recv().await {
                    Some(message) => message,
                    // The handle is gone, but something made from it still wants to be current.
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(done) = self.work.next() => self.finish(done),
                message = messages => self.receive(Some(message)),
                () = woken => self.step(Event::Woke),
            }
        }
    }

    /// Takes all messages that are there, so that callers who came together share one round.
    fn receive(&mut self, first: Option<Message>) {
        let generation = self.pipeline().publication().generation();
        let mut waiting = Vec::new();
        let mut next = first.or_else(|| self.inbox.try_recv().ok());
        while let Some(message) = next {
            match message {
                Message::Refresh(answer) => waiting.push(self.callers.add(answer, generation)),
                Message::StoreDirty { within } => self.step(Event::StoreDirty { within }),
                Message::SecretDirty(id) => self.step(Event::SecretDirty(id)),
            }
            next = self.inbox.try_recv().ok();
        }
        if !waiting.is_empty() {
            self.step(Event::RefreshNow(waiting));
        }
    }

    fn step(&mut self, event: Event) {
        let actions = self.shared.machine().state.step(event, Instant::now());
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Check { known, scope } => self.check(known, scope),
            Action::Read(id) => self.read(id),
            Action::Assemble(no) => {
                let outcome = self.assemble(no);
                self.step(Event::Assembled {
                    candidate: no,
                    outcome,
                });
            }
            Action::Keep(numbers) => self.keep(&numbers),
            Action::Reply { callers, outcome } => self.answer(&callers, &outcome),
            Action::Stop => self.work.clear(),
        }
    }

    fn count_panic(&self) {
        let panics = {
            let counters = &mut self.shared.machine().state.counters;
            counters.panics += 1;
            counters.panics
        };
        telemetry::panicked(panics);
    }

    fn check(&mut self, known: Option<CandidateNo>, scope: Scope) {
        let known = known.and_then(|no| self.candidates.get(&no)).cloned();
        let pipeline = Arc::clone(self.pipeline());
        let span = telemetry::check_span(&pipeline.endpoint());
        let work = async move { look(&pipeline, known.as_ref(), scope).await };
        let work = task::caught(work.instrument(span)).map(|done| match done {
            Ok(found) => Done::Checked(found),
            Err(Panicked) => Done::Panicked(Box::new(Done::Checked(Err(reply::panicked())))),
        });
        self.work.push(work.boxed());
    }

    fn read(&mut self, id: SecretId) {
        let pipeline = Arc::clone(self.pipeline());
        let Some(name) = self.shared.machine().names.name(id).cloned() else {
            return;
        };
        let span = telemetry::read_span(name.vault_host(), name.name());
        self.report.reads(&name);
        let asked = name.clone();
        let work = async move { pipeline.read(&asked).await };
        let work = task::caught(work.instrument(span)).map(move |done| match done {
            Ok(outcome) => Done::Read(id, name, outcome),
            Err(Panicked) => {
                let failure = ReadFailure::panicked();
                Done::Panicked(Box::new(Done::Read(id, name, Err(failure))))
            }
        });
        self.work.push(work.boxed());
    }

    fn finish(&mut self, done: Done) {
        let event = match done {
            Done::Panicked(done) => {
                self.count_panic();
                return self.finish(*done);
            }
            Done::Checked(outcome) => Event::Checked(self.checked(outcome)),
            Done::Read(id, name, outcome) => {
                self.report.read(&name, &outcome);
                let outcome = match outcome {
                    Ok(report) => Ok(self.shared.report(&name, report.changed)),
                    Err(failure) => Err(self.shared.failure(&failure)),
                };
                Event::Read { id, outcome }
            }
        };
        self.step(event);
    }

    fn checked(&mut self, outcome: Result<Look>) -> CheckOutcome {
        match outcome {
            Ok(look) => {
                self.report.checked();
                let Some(candidate) = look.candidate else {
                    return CheckOutcome::Unchanged;
                };
                let needs = self.shared.needs(&candidate);
                self.report.fetched(&candidate);
                self.newest += 1;
                self.candidates.insert(self.newest, candidate);
                CheckOutcome::Changed {
                    candidate: self.newest,
                    needs,
                    sentinel_moved: look.sentinel_moved,
                }
            }
            Err(error) => {
                self.report.check_failed(&error);
                CheckOutcome::Failed(error)
            }
        }
    }

    /// Assembles and publishes: values and watch state in one swap.
    fn assemble(&mut self, no: CandidateNo) -> Result<Publication> {
        let _entered = telemetry::assemble_span().entered();
        let Some(candidate) = self.candidates.get(&no) else {
            return Err(reply::closed());
        };
        let before = self.pipeline().publication().generation();
        let emptied = self.is_emptied(candidate);
        let assemble = || {
            if emptied && self.shared.options.refuses_emptied() {
                return Err(reply::emptied());
            }
            self.pipeline().assemble(candidate, Phase::Refresh)
        };
        let draft = task::caught_now(|| match self.spawned {
            true => task::in_place(assemble),
            false => assemble(),
        });
        let draft = draft.unwrap_or_else(|Panicked| {
            self.count_panic();
            Err(reply::panicked())
        });
        let draft = draft.inspect_err(|error| telemetry::refused(before, error))?;
        let published = self.pipeline().publish(draft);
        let changed = published.generation > before;
        if changed && emptied {
            telemetry::emptied(published.generation, &self.pipeline().endpoint());
        }
        if changed {
            let changes = (*published.changes).clone();
            self.callers.published(published.generation, changes);
        }
        Ok(Publication {
            generation: published.generation,
            changed,
        })
    }

    /// Every setting went at once: more often than not somebody's mistake.
    fn is_emptied(&self, candidate: &Candidate) -> bool {
        let current = self.pipeline().current();
        !candidate.has_settings() && current.is_some_and(|current| current.has_settings())
    }

    fn keep(&mut self, numbers: &BTreeSet<CandidateNo>) {
        self.candidates.retain(|no, _| numbers.contains(no));
        let ids = self.candidates.values().flat_map(Candidate::ids);
        let ids = ids.cloned().collect();
        self.pipeline().retain(&ids);
        let mut machine = self.shared.machine();
        let Machine { state, names } = &mut *machine;
        names.retain(&ids, |vault| state.reads.knows(vault));
    }

    fn answer(&mut self, callers: &[Caller], outcome: &RoundOutcome) {
        let now = self.pipeline().publication().generation();
        let shared = &self.shared;
        self.callers.answer(callers, |since, changes| {
            reply::reply(outcome, (since < now).then_some(now), changes, shared)
        });
    }

    /// Nobody drives any more for now. If somebody still waits, the next one goes on; otherwise requests are dropped.
    pub(super) fn pause(&mut self) {
        self.receive(None);
        if self.callers.is_deserted() {
            self.work.clear();
            self.callers.clear();
            self.step(Event::Deserted);
        }
    }
}
