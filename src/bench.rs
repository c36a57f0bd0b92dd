//! A door for `benches/rebuild.rs`, which measures a part that is not public. Not for applications.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use config::{AsyncSource, ConfigError, Map, Source, Value};

use crate::setting::{ConfigurationSetting, Selected};
use crate::tree::{Content, Entry, Shape, Tree, assemble};

/// Settings as a walk of the store leaves them.
pub struct Settings(Vec<Selected>);

impl Settings {
    /// Plain text settings, in the order of their keys.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let selected = pairs.into_iter().map(|(key, value)| Selected {
            setting: Arc::new(ConfigurationSetting::new(key, value)),
            selector: 0,
            snapshot: None,
        });
        Self(selected.collect())
    }

    /// What a refresh does with them before it publishes.
    ///
    /// # Errors
    /// If two settings claim one path.
    pub fn assemble(&self) -> crate::Result<Layer> {
        let entries = self.0.iter().map(|selected| Entry {
            selected,
            losers: &[],
            content: Content::Own,
        });
        let (tree, _) = assemble("contoso", entries, &[], &Shape::default())?;
        Ok(Layer(Arc::new(tree)))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({})", self.0.len())
    }
}

/// The tree as the layer that a handle is.
#[derive(Debug, Clone)]
pub struct Layer(Arc<Tree>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.to_map())
    }

    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        self.0.merge_into(cache);
        Ok(())
    }
}

#[async_trait]
impl AsyncSource for Layer {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.to_map())
    }

    async fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        self.0.merge_into(cache);
        Ok(())
    }
}
