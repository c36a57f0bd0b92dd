//! A part of the snapshot, for code that only cares about that part.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Closed, Current, Derived, Live, derived};
use crate::error::Result;

type Select<T, U> = dyn Fn(&T) -> &U + Send + Sync;
type Same<U> = dyn Fn(&U, &U) -> bool + Send + Sync;

/// One part of a [`Live`]'s value, with a [`changed`](Self::changed) that wakes only if that part changed.
///
/// It keeps the snapshot that it saw last alive, to compare with. Holding it keeps the refresh going.
pub struct Part<T, U: ?Sized> {
    live: Live<T>,
    select: Arc<Select<T, U>>,
    same: Arc<Same<U>>,
    last: Arc<Current<T>>,
}

impl<T> Live<T> {
    /// Watches the part that `select` picks, and wakes when it is no longer equal.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { title: String, limit: u32 }
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("title", "a");
    /// # store.set("limit", "10");
    /// # let azure = builder.load().await?;
    /// # let layers = config::Config::builder().add_source(azure.clone());
    /// # let live: config_azure::Live<Settings> = azure.live(layers).await?;
    /// let mut limit = live.part(|settings| &settings.limit);
    /// assert_eq!(*limit.load(), 10);
    /// # store.set("title", "b");
    /// # store.set("limit", "20");
    /// assert_eq!(*limit.changed().await?, 20);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn part<U: PartialEq + ?Sized + 'static>(
        &self,
        select: impl Fn(&T) -> &U + Send + Sync + 'static,
    ) -> Part<T, U> {
        self.part_by(select, |old, new| old == new)
    }

    /// Like [`part`](Self::part) for a type without `PartialEq`: `same` says whether two are the same.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { ratio: f64 }
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("ratio", "0.5");
    /// # let azure = builder.load().await?;
    /// # let layers = config::Config::builder().add_source(azure.clone());
    /// # let mut live: config_azure::Live<Settings> = azure.live(layers).await?;
    /// let near = |old: &f64, new: &f64| (old - new).abs() < 0.1;
    /// let mut ratio = live.part_by(|settings| &settings.ratio, near);
    /// store.set("ratio", "0.51"); // wakes nobody
    /// # live.changed().await?;
    /// # assert!(tokio::time::timeout(std::time::Duration::from_secs(90), ratio.changed()).await.is_err());
    /// store.set("ratio", "0.9");
    /// assert_eq!(*ratio.changed().await?, 0.9);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn part_by<U: ?Sized + 'static>(
        &self,
        select: impl Fn(&T) -> &U + Send + Sync + 'static,
        same: impl Fn(&U, &U) -> bool + Send + Sync + 'static,
    ) -> Part<T, U> {
        let mut live = self.clone();
        let last = live.mark_seen();
        Part {
            live,
            select: Arc::new(select),
            same: Arc::new(same),
            last,
        }
    }

    /// Builds something from a part (a connection pool from its address and password), and builds it anew
    /// whenever that part changes. See [`Part::derive`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { db: Database }
    /// # #[derive(serde::Deserialize, PartialEq)]
    /// # struct Database { host: String }
    /// # struct Pool(String);
    /// # impl Pool {
    /// #     async fn connect(host: &str) -> Result<Self, std::io::Error> { Ok(Self(host.to_owned())) }
    /// # }
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("db:host", "one.example");
    /// # let azure = builder.load().await?;
    /// # let layers = config::Config::builder().add_source(azure.clone());
    /// # let live: config_azure::Live<Settings> = azure.live(layers).await?;
    /// let mut pool = live
    ///     .derive(|settings| &settings.db, |db| async move { Pool::connect(&db.host).await })
    ///     .await?;
    /// assert_eq!(pool.load().0, "one.example");
    /// # store.set("db:host", "two.example");
    /// assert_eq!(pool.changed().await?.0, "two.example");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Rejected`](crate::ErrorKind::Rejected) if the first one cannot be built; the cause is its source.
    pub async fn derive<U, P, F, E>(
        &self,
        select: impl Fn(&T) -> &U + Send + Sync + 'static,
        build: impl Fn(PartRef<T, U>) -> F + Send + Sync + 'static,
    ) -> Result<Derived<P>>
    where
        T: Send + Sync + 'static,
        U: PartialEq + ?Sized + 'static,
        P: Send + Sync + 'static,
        F: Future<Output = Result<P, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.part(select).derive(build).await
    }
}

impl<T, U: ?Sized> Part<T, U> {
    /// The part as it is now, whether or not it changed.
    #[must_use]
    pub fn load(&self) -> PartRef<T, U> {
        self.reference(self.live.load())
    }

    /// Waits until the part differs from what this `Part` saw last, and returns the newest. A change there and
    /// back while nobody waited is none. Cancel safe.
    ///
    /// # Errors
    /// [`Closed`] when no change will come any more.
    pub async fn changed(&mut self) -> Result<PartRef<T, U>, Closed> {
        loop {
            let now = self.live.changed().await?;
            let same = (self.same)((self.select)(&self.last), (self.select)(&now));
            self.last = Arc::clone(&now);
            if !same {
                return Ok(self.reference(now));
            }
        }
    }

    /// Builds something from this part, and builds it anew whenever the part changes.
    ///
    /// `build` gets the part together with its snapshot, so that its future can own it. The first result is
    /// awaited here. Later ones are made in the background and swapped in when they are ready; if building
    /// fails, or if `build`, the selection or the comparison of the part panics, the old one stays, [`Derived::status`] says why, and it is tried again after one
    /// second, then two, four and so on up to the refresh interval. Changes during a build become one more
    /// build; one that is still not done 30 seconds after it was overtaken is given up.
    ///
    /// # Errors
    /// [`Rejected`](crate::ErrorKind::Rejected) if the first one cannot be built; the cause is its source.
    pub async fn derive<P, F, E>(
        self,
        build: impl Fn(PartRef<T, U>) -> F + Send + Sync + 'static,
    ) -> Result<Derived<P>>
    where
        T: Send + Sync + 'static,
        U: 'static,
        P: Send + Sync + 'static,
        F: Future<Output = Result<P, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        derived::start(self, build).await
    }

    /// The newest, which counts as seen.
    pub(super) fn latest(&mut self) -> PartRef<T, U> {
        self.last = self.live.mark_seen();
        self.reference(Arc::clone(&self.last))
    }

    pub(super) fn live(&self) -> &Live<T> {
        &self.live
    }

    fn reference(&self, current: Arc<Current<T>>) -> PartRef<T, U> {
        PartRef {
            current,
            select: Arc::clone(&self.select),
        }
    }
}

impl<T, U: ?Sized> Clone for Part<T, U> {
    fn clone(&self) -> Self {
        Self {
            live: self.live.clone(),
            select: Arc::clone(&self.select),
            same: Arc::clone(&self.same),
            last: Arc::clone(&self.last),
        }
    }
}

impl<T, U: ?Sized> fmt::Debug for Part<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("seen", &self.last.generation())
            .finish_non_exhaustive()
    }
}

/// A part of one snapshot, held together with it. Dereferences to the part.
pub struct PartRef<T, U: ?Sized> {
    current: Arc<Current<T>>,
    select: Arc<Select<T, U>>,
}

impl<T, U: ?Sized> PartRef<T, U> {
    /// The snapshot that this is a part of.
    #[must_use]
    pub fn current(&self) -> &Arc<Current<T>> {
        &self.current
    }
}

impl<T, U: ?Sized> Deref for PartRef<T, U> {
    type Target = U;

    fn deref(&self) -> &U {
        (self.select)(&self.current)
    }
}

impl<T, U: ?Sized> Clone for PartRef<T, U> {
    fn clone(&self) -> Self {
        Self {
            current: Arc::clone(&self.current),
            select: Arc::clone(&self.select),
        }
    }
}

impl<T, U: ?Sized> fmt::Debug for PartRef<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartRef")
            .field("generation", &self.current.generation())
            .finish_non_exhaustive()
    }
}
