//! What the handle holds: the way to the driver, and the view on the machine.

use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::driver::{Driver, Message};
use super::options::RefreshOptions;
use super::outcome::RefreshOutcome;
use super::reply;
use super::state::{CandidateNo, Need, ReadError, ReadReport, Schedule, State};
use super::status::Status;
use crate::error::Result;
use crate::load::{Candidate, Pipeline};
use crate::publication::Publication;
use crate::reference::{ChangedObject, ReadFailure, ReferenceId};
use crate::task;
use crate::time::Instant;

/// How long `shutdown()` waits for the end of the task.
const FAREWELL: Duration = Duration::from_millis(100);
/// A secret that nobody waits for and that has no interval is tried again after this, while it fails.
const SECRETS_EVERY: Duration = Duration::from_secs(5 * 60);

/// The machine, and what its numbers stand for.
pub(super) struct Machine {
    pub(super) state: State,
    pub(super) names: Directory,
}

/// What driver and handle share.
pub(super) struct Shared {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) options: RefreshOptions,
    schedule: Schedule,
    machine: StdMutex<Machine>,
}

impl Shared {
    /// Nothing but the machine's own arithmetic happens under this lock.
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the machine. `published`: what it is to take for published.
    pub(super) fn start(&self, published: Published<'_>) {
        self.machine().state = self.fresh(published);
    }

    /// Starts it again after a panic.
    pub(super) fn restart(&self, published: Published<'_>) {
        let mut state = self.fresh(published);
        let mut machine = self.machine();
        state.inherit(&machine.state, Instant::now());
        machine.state = state;
    }

    fn fresh(&self, published: Published<'_>) -> State {
        let generation = self.pipeline.publication().generation();
        fresh(&self.schedule, published, generation)
    }

    /// What a candidate refers to, and what is held of it.
    pub(super) fn needs(&self, candidate: &Candidate) -> Vec<Need> {
        let need = |(name, every): (&ReferenceId, Option<Duration>)| {
            let held = self.pipeline.references().held(name);
            Need {
                id: self.machine().names.number(name),
                every,
                held: held.map(|_| self.report(name, false)),
            }
        };
        candidate.objects().map(need).collect()
    }

    /// The dates of what is held, as time from now.
    pub(super) fn report(&self, id: &ReferenceId, changed: bool) -> ReadReport {
        let held = self.pipeline.references().held(id);
        let life = held.map(|held| held.life()).unwrap_or_default();
        let today = self.pipeline.publication().clock().now();
        let left = |date: Option<std::time::SystemTime>| date?.duration_since(today).ok();
        ReadReport {
            changed,
            expires_in: left(life.expires_on),
            valid_in: left(life.not_before),
        }
    }

    pub(super) fn failure(&self, failure: &ReadFailure) -> ReadError {
        ReadError {
            kind: failure.kind,
            status: failure.status,
            retry_at: failure.retry_at,
        }
    }
}

/// A candidate, and what it needs.
pub(super) type Published<'a> = Option<(CandidateNo, &'a [Need])>;

fn fresh(schedule: &Schedule, published: Published<'_>, generation: u64) -> State {
    let seed = fastrand::u64(..);
    State::new(schedule, seed, published, generation, Instant::now())
}

/// The refresh of one handle.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedSender<Message>,
    /// Without an interval there is no task: whoever calls `refresh` drives.
    inline: Option<Inline>,
    token: CancellationToken,
    /// Cancelled when nothing will be published any more.
    ended: CancellationToken,
}

impl Engine {
    /// Starts the background task after the first load, unless there is no interval. `token` ends it.
    /// `discovery` keeps the list of replicas current beside the task, and never ends by itself.
    pub(crate) fn start(
        pipeline: Arc<Pipeline>,
        options: &RefreshOptions,
        token: CancellationToken,
        discovery: BoxFuture<'static, ()>,
    ) -> Result<Self> {
        let references = pipeline.references();
        let common = references.options().intervals.common();
        let schedule = Schedule {
            every: options.period(),
            flags_every: options.flags_period(),
            jitter: options.jitter_part(),
            settle: options.settle_window(),
            idle: common.unwrap_or(SECRETS_EVERY),
            reads_per_vault: references.reads_per_vault(),
        };
        let shared = Arc::new(Shared {
            machine: StdMutex::new(Machine {
                state: fresh(&schedule, None, 0),
                names: Directory::default(),
            }),
            pipeline: Arc::clone(&pipeline),
            options: options.clone(),
            schedule,
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        let driver = Driver::new(Arc::clone(&shared), receiver);
        let ended = CancellationToken::new();
        let ending = Ending {
            publication: Arc::clone(pipeline.publication()),
            ended: ended.clone(),
        };
        let discovers = pipeline.store().discovers();
        let inline = if options.period().is_some() {
            task::spawn("refresh", token.clone(), async move {
                let _ending = ending;
                // Neither the end of the search for replicas nor a panic of it ends the refresh.
                let discovery = task::caught(discovery).then(|_| std::future::pending::<()>());
                tokio::select! {
                    () = driver.run() => {}
                    () = discovery => {}
                }
            })?;
            None
        } else {
            if discovers {
                task::spawn("discovery", token.clone(), discovery)?;
            }
            Some(Inline {
                driver: Mutex::new(driver),
                ending: StdMutex::new(Some(ending)),
            })
        };
        Ok(Self {
            shared,
            inbox: sender,
            inline,
            token,
            ended,
        })
    }

    /// Checks now. Callers that come together share one check.
    pub(crate) async fn refresh(&self) -> Result<RefreshOutcome> {
        let (answer, wait) = oneshot::channel();
        if self.ended.is_cancelled() || self.inbox.send(Message::Refresh(answer)).is_err() {
            return Err(reply::closed());
        }
        match &self.inline {
            None => wait.await.unwrap_or_else(|_| Err(reply::closed())),
            Some(inline) => self.drive(&inline.driver, wait).await,
        }
    }

    /// Drives until the answer is there, or waits for it while another caller drives.
    async fn drive(
        &self,
        driver: &Mutex<Driver>,
        mut wait: oneshot::Receiver<Result<RefreshOutcome>>,
    ) -> Result<RefreshOutcome> {
        // Those who call at the same moment get the time to join.
        tokio::task::yield_now().await;
        let mut turn = tokio::select! {
            biased;
            answer = &mut wait => return answer.unwrap_or_else(|_| Err(reply::closed())),
            () = self.token.cancelled() => return Err(reply::closed()),
            driver = driver.lock() => Turn { driver, wait },
        };
        tokio::select! {
            biased;
            answer = &mut turn.wait => answer.unwrap_or_else(|_| Err(reply::closed())),
            () = self.token.cancelled() => Err(reply::closed()),
            _panicked = task::caught(turn.driver.drive()) => {
                let _ = task::caught_now(|| turn.driver.restart());
                Err(reply::panicked())
            }
        }
    }

    /// An event says that the store changed: check it at a random moment within this time. False if nothing runs.
    pub(crate) fn store_changed(&self, within: Duration) -> bool {
        self.is_running() && self.inbox.send(Message::StoreDirty { within }).is_ok()
    }

    /// An event says that an object of a vault has changed. Gives how many references that concerns.
    pub(crate) fn object_changed(&self, object: &ChangedObject) -> usize {
        if !self.is_running() {
            return 0;
        }
        let concerned = |id: &ReferenceId| object.concerns(id);
        let ids = self.shared.machine().names.matching(concerned);
        let told = ids
            .into_iter()
            .map(|id| self.inbox.send(Message::SecretDirty(id)));
        told.filter(|told| told.is_ok()).count()
    }

    /// True if any reference points to this vault.
    pub(crate) fn uses_vault(&self, host: &str) -> bool {
        let machine = self.shared.machine();
        let there = machine.names.matching(|id| id.vault_host() == host);
        !there.is_empty()
    }

    /// True while a task refreshes.
    pub(crate) fn is_running(&self) -> bool {
        self.inline.is_none() && !self.ended.is_cancelled()
    }

    pub(crate) fn status(&self) -> Status {
        let running = self.is_running();
        let grace = self.shared.options.grace();
        Status::of(
            &self.shared.machine(),
            &self.shared.pipeline,
            grace,
            running,
        )
    }

    /// Waits for the end of the task, at most 100 ms. To be called after the token was cancelled.
    pub(crate) async fn ended(&self) {
        if let Some(inline) = &self.inline {
            let mut ending = inline.ending.lock().unwrap_or_else(PoisonError::into_inner);
            drop(ending.take());
        }
        let _ = tokio::time::timeout(FAREWELL, self.ended.cancelled()).await;
    }
}

/// The driver, while no task has it.
struct Inline {
    driver: Mutex<Driver>,
    ending: StdMutex<Option<Ending>>,
}

/// One caller's turn at driving.
struct Turn<'a> {
    driver: tokio::sync::MutexGuard<'a, Driver>,
    wait: oneshot::Receiver<Result<RefreshOutcome>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wait.close();
        let _ = task::caught_now(|| self.driver.pause());
    }
}

/// However the task ends, even with its runtime: nobody waits for a further generation.
struct Ending {
    publication: Arc<Publication>,
    ended: CancellationToken,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.publication.close();
        self.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A callback that does not end is what `shutdown()` waits longest for; in real time its tests allow far more.
    #[test]
    fn n13_the_farewell_is_as_long_as_promised() {
        assert_eq!(FAREWELL, Duration::from_millis(100));
    }
}
