//! What the unit tests of several rooms share: a store without Azure, published by hand.

pub(crate) mod canary;
pub(crate) mod events;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use config::{ConfigError, Map, Source, Value};
use tokio::runtime::Handle;

use crate::loaded::Loaded;
use crate::publication::{Feed, Publication};
use crate::setting::{ConfigurationSetting, Selected};
use crate::source;
use crate::task::Owner;
use crate::time::SystemClock;
use crate::tree::{Content, Entry, Shape, Tree, assemble};

/// How often the stores of these tests are checked, in the clock of the test.
pub(crate) const INTERVAL: Duration = Duration::from_secs(30);

pub(crate) fn publication() -> Arc<Publication> {
    Publication::new(Arc::new(SystemClock), INTERVAL)
}

pub(crate) fn tree(pairs: &[(&str, &str)]) -> Tree {
    let settings = pairs.iter().map(|(key, value)| Selected {
        setting: Arc::new(ConfigurationSetting::new(*key, *value)),
        selector: 0,
        snapshot: None,
    });
    let settings: Vec<Selected> = settings.collect();
    let entries = settings.iter().map(|selected| Entry {
        selected,
        losers: &[],
        content: Content::Own,
    });
    assemble("contoso", entries, &[], &Shape::default())
        .unwrap()
        .0
}

pub(crate) fn loaded(pairs: &[(&str, &str)]) -> Loaded {
    Loaded::new(tree(pairs), "https://contoso.azconfig.io", Vec::new())
}

/// Stands where the application's handle will stand: a source over one publication, with its owner.
#[derive(Clone)]
pub(crate) struct TestStore {
    pub(crate) feed: Feed,
    /// Cancelled when nobody holds the store any more: the engine would end now.
    pub(crate) engine: tokio_util::sync::CancellationToken,
}

impl TestStore {
    pub(crate) fn empty() -> Self {
        let (owner, engine) = Owner::new();
        let publication = publication();
        Self {
            feed: Feed { publication, owner },
            engine,
        }
    }

    pub(crate) fn with(pairs: &[(&str, &str)]) -> Self {
        let store = Self::empty();
        store.publish(pairs);
        store
    }

    /// Publishes, and says the number of the current generation.
    pub(crate) fn publish(&self, pairs: &[(&str, &str)]) -> u64 {
        self.feed.publication.publish(loaded(pairs)).generation
    }
}

impl std::fmt::Debug for TestStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestStore")
    }
}

impl Source for TestStore {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        source::collect(&self.feed.publication)
    }

    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        source::collect_to(&self.feed.publication, cache)
    }
}

#[async_trait]
impl config::AsyncSource for TestStore {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        source::collect(&self.feed.publication)
    }

    async fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        source::collect_to(&self.feed.publication, cache)
    }
}

/// Tasks that run on this test's own runtime.
pub(crate) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Lets every other task run until none is left.
pub(crate) async fn no_task_left() {
    for _ in 0..100_000 {
        if tasks() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks are still alive", tasks());
}
