//! One generation of what a store gave: the unit that a handle publishes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use crate::setting::Warning;
use crate::time::Instant;
use crate::tree::{ChangeSet, Explanation, Tree};

/// One complete load of a store, with its references resolved.
///
/// It never changes: a refresh makes a new one with a higher [`generation`](Self::generation). Whoever holds
/// it keeps it, and the secrets in it, alive.
///
/// `Display` renders the whole tree as a table and `Serialize` as JSON, both with secrets redacted, so either
/// can go to a log line or to a debug page.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (builder, store) = config_azure::in_memory();
/// store.set("db:host", "localhost");
/// store.set_secret("db:password", "hunter2");
/// # let azure = builder.load().await?;
/// let loaded = azure.loaded().ok_or("it was loaded")?;
/// assert_eq!((loaded.generation(), loaded.len()), (1, 2));
/// let json = serde_json::to_string(&*loaded)?;
/// assert!(json.contains("localhost") && !json.contains("hunter2"));
/// assert!(!loaded.to_string().contains("hunter2"));
/// # Ok(()) }
/// ```
pub struct Loaded {
    generation: u64,
    loaded_at: SystemTime,
    since: Instant,
    endpoint: Box<str>,
    tree: Tree,
    warnings: Vec<Warning>,
    changes: Arc<ChangeSet>,
}

impl Loaded {
    /// What was loaded from `endpoint`. It gets its number and date when it is published.
    pub(crate) fn new(tree: Tree, endpoint: &str, warnings: Vec<Warning>) -> Self {
        Self {
            generation: 0,
            loaded_at: SystemTime::UNIX_EPOCH,
            since: Instant::now(),
            endpoint: endpoint.into(),
            tree,
            warnings,
            changes: Arc::default(),
        }
    }

    /// Its place in the line of generations. `changes` is what differs from the one before; for the first one,
    /// everything.
    pub(crate) fn numbered(
        self,
        generation: u64,
        loaded_at: SystemTime,
        changes: Arc<ChangeSet>,
    ) -> Self {
        Self {
            generation,
            loaded_at,
            changes,
            ..self
        }
    }

    /// Counts the generations of one handle, from 1. A higher number is newer.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The date at which this generation was complete.
    #[must_use]
    pub fn loaded_at(&self) -> SystemTime {
        self.loaded_at
    }

    /// How long ago this generation was complete, by the monotonic clock: a corrected date does not change it.
    ///
    /// A store that does not change keeps its generation, so an old one is no sign of trouble. The handle's
    /// `status()` says when the store was last asked.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The endpoint of the store, or of its replica, that all of this generation came from.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the load noticed without failing, such as a key that cannot be mapped.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Which paths differ from the generation before. For the first generation, all of them.
    #[must_use]
    pub fn changes(&self) -> &ChangeSet {
        &self.changes
    }

    pub(crate) fn shared_changes(&self) -> &Arc<ChangeSet> {
        &self.changes
    }

    /// How many values there are. A list is one value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.leaves()
    }

    /// True if there are no values at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the value at `path` came from, and what lost against it; never the value.
    #[must_use]
    pub fn explain(&self, path: &str) -> Option<Explanation> {
        let explanation = self.tree.explain(path)?;
        Some(explanation.with_loaded_at(self.loaded_at))
    }

    /// The settings as nested tables.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

impl Serialize for Loaded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tree.serialize(serializer)
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("generation", &self.generation)
            .field("loaded_at", &self.loaded_at)
            .field("endpoint", &self.endpoint)
            .field("warnings", &self.warnings.len())
            .finish_non_exhaustive()
    }
}
