//! The handle that an application holds.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use config::{AsyncSource, ConfigError, Map, Source, Value};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::builder::AppConfigurationBuilder;
use crate::error::Result;
use crate::event::{Line, Notified, Receiver};
use crate::live::{Layers, Live, LiveBuilder};
use crate::load::Pipeline;
use crate::loaded::Loaded;
use crate::publication::{Changes, Feed};
use crate::refresh::{Engine, RefreshOptions, RefreshOutcome, SkipReason, Status};
use crate::source;
use crate::startup::StartupOptions;
use crate::task::Owner;
use crate::tree::Explanation;

mod start;
#[cfg(test)]
mod tests;

/// A store's settings, loaded with their references resolved, and kept current in the background.
///
/// A cheap handle: clones share one store. It is an ordinary source for both of `config`'s builders
/// (`add_source(azure.clone())`), and does no I/O when it is collected after it was loaded.
///
/// The background task lives as long as any handle, [`Live`], [`Changes`] or other thing made from it. Its `Debug` shows
/// the endpoint and the generation, nothing else.
#[derive(Clone)]
pub struct AppConfiguration {
    shared: Arc<Shared>,
    feed: Feed,
}

struct Shared {
    pipeline: Arc<Pipeline>,
    startup: StartupOptions,
    refresh: RefreshOptions,
    /// False if the environment turned the store off.
    enabled: bool,
    /// Present once the first load is done.
    engine: OnceCell<Engine>,
    events: Receiver,
    token: CancellationToken,
}

impl Shared {
    /// Events that came before the first load was through have their effect now.
    fn catch_up(&self, engine: &Engine) {
        let push_delay = self.refresh.most_push_delay();
        self.events.catch_up(engine, push_delay);
    }
}

impl AppConfiguration {
    /// Starts choosing what to load, from where, as whom.
    pub fn builder() -> AppConfigurationBuilder {
        AppConfigurationBuilder::default()
    }

    pub(crate) fn new(
        pipeline: Pipeline,
        startup: StartupOptions,
        refresh: RefreshOptions,
        enabled: bool,
    ) -> Self {
        let (owner, token) = Owner::new();
        let feed = Feed {
            publication: Arc::clone(pipeline.publication()),
            owner,
        };
        let shared = Shared {
            pipeline: Arc::new(pipeline),
            startup,
            refresh,
            enabled,
            engine: OnceCell::new(),
            events: Receiver::default(),
            token,
        };
        Self {
            shared: Arc::new(shared),
            feed,
        }
    }

    /// The current generation; `None` before the first load.
    #[must_use]
    pub fn loaded(&self) -> Option<Arc<Loaded>> {
        self.feed.publication.current()
    }

    /// Loads if nothing was loaded yet. Any number of callers share one load.
    pub(crate) async fn ensure_loaded(&self) -> Result<()> {
        self.engine().await.map(drop)
    }

    async fn engine(&self) -> Result<&Engine> {
        let shared = &self.shared;
        let engine = shared.engine.get_or_try_init(|| self.start()).await?;
        shared.catch_up(engine);
        Ok(engine)
    }

    /// Checks now, whatever the interval, and applies what is new.
    ///
    /// Any number of callers share one check. The answer tells what happened; there is no hidden wait. Vaults that
    /// were asked a few seconds ago are not asked again. A handle that has not loaded yet loads.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use config_azure::RefreshOutcome;
    ///
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("title", "Hello");
    /// # let azure = builder.load().await?;
    /// # store.set("title", "Welcome");
    /// match azure.refresh().await? {
    ///     RefreshOutcome::Updated { generation, changed } => println!("{generation}: {changed}"),
    ///     RefreshOutcome::Unchanged => println!("nothing new"),
    ///     other => println!("{other:?}"),
    /// }
    /// # assert_eq!(azure.status().generation, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The check failed, or what it found could not be taken over: the settings are those of before. A secret that was rotated
    /// meanwhile may have been published all the same; [`loaded`](Self::loaded) is what is current.
    pub async fn refresh(&self) -> Result<RefreshOutcome> {
        let engine = self.engine().await?;
        if !self.shared.enabled {
            return Ok(RefreshOutcome::Skipped(SkipReason::Disabled));
        }
        engine.refresh().await
    }

    /// Takes the body of an Event Grid delivery, and sees to it that the change arrives without waiting for the interval.
    ///
    /// Event Grid's own schema and CloudEvents 1.0 are understood, one event or a batch, at most 1 MiB and 5,000 events:
    ///
    /// - App Configuration's `KeyValueModified`, `KeyValueDeleted`, `SnapshotCreated` and `SnapshotModified`: the sync token is
    ///   taken over, and the store is checked within [`RefreshOptions::push_delay`];
    /// - Key Vault's `NewVersionCreated`, `NearExpiry` and `Expired` of a secret, certificate or key that a reference points to:
    ///   it is read again, and nothing else;
    /// - Event Grid's handshake: answer with [`Notified::validation_response`].
    ///
    /// Everything else, even of another store or vault, is reported in the answer and has no effect. An event that comes
    /// before the first load is reported as [`NotLoaded`](crate::IgnoreReason::NotLoaded) and takes effect right after it; one
    /// that nothing in the background can act upon is [`NotRunning`](crate::IgnoreReason::NotRunning), and the sync token of
    /// the store is taken over for the next [`refresh`](Self::refresh). No value is taken from an event, and checks and reads
    /// that events cause are at least 3 s apart for the store and for each vault. Who may call is for the application's
    /// webhook to decide, as `examples/push.rs` does.
    ///
    /// Never blocks and does no I/O.
    ///
    /// ```
    /// use config_azure::{EventOutcome, IgnoreReason};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (builder, store) = config_azure::in_memory();
    /// store.set("title", "Hello");
    /// let azure = builder.load().await?;
    ///
    /// // What a webhook receives:
    /// let body = br#"[{
    ///     "id": "84e17ea4-66db-4b54-8050-df8f7763f87b", "topic": "/subscriptions/...", "dataVersion": "1",
    ///     "subject": "https://in-memory.azconfig.io/kv/title", "eventTime": "2026-06-01T12:00:00Z",
    ///     "eventType": "Microsoft.AppConfiguration.KeyValueModified",
    ///     "data": { "key": "title", "etag": "a", "syncToken": "zAJw6V16=MzoxMCMyODA3Mzc3;sn=2807377" }
    /// }]"#;
    /// let notified = azure.notify(body)?;
    /// assert!(notified.is_scheduled());
    /// let again = azure.notify(body)?;
    /// assert_eq!(again.events[0].outcome, EventOutcome::Ignored(IgnoreReason::Duplicate));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidEvent`](crate::ErrorKind::InvalidEvent): the body is not one of events. Then none of it has an effect.
    pub fn notify(&self, body: &[u8]) -> Result<Notified> {
        let shared = &self.shared;
        let line = Line {
            pipeline: &shared.pipeline,
            engine: shared.engine.get(),
            push_delay: shared.refresh.most_push_delay(),
        };
        let notified = shared.events.receive(body, &line);
        // The first load may have come through meanwhile.
        if let Some(engine) = shared.engine.get() {
            shared.catch_up(engine);
        }
        notified
    }

    /// Builds `T` out of your layers and keeps it current. Short for [`live_builder`](Self::live_builder) and `start`.
    ///
    /// A handle that has not loaded yet loads first.
    ///
    /// # Errors
    /// The first load failed, the layers do not contain this handle
    /// ([`MissingSource`](crate::ErrorKind::MissingSource)), one of them failed, or the result does not fit `T`.
    pub async fn live<T, B>(&self, layers: B) -> Result<Live<T>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
        B: Layers,
    {
        self.live_builder(layers).start().await
    }

    /// Like [`live`](Self::live), with choices: further stores to follow, a validator.
    pub fn live_builder<T, B>(&self, layers: B) -> LiveBuilder<T>
    where
        T: DeserializeOwned + Send + Sync + 'static,
        B: Layers,
    {
        let app = self.clone();
        let loading = Box::pin(async move { app.ensure_loaded().await });
        LiveBuilder::new(self.feed.clone(), layers).after(loading)
    }

    /// What changes from now on, by path; never values. A slow reader sees the sum of what it missed.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.feed.clone())
    }

    /// How the store, its vaults and its secrets are doing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set_secret("db:password", "hunter2");
    /// # let azure = builder.load().await?;
    /// let status = azure.status();
    /// assert!(status.is_ready() && !status.is_stale(Duration::from_secs(300)));
    /// for secret in &status.secrets {
    ///     println!("{} in {}: read {:?} ago, {:?}", secret.name, secret.vault, secret.age, secret.failure);
    /// }
    /// println!("{status}"); // a few lines for a person
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        match self.shared.engine.get() {
            Some(engine) => engine.status(),
            None => Status::not_loaded(&self.shared.pipeline),
        }
    }

    /// Where the value at `path` (such as `db.password`) came from, and what lost against it; never the value. A feature flag
    /// is found as changes name it: `feature_management.feature_flags.Beta`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use config_azure::SettingSelector;
    /// # let (builder, store) = config_azure::in_memory();
    /// store.set("db:host", "localhost");
    /// store.set_labeled("db:host", "prod", "db.contoso.com");
    /// let azure = builder
    ///     .select(SettingSelector::keys("*").labels(["", "prod"]))
    ///     .load()
    ///     .await?;
    /// let explanation = azure.explain("db.host").ok_or("it is there")?;
    /// assert_eq!(explanation.setting().label().as_str(), Some("prod"));
    /// assert_eq!(explanation.losers().len(), 1);
    /// println!("{explanation}");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn explain(&self, path: &str) -> Option<Explanation> {
        self.loaded()?.explain(path)
    }

    /// Ends the background task, cancelling requests in flight, and waits for its end (at most 100 ms). A first load that
    /// is still under way ends with [`Closed`](crate::ErrorKind::Closed).
    ///
    /// The last generation stays readable. Further calls of [`refresh`](Self::refresh) answer with an error.
    pub async fn shutdown(&self) {
        self.shared.token.cancel();
        match self.shared.engine.get() {
            Some(engine) => engine.ended().await,
            // Without an engine there is nobody else to say that nothing will come.
            None => self.feed.publication.close(),
        }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }
}

impl<T> LiveBuilder<T> {
    /// Follows one more store: its changes rebuild the value, too.
    ///
    /// A store whose handle stands in the layers is found and followed without being named. This is for one that
    /// a layer reads out of sight, on a task or thread of its own; naming the handle that the builder was made
    /// from says that the layers read it in such a way.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(serde::Deserialize)]
    /// # struct Settings { port: u16, region: String }
    /// # let (builder, shared_store) = config_azure::in_memory();
    /// # shared_store.set("region", "westeurope");
    /// # let shared = builder.load().await?;
    /// # let (builder, store) = config_azure::in_memory();
    /// # store.set("port", "80");
    /// # let azure = builder.load().await?;
    /// let layers = config::Config::builder()
    ///     .add_source(shared.clone())
    ///     .add_source(azure.clone());
    /// let mut live = azure.live_builder::<Settings, _>(layers).follow(&shared).start().await?;
    ///
    /// shared_store.set("region", "northeurope");
    /// assert_eq!(live.changed().await?.region, "northeurope");
    /// # Ok(()) }
    /// ```
    pub fn follow(self, other: &AppConfiguration) -> Self {
        self.following(other.feed().clone())
    }
}

impl fmt::Debug for AppConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppConfiguration")
            .field("endpoint", &self.shared.pipeline.endpoint())
            .field("generation", &self.feed.publication.generation())
            .finish_non_exhaustive()
    }
}

/// Hands out what was loaded. Never does I/O: a handle that has not loaded is an error that says how to load.
impl Source for AppConfiguration {
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

/// Hands out what was loaded, and performs the first load if nothing was.
#[async_trait]
impl AsyncSource for AppConfiguration {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        self.ensure_loaded().await?;
        source::collect(&self.feed.publication)
    }

    async fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        self.ensure_loaded().await?;
        source::collect_to(&self.feed.publication, cache)
    }
}
