//! The application's own builder, in either of its two states.

use async_trait::async_trait;
use config::builder::{AsyncState, DefaultState};
use config::{AsyncSource, ConfigBuilder, ConfigError, Map, Value};

/// A `config` builder, with or without asynchronous sources. Sealed: these two are all there are.
pub trait Layers: sealed::Layers {}

impl Layers for ConfigBuilder<DefaultState> {}
impl Layers for ConfigBuilder<AsyncState> {}

pub(crate) mod sealed {
    use super::{AsyncState, ConfigBuilder};

    #[expect(unnameable_types, reason = "that is what seals it")]
    pub trait Layers: Send {
        /// The same layers in the same order, built by the asynchronous builder, which hands every source the
        /// merged tree itself; the synchronous one copies everything twice.
        fn into_async(self) -> ConfigBuilder<AsyncState>;
    }
}

impl sealed::Layers for ConfigBuilder<DefaultState> {
    fn into_async(self) -> ConfigBuilder<AsyncState> {
        self.add_async_source(Nothing)
    }
}

impl sealed::Layers for ConfigBuilder<AsyncState> {
    fn into_async(self) -> ConfigBuilder<AsyncState> {
        self
    }
}

/// A layer that gives nothing. Adding an asynchronous source is how a builder changes its state.
#[derive(Debug)]
struct Nothing;

#[async_trait]
impl AsyncSource for Nothing {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(Map::new())
    }

    async fn collect_to(&self, _cache: &mut Value) -> Result<(), ConfigError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Layers as _;
    use crate::testing::TestStore;
    use config::{Config, File, FileFormat};

    #[tokio::test]
    async fn turning_async_changes_neither_values_nor_precedence() {
        let store = TestStore::with(&[("a", "store"), ("b", "store")]);
        let layers = Config::builder()
            .set_default("a", "default")
            .unwrap()
            .set_default("d", "default")
            .unwrap()
            .add_source(store)
            .add_source(File::from_str(r#"{"b": "file"}"#, FileFormat::Json))
            .set_override("c", "override")
            .unwrap();
        let sync = layers.clone().build().unwrap();
        let built = layers.into_async();
        for _ in 0..2 {
            let config = built.build_cloned().await.unwrap();
            assert_eq!(config.cache, sync.cache);
            assert_eq!(config.get_string("a").unwrap(), "store");
            assert_eq!(config.get_string("b").unwrap(), "file");
            assert_eq!(config.get_string("c").unwrap(), "override");
            assert_eq!(config.get_string("d").unwrap(), "default");
        }
    }
}
