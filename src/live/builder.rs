//! What a `Live` is made of, and its start.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::build::{self, Validate};
use super::follow::{Followed, Follower, Recipe};
use super::layers::Layers;
use super::slot::Slot;
use super::{Current, Live};
use crate::error::Result;
use crate::publication::Feed;
use crate::task::{self, Owner};

/// Collects the choices for a [`Live`]. Made by `AppConfiguration::live_builder`; [`start`](Self::start) ends it.
#[must_use = "nothing happens before start()"]
pub struct LiveBuilder<T> {
    feed: Feed,
    /// The handle's first load.
    loading: Option<BoxFuture<'static, Result<()>>>,
    followed: Vec<Feed>,
    layers: config::ConfigBuilder<config::builder::AsyncState>,
    validate: Option<Arc<Validate<T>>>,
}

impl<T> LiveBuilder<T> {
    pub(crate) fn new(feed: Feed, layers: impl Layers) -> Self {
        Self {
            feed,
            loading: None,
            followed: Vec::new(),
            layers: layers.into_async(),
            validate: None,
        }
    }

    /// Waits for the first load before anything is built.
    pub(crate) fn after(mut self, loading: BoxFuture<'static, Result<()>>) -> Self {
        self.loading = Some(loading);
        self
    }

    /// Follows one more store.
    pub(crate) fn following(mut self, feed: Feed) -> Self {
        self.followed.push(feed);
        self
    }

    /// Checks new values before they are used. `check` gets the new value and the one in use (`None` at the
    /// start), so that it can also refuse a change of what cannot be changed while running.
    ///
    /// At the start a refusal is the error of [`start`](Self::start). Later the old value stays, the refusal
    /// stands in [`Live::status`], and the attempt is repeated at every refresh interval and at every change.
    /// A panic in `check` is a refusal. It runs on a thread for blocking work, so it may take its time; it
    /// must not hold this `Live`, which would then keep itself alive.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { listen: String, workers: u16 }
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("listen", "0.0.0.0:80");
    /// # store.set("workers", "0");
    /// # let azure = builder.load().await?;
    /// # let layers = config::Config::builder().add_source(azure.clone());
    /// use config_azure::ErrorKind;
    ///
    /// let refused = azure
    ///     .live_builder::<Settings, _>(layers)
    ///     .validate(|new, old| {
    ///         if new.workers == 0 {
    ///             return Err("at least one worker");
    ///         }
    ///         match old {
    ///             Some(old) if old.listen != new.listen => Err("the address needs a restart"),
    ///             _ => Ok(()),
    ///         }
    ///     })
    ///     .start()
    ///     .await
    ///     .unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Rejected);
    /// # Ok(()) }
    /// ```
    ///
    /// Its error is never printed by this crate, since it may quote a value; it is the
    /// [`source`](std::error::Error::source) of the error that is.
    pub fn validate<E>(
        mut self,
        check: impl Fn(&T, Option<&T>) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.validate = Some(build::validator(check));
        self
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> LiveBuilder<T> {
    /// Builds, deserializes and validates the first value, and then keeps it current in the background. A handle that has
    /// not loaded yet loads first.
    ///
    /// # Errors
    /// Those of the first load; [`Runtime`](crate::ErrorKind::Runtime) outside a Tokio runtime with timers;
    /// [`MissingSource`](crate::ErrorKind::MissingSource) if the layers do not contain the handle;
    /// [`Layer`](crate::ErrorKind::Layer) if another layer fails; [`InvalidValue`](crate::ErrorKind::InvalidValue)
    /// if the values do not fit `T`; [`Rejected`](crate::ErrorKind::Rejected) if the validator refuses them.
    pub async fn start(mut self) -> Result<Live<T>> {
        task::runtime()?;
        if let Some(loading) = self.loading.take() {
            loading.await?;
        }
        let indirect = self
            .followed
            .iter()
            .any(|feed| Arc::ptr_eq(&feed.publication, &self.feed.publication));
        let feeds = || std::iter::once(&self.feed).chain(&self.followed);
        let mut recipe = Recipe {
            layers: self.layers,
            validate: self.validate,
            primary: Arc::clone(&self.feed.publication),
            indirect,
            followed: Followed::new(feeds().map(|feed| Arc::clone(&feed.publication))),
            _owners: feeds().map(|feed| feed.owner.clone()).collect(),
        };
        let built = recipe.first().await?;
        let clock = Arc::clone(recipe.primary.clock());
        let slot = Slot::new::<T>(Current::new(built, 1), clock);
        let interval = recipe.followed.interval();
        let (owner, token) = Owner::new();
        let follower = Follower {
            recipe,
            slot: Arc::clone(&slot),
            retry_at: None,
        };
        // Ends with the task, however it ends: also when its runtime is dropped under it.
        let closing = slot.closed().clone().drop_guard();
        task::spawn("live", token, async move {
            let _closing = closing;
            follower.run().await;
        })?;
        Ok(Live::new(slot, owner, interval))
    }
}

impl<T> fmt::Debug for LiveBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveBuilder")
            .field("followed", &self.followed.len())
            .field("validate", &self.validate.is_some())
            .finish_non_exhaustive()
    }
}
