//! What keys and nulls become.

use std::sync::Arc;

use super::AppConfigurationBuilder;
use crate::setting::ConfigurationSetting;
use crate::tree::{Conflict, KeyCase, KeyPath, Nulls};

impl AppConfigurationBuilder {
    /// Cuts a prefix off the keys before they become paths. Repeatable: the longest one that fits is cut.
    pub fn trim_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// What separates the names in a key. Default `:`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (builder, store) = config_azure::in_memory();
    /// store.set("/db/host", "one.example");
    /// store.set("db.port", "5432");
    ///
    /// let azure = builder.separators(["/", "."]).load().await?;
    /// let config = config::Config::builder().add_source(azure).build()?;
    /// assert_eq!(config.get_string("db.host")?, "one.example");
    /// assert_eq!(config.get_string("db.port")?, "5432");
    /// # Ok(()) }
    /// ```
    pub fn separators(mut self, separators: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.separators = Some(separators.into_iter().map(Into::into).collect());
        self
    }

    /// The spelling of the names in a path. Default [`KeyCase::Snake`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use config_azure::KeyCase;
    ///
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "PascalCase")]
    /// struct Settings {
    ///     max_connections: u16,
    /// }
    ///
    /// # let (builder, store) = config_azure::in_memory();
    /// store.set("MaxConnections", "5");
    ///
    /// let azure = builder.key_case(KeyCase::Preserve).load().await?;
    /// let config = config::Config::builder().add_source(azure).build()?;
    /// let settings: Settings = config_azure::from_config(&config)?;
    /// assert_eq!(settings.max_connections, 5);
    /// # Ok(()) }
    /// ```
    pub fn key_case(mut self, case: KeyCase) -> Self {
        self.shape.keys.case = case;
        self
    }

    /// What to do with two settings that claim one path as value and as table. Default [`Conflict::Error`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use config_azure::{Conflict, ErrorKind};
    ///
    /// # let (builder, store) = config_azure::in_memory();
    /// store.set("Logging:LogLevel", "Warning");
    /// store.set("Logging:LogLevel:Default", "Debug");
    ///
    /// let refused = builder.clone().load().await.unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Conflict);
    ///
    /// let azure = builder.on_conflict(Conflict::KeepBranch).load().await?;
    /// let config = config::Config::builder().add_source(azure).build()?;
    /// assert_eq!(config.get_string("logging.log_level.default")?, "Debug");
    /// # Ok(()) }
    /// ```
    pub fn on_conflict(mut self, conflict: Conflict) -> Self {
        self.shape.conflict = conflict;
        self
    }

    /// Maps settings to paths by your own rule, instead of prefixes, separators and case; `None` leaves a setting out.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use config_azure::KeyPath;
    ///
    /// # let (builder, store) = config_azure::in_memory();
    /// store.set("shop/db/host", "one.example");
    /// store.set("mail/db/host", "two.example");
    ///
    /// let azure = builder
    ///     .map_key(|setting| {
    ///         let rest = setting.key().strip_prefix("shop/")?;
    ///         KeyPath::new(["shop"].into_iter().chain(rest.split('/'))).ok()
    ///     })
    ///     .load()
    ///     .await?;
    /// assert_eq!(azure.explain("shop.db.host").unwrap().setting().key(), "shop/db/host");
    /// assert!(azure.explain("mail").is_none());
    /// # Ok(()) }
    /// ```
    pub fn map_key(
        mut self,
        map: impl Fn(&ConfigurationSetting) -> Option<KeyPath> + Send + Sync + 'static,
    ) -> Self {
        self.shape.map_key = Some(Arc::new(map));
        self
    }

    /// Keeps nulls of the store and of JSON values as explicit nothings, which override lower layers. By default a null
    /// is as good as absent.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use config::Config;
    /// #[derive(serde::Deserialize)]
    /// struct Settings {
    ///     limit: Option<u32>,
    /// }
    ///
    /// # let (builder, store) = config_azure::in_memory();
    /// store.set_json("limit", &serde_json::Value::Null);
    ///
    /// for (builder, limit) in [(builder.clone(), Some(10)), (builder.keep_nulls(), None)] {
    ///     let layers = Config::builder().set_default("limit", 10)?;
    ///     let config = layers.add_source(builder.load().await?).build()?;
    ///     let settings: Settings = config_azure::from_config(&config)?;
    ///     assert_eq!(settings.limit, limit);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn keep_nulls(mut self) -> Self {
        self.shape.nulls = Nulls::Keep;
        self
    }
}
