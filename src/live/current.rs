//! One generation of the application's typed value.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use super::build::Built;
use super::overlay::Overlay;
use crate::loaded::Loaded;
use crate::tree::Explanation;

/// One snapshot of the application's settings: a `T`, with where it came from.
///
/// It dereferences to `T` and never changes. A unit of work (a request, a job) takes one and keeps it to its
/// end, so that it never sees half a change. `Debug` prints no values.
pub struct Current<T> {
    value: T,
    generation: u64,
    loaded: Arc<Loaded>,
    overlay: Overlay,
}

impl<T> Current<T> {
    pub(super) fn new(built: Built<T>, generation: u64) -> Self {
        Self {
            value: built.value,
            generation,
            loaded: built.loaded,
            overlay: built.overlay,
        }
    }

    /// Counts the snapshots of this [`Live`](crate::Live), from 1. It never goes back.
    ///
    /// It is not the generation of the store, which can move without a new snapshot (the new values were
    /// refused) or stand still with one (a local file was mended). That one is `loaded().generation()`.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The date at which the store's part of this snapshot was loaded.
    #[must_use]
    pub fn loaded_at(&self) -> SystemTime {
        self.loaded.loaded_at()
    }

    /// The store's part of this snapshot: exactly the generation that the layers read when it was built.
    #[must_use]
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Where the value at `path` came from in this snapshot. See [`Live::explain`](crate::Live::explain).
    #[must_use]
    pub fn explain(&self, path: &str) -> Option<Explanation> {
        let explanation = self.loaded.explain(path)?;
        let given = |below: &str| self.loaded.explain(below).is_some();
        Some(match self.overlay.layer(path, given) {
            Some(layer) => explanation.with_layer(layer),
            None => explanation,
        })
    }

    /// The layer that gave the value at `path`, by its own name (a file, `the environment`), whether or not it
    /// overrides the store. `None` if the store gave it, or nobody did.
    #[must_use]
    pub fn layer(&self, path: &str) -> Option<&str> {
        self.overlay.layer(path, |_| true)
    }
}

impl<T> Deref for Current<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current")
            .field("generation", &self.generation)
            .field("loaded", &self.loaded)
            .finish_non_exhaustive()
    }
}
