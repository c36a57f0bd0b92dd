//! What changed, for subscribers that take their time.

use std::fmt;
use std::sync::Arc;

use super::Feed;
use crate::loaded::Loaded;
use crate::tree::{ChangeSet, Tree};

/// Tells which paths changed, generation by generation. Made by `AppConfiguration::changes`.
///
/// It coalesces: a subscriber that was busy gets one [`ChangeSet`] that leads from what it last saw to what is
/// current, and a value that changed there and back is not in it. Nothing queues up behind a slow subscriber,
/// but the generation that it last saw stays in memory until it asks again.
///
/// Holding it keeps the refresh going.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (builder, store) = config_azure::in_memory();
/// # store.set("db:host", "one.example");
/// # let azure = builder.load().await?;
/// let mut changes = azure.changes();
/// # store.set("db:host", "two.example");
/// # store.set("db:port", "5432");
/// if let Some(changed) = changes.next().await {
///     assert_eq!(changed.to_string(), "~db.host, +db.port");
///     assert!(changed.touches("db"));
/// }
/// # Ok(()) }
/// ```
pub struct Changes {
    feed: Feed,
    seen: Option<Arc<Loaded>>,
}

impl Changes {
    pub(crate) fn new(feed: Feed) -> Self {
        let seen = feed.publication.current();
        Self { feed, seen }
    }

    /// The next change, after it was published. `None` when no more will come, because the handle was shut
    /// down or its runtime has ended.
    ///
    /// A subscriber made before the first load gets all paths of the first load as its first change.
    /// Cancel safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> Option<ChangeSet> {
        loop {
            self.wait().await?;
            let now = self.feed.publication.current()?;
            let changes = between(self.seen.as_deref(), &now);
            self.seen = Some(now);
            if !changes.is_empty() {
                return Some(changes);
            }
        }
    }

    async fn wait(&self) -> Option<()> {
        let publication = &self.feed.publication;
        let seen = self.seen.as_ref().map_or(0, |loaded| loaded.generation());
        tokio::select! {
            biased;
            () = publication.newer_than(seen) => Some(()),
            () = publication.closed().cancelled() => None,
        }
    }
}

fn between(old: Option<&Loaded>, new: &Loaded) -> ChangeSet {
    match old {
        Some(old) if old.generation() + 1 < new.generation() => Tree::diff(old.tree(), new.tree()),
        None if new.generation() > 1 => Tree::diff(&Tree::default(), new.tree()),
        _ => new.changes().clone(),
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("seen", &self.seen.as_ref().map(|seen| seen.generation()))
            .finish_non_exhaustive()
    }
}
