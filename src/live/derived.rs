//! Something built from a part of the snapshot, such as a pool, kept in step with it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::slot::{Slot, backoff};
use super::status::LiveStatus;
use super::{Closed, Part, PartRef};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::task::{self, Owner, Panicked};
use crate::time::{Instant, later};

/// How long a build may go on after a newer value has come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something built from a part of a [`Live`](crate::Live)'s value, built anew whenever that part changes.
///
/// [`load`](Self::load) gives the newest that could be built. The one before it lives until its last user lets
/// go, so work in progress on an old pool ends in peace. Cheap to clone. Holding one keeps the refresh going.
pub struct Derived<P> {
    slot: Arc<Slot<P>>,
    owner: Owner,
    seen: u64,
}

impl<P> Derived<P> {
    /// The newest one. Never blocks.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Arc<P> {
        self.slot.value().load_full()
    }

    /// The `ArcSwap` itself, to read from.
    #[must_use]
    pub fn as_arc_swap(&self) -> &ArcSwap<P> {
        self.slot.value()
    }

    /// Waits for one that this clone has not seen, and returns the newest. Cancel safe.
    ///
    /// # Errors
    /// [`Closed`] when no change will come any more.
    pub async fn changed(&mut self) -> Result<Arc<P>, Closed> {
        let (generation, value) = self.slot.newer_than(self.seen).await?;
        self.seen = generation;
        Ok(value)
    }

    /// Whether this was built from the newest part, and if not, why not.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        self.slot.status()
    }
}

impl<P> Clone for Derived<P> {
    fn clone(&self) -> Self {
        Self {
            slot: Arc::clone(&self.slot),
            owner: self.owner.clone(),
            seen: self.seen,
        }
    }
}

impl<P> fmt::Debug for Derived<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived")
            .field("generation", &self.slot.generation())
            .finish_non_exhaustive()
    }
}

type Building<P> = Pin<Box<dyn Future<Output = Result<P, BoxError>> + Send>>;
type Build<T, U, P> = Box<dyn Fn(PartRef<T, U>) -> Building<P> + Send + Sync>;

/// Builds the first one here, and the others in the background.
pub(super) async fn start<T, U, P, F, E>(
    mut part: Part<T, U>,
    build: impl Fn(PartRef<T, U>) -> F + Send + Sync + 'static,
) -> Result<Derived<P>>
where
    T: Send + Sync + 'static,
    U: ?Sized + 'static,
    P: Send + Sync + 'static,
    F: Future<Output = Result<P, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    task::runtime()?;
    let build: Build<T, U, P> = Box::new(move |part| {
        let building = build(part);
        Box::pin(async move { building.await.map_err(Into::into) })
    });
    let first = part.latest();
    let first = attempt(&build, first).await?;
    let slot = Slot::new::<P>(first, Arc::clone(part.live().slot.clock()));
    let (owner, token) = Owner::new();
    let rebuilder = Rebuilder {
        part,
        build,
        slot: Arc::clone(&slot),
        failures: 0,
    };
    let closing = slot.closed().clone().drop_guard();
    task::spawn("derived", token, async move {
        let _closing = closing;
        rebuilder.run().await;
    })?;
    Ok(Derived {
        slot,
        owner,
        seen: 1,
    })
}

async fn attempt<T, U: ?Sized, P>(build: &Build<T, U, P>, part: PartRef<T, U>) -> Result<P> {
    match task::caught(async { build(part).await }).await {
        Ok(Ok(built)) => Ok(built),
        Ok(Err(cause)) => Err(Error::new(
            ErrorKind::Rejected,
            "what depends on the new values could not be built",
        )
        .with_source(cause)),
        Err(Panicked) => Err(panicked()),
    }
}

fn panicked() -> Error {
    Error::new(
        ErrorKind::Rejected,
        "the code that selects, compares or builds what depends on the new values panicked",
    )
}

/// The running task. It owns the part, which keeps the `Live` going.
struct Rebuilder<T, U: ?Sized, P> {
    part: Part<T, U>,
    build: Build<T, U, P>,
    slot: Arc<Slot<P>>,
    failures: u32,
}

impl<T, U, P> Rebuilder<T, U, P>
where
    T: Send + Sync + 'static,
    U: ?Sized + 'static,
    P: Send + Sync + 'static,
{
    /// Until the `Live` is closed. To select and to compare a part is the application's code, as building is.
    async fn run(mut self) {
        let mut retry_at = None;
        loop {
            let built = match task::caught(self.turn(retry_at)).await {
                Ok(Ok(built)) => built,
                Ok(Err(Closed)) => return,
                Err(Panicked) => Err(panicked()),
            };
            retry_at = built.err().map(|error| self.refuse(error));
        }
    }

    async fn turn(&mut self, retry_at: Option<Instant>) -> Result<Result<()>, Closed> {
        self.wanted(retry_at).await?;
        Ok(self.rebuild().await)
    }

    /// Waits for a changed part, or for the time of another attempt.
    async fn wanted(&mut self, retry_at: Option<Instant>) -> Result<(), Closed> {
        let changed = async { self.part.changed().await.map(drop) };
        let Some(at) = retry_at else {
            return changed.await;
        };
        tokio::select! {
            biased;
            changed = changed => changed,
            () = tokio::time::sleep_until(at) => Ok(()),
        }
    }

    async fn rebuild(&mut self) -> Result<()> {
        let part = self.part.latest();
        let building = attempt(&self.build, part);
        let overtaken = overtaken(self.part.clone());
        let built = tokio::select! {
            biased;
            built = building => built?,
            () = overtaken => return Err(Error::new(
                ErrorKind::Timeout,
                "a build was given up 30 s after a newer value had come",
            )),
        };
        self.slot.accept(|_| built);
        self.failures = 0;
        Ok(())
    }

    fn refuse(&mut self, error: Error) -> Instant {
        self.failures = self.failures.saturating_add(1);
        self.slot.refuse(error);
        let most = self.part.live().interval;
        later(Instant::now(), backoff(self.failures, most))
    }
}

/// Ends `PATIENCE` after the part changed again; never if it does not. A panic over the newer part ends no build.
async fn overtaken<T, U: ?Sized>(mut part: Part<T, U>) {
    if let Ok(Err(Closed)) = task::caught(part.changed()).await {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(PATIENCE).await;
}
