//! The task of one `Live`: waits for a publication of a followed store, rebuilds, and swaps or keeps.

use std::sync::Arc;
use std::time::Duration;

use config::ConfigBuilder;
use config::builder::AsyncState;
use futures::future::{join_all, select_all};
use serde::de::DeserializeOwned;

use super::Current;
use super::build::{self, Built, Validate};
use super::slot::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::loaded::Loaded;
use crate::publication::Publication;
use crate::publication::pin::Pins;
use crate::task::{self, Owner, Panicked};
use crate::time::{Instant, later};

/// How long other layers may take to be collected again. What hangs is dropped and tried again.
const COLLECT_LIMIT: Duration = Duration::from_secs(60);

/// How long deserializing and validating may take before it is reported. Code that hangs cannot be stopped,
/// so it is still waited for.
const JUDGE_LIMIT: Duration = Duration::from_secs(60);

/// What one `Live` is built from.
pub(super) struct Recipe<T> {
    pub(super) layers: ConfigBuilder<AsyncState>,
    pub(super) validate: Option<Arc<Validate<T>>>,
    /// The store whose generation a snapshot carries.
    pub(super) primary: Arc<Publication>,
    /// True if the layers need not read the primary store themselves.
    pub(super) indirect: bool,
    pub(super) followed: Followed,
    /// Keeps the engines of the followed stores running, even of those that no layer holds.
    pub(super) _owners: Vec<Owner>,
}

impl<T: DeserializeOwned + Send + Sync + 'static> Recipe<T> {
    /// The first value. What fails here fails `live`.
    pub(super) async fn first(&mut self) -> Result<Built<T>> {
        let (built, pins) = build::collect(&self.layers).await;
        let config = built?;
        let loaded = self.generation_read(&pins)?;
        self.followed.advance(&pins);
        let (read, validate) = (pins.all(), self.validate.clone());
        task::blocking(move || build::judge(&config, loaded, &read, validate.as_deref(), None))
            .await
            .unwrap_or_else(|Panicked| Err(stopped()))
    }

    fn generation_read(&self, pins: &Pins) -> Result<Arc<Loaded>> {
        if let Some(loaded) = pins.of(&self.primary) {
            return Ok(loaded);
        }
        if !self.indirect {
            return Err(Error::new(
                ErrorKind::MissingSource,
                "the layers given to live do not read this store: add .add_source(azure.clone()) to the \
                 builder, where `azure` is the handle that live is called on",
            ));
        }
        self.primary.current().ok_or_else(crate::source::not_loaded)
    }
}

/// The running task.
pub(super) struct Follower<T> {
    pub(super) recipe: Recipe<T>,
    pub(super) slot: Arc<Slot<Current<T>>>,
    pub(super) retry_at: Option<Instant>,
}

impl<T: DeserializeOwned + Send + Sync + 'static> Follower<T> {
    /// Until every followed store is closed.
    pub(super) async fn run(mut self) {
        while self.recipe.followed.news(self.retry_at).await {
            self.retry_at = match task::caught(self.rebuild()).await {
                Ok(Ok(())) => {
                    self.slot.settle();
                    None
                }
                Ok(Err(error)) => Some(self.refuse(error)),
                Err(Panicked) => Some(self.refuse(stopped())),
            };
        }
    }

    async fn rebuild(&mut self) -> Result<()> {
        self.recipe.followed.mark();
        let collecting = build::collect(&self.recipe.layers);
        let Ok((built, pins)) = tokio::time::timeout(COLLECT_LIMIT, collecting).await else {
            return Err(Error::new(
                ErrorKind::Timeout,
                "collecting the layers took more than 60 s",
            ));
        };
        self.recipe.followed.advance(&pins);
        let config = built?;
        let loaded = self.recipe.generation_read(&pins)?;
        let (read, validate) = (pins.all(), self.recipe.validate.clone());
        let slot = Arc::clone(&self.slot);
        // The old value is dropped over there, too: T and all its code stay off the async workers.
        self.watched(task::blocking(move || {
            let old = slot.value().load_full();
            let built = build::judge(&config, loaded, &read, validate.as_deref(), Some(&**old))?;
            drop(old);
            slot.accept(|generation| Current::new(built, generation));
            Ok(())
        }))
        .await
        .unwrap_or_else(|Panicked| Err(stopped()))
    }

    /// Waits for user code, and reports it in the status if it takes too long.
    async fn watched<R>(&self, work: impl Future<Output = R>) -> R {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(JUDGE_LIMIT, work.as_mut()).await {
            return done;
        }
        let slow = "deserializing or validating the new values takes more than 60 s";
        self.refuse(Error::new(ErrorKind::Timeout, slow));
        work.await
    }

    /// Records why, and returns when to try again.
    fn refuse(&self, error: Error) -> Instant {
        self.slot.refuse(error);
        later(Instant::now(), self.recipe.followed.interval())
    }
}

/// A blocking thread ended without an answer: `Drop` of a value that was refused panicked, or the runtime ends.
fn stopped() -> Error {
    Error::new(
        ErrorKind::Rejected,
        "the application's type panicked while new values were taken over",
    )
}

/// The stores whose publications cause a rebuild, each with the generation that the last attempt saw.
pub(super) struct Followed(Vec<(Arc<Publication>, u64)>);

impl Followed {
    pub(super) fn new(stores: impl IntoIterator<Item = Arc<Publication>>) -> Self {
        let mut followed = Self(Vec::new());
        for store in stores {
            followed.add(store);
        }
        followed
    }

    fn add(&mut self, store: Arc<Publication>) -> &mut u64 {
        let known = self.0.iter().position(|(one, _)| Arc::ptr_eq(one, &store));
        let index = known.unwrap_or_else(|| {
            let seen = store.generation();
            self.0.push((store, seen));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    /// An attempt begins: what is published from now on is news.
    fn mark(&mut self) {
        for (store, seen) in &mut self.0 {
            *seen = store.generation();
        }
    }

    /// What the attempt read is no news any more. A store that the layers turn out to read is followed from
    /// now on, whether or not `follow` named it.
    fn advance(&mut self, pins: &Pins) {
        for pin in pins.all() {
            let generation = pin.loaded.generation();
            *self.add(pin.publication) = generation;
        }
    }

    /// Waits for a newer generation, or for the time of another attempt. False when all stores are closed.
    async fn news(&self, retry_at: Option<Instant>) -> bool {
        let newer = select_all(
            self.0
                .iter()
                .map(|(store, seen)| Box::pin(store.newer_than(*seen))),
        );
        let closed = join_all(self.0.iter().map(|(store, _)| store.closed().cancelled()));
        let retry = async {
            match retry_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = newer => true,
            _ = closed => false,
            () = retry => true,
        }
    }

    /// How often a refused attempt is repeated: as often as the busiest store is checked.
    pub(super) fn interval(&self) -> Duration {
        let intervals = self.0.iter().map(|(store, _)| store.interval());
        intervals.min().unwrap_or(COLLECT_LIMIT)
    }
}
