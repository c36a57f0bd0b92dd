//! The fastest way to read: the snapshot cached per reader.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use super::Current;
use super::slot::Slot;
use crate::task::Owner;

/// Reads a [`Live`](crate::Live) in about a nanosecond, by remembering the last snapshot and comparing one
/// pointer. Make one per worker (a thread, a connection); it wants `&mut self`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[derive(serde::Deserialize)]
/// # struct Settings { limit: u32 }
/// # let (builder, store) = config_azure::in_memory();
/// # store.set("limit", "10");
/// # let azure = builder.load().await?;
/// # let layers = config::Config::builder().add_source(azure.clone());
/// # let live: config_azure::Live<Settings> = azure.live(layers).await?;
/// let mut reader = live.reader();
/// let worker = std::thread::spawn(move || reader.load().limit);
/// assert_eq!(worker.join().unwrap(), 10);
/// # Ok(()) }
/// ```
///
/// It keeps the snapshot that it read last, and the secrets in it, alive until it reads again: a reader that
/// is put aside should be dropped. Holding one keeps the refresh going, as holding a `Live` does.
pub struct Reader<T> {
    cache: Cache<Shared<T>, Arc<Current<T>>>,
    owner: Owner,
}

/// The shared slot, as the kind of pointer that the cache wants.
struct Shared<T>(Arc<Slot<Current<T>>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = ArcSwap<Current<T>>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.0.value()
    }
}

impl<T> Reader<T> {
    pub(super) fn new(slot: Arc<Slot<Current<T>>>, owner: Owner) -> Self {
        Self {
            cache: Cache::new(Shared(slot)),
            owner,
        }
    }

    /// The current snapshot.
    ///
    /// Never blocks and never allocates. The reference ends with the next call, so a unit of work that must
    /// keep one snapshot over an `.await` clones the [`Arc`] with [`load_full`](Self::load_full).
    #[inline]
    pub fn load(&mut self) -> &Current<T> {
        self.cache.load()
    }

    /// The current snapshot, to keep.
    #[inline]
    pub fn load_full(&mut self) -> Arc<Current<T>> {
        Arc::clone(self.cache.load())
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            owner: self.owner.clone(),
        }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
