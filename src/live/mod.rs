//! The application's typed snapshot, kept current: its own layers rebuilt at every publication, deserialized,
//! validated, and swapped in as a whole.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::access::Access;
use arc_swap::{ArcSwap, Guard};

use crate::task::Owner;
use crate::tree::Explanation;

mod build;
mod builder;
mod current;
mod derived;
mod follow;
mod layer_error;
mod layers;
mod overlay;
mod part;
mod reader;
mod slot;
mod status;
#[cfg(test)]
mod tests;

pub use builder::LiveBuilder;
pub use current::Current;
pub use derived::Derived;
pub use layers::Layers;
pub use part::{Part, PartRef};
pub use reader::Reader;
pub use status::{LiveStatus, Refusal};

use slot::Slot;

/// The application's settings as a `T` that follows every change.
///
/// Made by `AppConfiguration::live` from the application's own `config` builder. A change in the store or a
/// rotated secret rebuilds all layers, deserializes and validates; only if all of it succeeds, the new value is
/// swapped in and [`changed`](Self::changed) wakes. Otherwise the last good value stays, and
/// [`status`](Self::status) says why.
///
/// It is cheap to clone, and reading never blocks. What a unit of work needs it reads once, at its beginning:
/// two calls of [`load`](Self::load) can see two generations.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use config::{Config, Environment};
/// use config_azure::Live;
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     greeting: String,
/// }
///
/// # let (builder, store) = config_azure::in_memory();
/// # store.set("greeting", "Hello");
/// # let azure = builder.load().await?;
/// let mut live: Live<Settings> = azure
///     .live(
///         Config::builder()
///             .add_source(azure.clone())
///             .add_source(Environment::with_prefix("SHOP").separator("__")),
///     )
///     .await?;
/// assert_eq!(live.load().greeting, "Hello");
///
/// # store.set("greeting", "Welcome");
/// let now = live.changed().await?;
/// assert_eq!(now.greeting, "Welcome");
/// assert_eq!(now.generation(), 2);
/// # Ok(()) }
/// ```
///
/// The background work ends when the last `Live`, [`Reader`], [`Part`] and [`Derived`] of it is dropped. When
/// the handle is shut down or the runtime ends, the last value is still served.
pub struct Live<T> {
    slot: Arc<Slot<Current<T>>>,
    owner: Owner,
    seen: u64,
    /// How often a refused attempt is repeated.
    interval: Duration,
}

impl<T> Live<T> {
    fn new(slot: Arc<Slot<Current<T>>>, owner: Owner, interval: Duration) -> Self {
        Self {
            slot,
            owner,
            seen: 1,
            interval,
        }
    }

    /// The current snapshot. Never blocks.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Arc<Current<T>> {
        self.slot.value().load_full()
    }

    /// A reader for one worker, which reads in about a nanosecond.
    #[must_use]
    pub fn reader(&self) -> Reader<T> {
        Reader::new(Arc::clone(&self.slot), self.owner.clone())
    }

    /// The snapshot itself, for code that works with [`arc_swap`] already.
    ///
    /// It is kept current as long as a `Live` is held. Only read it: what is stored from outside is replaced
    /// at the next change, and nobody is told. A `Live` is an [`Access`] to its `T` as well.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use arc_swap::access::{Access, Map};
    ///
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { greeting: String }
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("greeting", "Hello");
    /// # let azure = builder.load().await?;
    /// # let layers = config::Config::builder().add_source(azure.clone());
    /// # let mut live: config_azure::Live<Settings> = azure.live(layers).await?;
    /// fn greet(greeting: &impl Access<String>) -> String {
    ///     format!("{}, Ada", *greeting.load())
    /// }
    ///
    /// let greeting = Map::new(live.clone(), |settings: &Settings| &settings.greeting);
    /// assert_eq!(greet(&greeting), "Hello, Ada");
    /// assert_eq!(live.as_arc_swap().load().greeting, "Hello");
    /// # store.set("greeting", "Welcome");
    /// # live.changed().await?;
    /// # assert_eq!(greet(&greeting), "Welcome, Ada");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn as_arc_swap(&self) -> &ArcSwap<Current<T>> {
        self.slot.value()
    }

    /// Waits for a snapshot that this clone has not seen, and returns the newest.
    ///
    /// It wakes after the swap, so whatever reads later sees at least this one. Several changes become one; the
    /// current value is never missed: a change between [`load`](Self::load) and this call returns at once.
    /// "Seen" is what this method returned last, and begins with the snapshot that was current when the `Live`
    /// was made; a clone begins where its original stands. Cancel safe.
    ///
    /// # Errors
    /// [`Closed`] when no change will come any more. The last value is still there.
    pub async fn changed(&mut self) -> Result<Arc<Current<T>>, Closed> {
        let (generation, current) = self.slot.newer_than(self.seen).await?;
        self.seen = generation;
        Ok(current)
    }

    /// Whether the newest values are being served, and if not, why not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { port: u16 }
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("port", "80");
    /// # let azure = builder.load().await?;
    /// # let live: config_azure::Live<Settings> = azure
    /// #     .live(config::Config::builder().add_source(azure.clone()))
    /// #     .await?;
    /// store.set("port", "eighty");
    /// azure.refresh().await?;
    /// # while live.status().is_current() { tokio::task::yield_now().await; }
    /// assert_eq!(live.load().port, 80); // the last good value stays
    /// if let Some(refusal) = live.status().refusal() {
    ///     // port: expected u16, found text (from port, in in-memory; ...)
    ///     println!("{refusal}");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        self.slot.status()
    }

    /// Where the value at `path` (such as `db.password`) came from: the setting, the settings that lost against
    /// it, and the layer that overrides it, if one does; never the value. `None` if the store gives none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use config::{Config, Environment};
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { port: u16 }
    /// # let (builder, store) = config_azure::in_memory();
    /// # let variables = [("SHOP_PORT".to_owned(), "81".to_owned()), ("SHOP_LIMIT".to_owned(), "9".to_owned())];
    /// # let environment = Environment::with_prefix("SHOP").source(Some(variables.into()));
    /// store.set("Port", "80");
    /// // SHOP_PORT=81, SHOP_LIMIT=9
    /// # let azure = builder.load().await?;
    /// let layers = Config::builder().add_source(azure.clone()).add_source(environment);
    /// let live: config_azure::Live<Settings> = azure.live(layers).await?;
    ///
    /// let port = live.explain("port").unwrap();
    /// assert_eq!(port.setting().key(), "Port");
    /// assert_eq!(port.overridden_by(), Some("the environment"));
    /// // What the store does not give has a layer all the same.
    /// assert!(live.explain("limit").is_none());
    /// assert_eq!(live.load().layer("limit"), Some("the environment"));
    /// # assert_eq!(live.load().port, 81);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn explain(&self, path: &str) -> Option<Explanation> {
        self.load().explain(path)
    }

    /// The newest snapshot, which counts as seen.
    fn mark_seen(&mut self) -> Arc<Current<T>> {
        let (generation, current) = self.slot.latest();
        self.seen = generation;
        current
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self {
            slot: Arc::clone(&self.slot),
            owner: self.owner.clone(),
            seen: self.seen,
            interval: self.interval,
        }
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("generation", &self.slot.generation())
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// For code that is generic over `arc_swap`'s access: a `Live<T>` gives it a `T`.
impl<T> Access<T> for Live<T> {
    type Guard = CurrentGuard<T>;

    fn load(&self) -> Self::Guard {
        CurrentGuard(self.slot.value().load())
    }
}

/// A short-lived borrow of the current snapshot, as [`Access`] gives it. Dereferences to `T`.
///
/// Like every guard of `arc_swap` it is made for a moment: not for a data structure, not across an `.await`.
pub struct CurrentGuard<T>(Guard<Arc<Current<T>>>);

impl<T> Deref for CurrentGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for CurrentGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentGuard").field(&**self.0).finish()
    }
}

/// No change will come any more: the handle was shut down, or the runtime of the background work has ended.
/// The last value stays readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed: no further change will come, the last value stays")
    }
}

impl std::error::Error for Closed {}
