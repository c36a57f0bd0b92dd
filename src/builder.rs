//! The front door: options, collected in any order and validated once.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;
use reqwest::ClientBuilder;

use crate::app::AppConfiguration;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::reference::KeyVaultOptions;
use crate::refresh::RefreshOptions;
use crate::secret::Secret;
use crate::startup::StartupOptions;
use crate::store::SettingSelector;
use crate::time::{SystemClock, WallClock};
use crate::transport::HttpHook;
use crate::tree::Shape;

mod assembly;
mod bounds;
mod env;
mod keys;
mod options;

use bounds::Bounds;
pub use options::{AppConfigurationOptions, SelectorOptions};

/// Turns the store off, as with the official .NET provider.
const PROVIDER_DISABLED: &str = "AZURE_APP_CONFIGURATION_PROVIDER_DISABLED";

/// Chooses what to load, from where, as whom. Made by [`AppConfiguration::builder`].
///
/// The order of the calls does not matter, except among selectors. Nothing is checked and nothing is sent before
/// [`build`](Self::build) or [`load`](Self::load). Its `Debug` shows no credential.
///
/// ```no_run
/// # async fn example() -> config_azure::Result<()> {
/// use config_azure::{AppConfiguration, SettingSelector};
///
/// let azure = AppConfiguration::builder()
///     .endpoint("https://contoso.azconfig.io")
///     .default_credential()
///     .select(SettingSelector::keys("orders:*").labels(["", "prod"]))
///     .trim_key_prefix("orders:")
///     .load()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct AppConfigurationBuilder {
    endpoints: Vec<String>,
    connection_string: Option<Secret>,
    credential: Option<Credential>,
    audience: Option<Box<str>>,
    api_version: Option<Box<str>>,
    selectors: Vec<SettingSelector>,
    flags: Vec<SettingSelector>,
    prefixes: Vec<String>,
    separators: Option<Vec<String>>,
    shape: Shape,
    key_vault: KeyVaultOptions,
    refresh: RefreshOptions,
    startup: StartupOptions,
    load_balancing: bool,
    replica_discovery: bool,
    limits: Bounds,
    hook: Option<HttpHook>,
    transport: Option<Arc<dyn HttpClient>>,
    clock: Arc<dyn WallClock>,
    environment: Environment,
    strict_flags: bool,
}

#[derive(Clone)]
enum Credential {
    Given(Arc<dyn TokenCredential>),
    Default,
    Anonymous,
}

impl Default for AppConfigurationBuilder {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            connection_string: None,
            credential: None,
            audience: None,
            api_version: None,
            selectors: Vec::new(),
            flags: Vec::new(),
            prefixes: Vec::new(),
            separators: None,
            shape: Shape::default(),
            key_vault: KeyVaultOptions::new(),
            refresh: RefreshOptions::new(),
            startup: StartupOptions::new(),
            load_balancing: false,
            replica_discovery: false,
            limits: Bounds::default(),
            hook: None,
            transport: None,
            clock: Arc::new(SystemClock),
            environment: Environment::process(),
            strict_flags: false,
        }
    }
}

impl AppConfigurationBuilder {
    /// The store: an https origin such as `https://contoso.azconfig.io`. Repeatable: replicas in order of preference.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// The store and its replicas, in order of preference.
    pub fn endpoints(mut self, endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.endpoints.extend(endpoints.into_iter().map(Into::into));
        self
    }

    /// Endpoint and access key in one, as the portal shows it: `Endpoint=https://..;Id=..;Secret=..`.
    ///
    /// Further [`endpoint`](Self::endpoint)s are replicas that the same key opens. It opens no vault: for Key Vault references
    /// give a [`credential`](Self::credential), [`default_credential`](Self::default_credential) or
    /// [`KeyVaultOptions::credential`] beside it. Without, each of them fails with
    /// [`NoCredential`](crate::SecretErrorKind::NoCredential).
    pub fn connection_string(mut self, connection_string: impl AsRef<str>) -> Self {
        self.connection_string = Some(Secret::new(connection_string.as_ref()));
        self
    }

    /// Signs in with an Entra credential, for the store and, unless told otherwise, for all vaults.
    ///
    /// It is wrapped in a [`CachedCredential`](crate::credential::CachedCredential) once, if it is not one already.
    pub fn credential(mut self, credential: Arc<dyn TokenCredential>) -> Self {
        self.credential = Some(Credential::Given(credential));
        self
    }

    /// Signs in with a [`DefaultAzureCredential`](crate::credential::DefaultAzureCredential) on this builder's own
    /// HTTP client: environment, workload identity, managed identity, Azure CLI, Azure Developer CLI.
    pub fn default_credential(mut self) -> Self {
        self.credential = Some(Credential::Default);
        self
    }

    /// No credential at all: for an emulator on a loopback address, which is the only place where `build` takes it.
    pub fn anonymous(mut self) -> Self {
        self.credential = Some(Credential::Anonymous);
        self
    }

    /// The audience of the store's tokens. By default it follows from the endpoint's cloud.
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The `api-version` of the store's requests. Default `2023-11-01`, which every cloud knows.
    ///
    /// At least `2023-10-01`, and `2023-11-01` if a selector names tags: the store ignores tags before it and would
    /// select everything. Checked in `build()`.
    pub fn api_version(mut self, version: impl Into<Box<str>>) -> Self {
        self.api_version = Some(version.into());
        self
    }

    /// Adds settings. Repeatable: where two selectors give the same key, the later one wins. Without any, all settings
    /// without a label are loaded.
    pub fn select(mut self, selector: SettingSelector) -> Self {
        self.selectors.push(selector);
        self
    }

    /// Adds feature flags, which otherwise are not loaded. They arrive below `feature_management.feature_flags` in
    /// Microsoft's schema. The key filter is that of the flags' names.
    pub fn feature_flags(mut self, selector: SettingSelector) -> Self {
        self.flags.push(selector);
        self
    }

    /// How Key Vault references are resolved.
    pub fn key_vault(mut self, options: KeyVaultOptions) -> Self {
        self.key_vault = options;
        self
    }

    /// When to look for changes.
    pub fn refresh(mut self, options: RefreshOptions) -> Self {
        self.refresh = options;
        self
    }

    /// How patient the first load is.
    pub fn startup(mut self, options: StartupOptions) -> Self {
        self.startup = options;
        self
    }

    /// Spreads operations over the endpoints in turn, instead of preferring the first. Default off.
    pub fn load_balancing(mut self, on: bool) -> Self {
        self.load_balancing = on;
        self
    }

    /// Finds the store's replicas by DNS, in the background, and fails over to them. Default off.
    ///
    /// Needs the feature `replica_discovery`.
    #[cfg(feature = "replica_discovery")]
    pub fn replica_discovery(mut self, on: bool) -> Self {
        self.replica_discovery = on;
        self
    }

    /// Changes how the HTTP client is made: a private CA, a proxy, a resolver. Called once for each client.
    ///
    /// Redirects, retries and time limits are set afterwards and cannot be changed. Names are resolved by the system, unless
    /// the function sets a `dns_resolver`. Of several addresses of one family each
    /// has at most one second to be connected to, then the next has its turn; with a `dns_resolver` of your own, an equal
    /// share of 8 seconds.
    pub fn http_client(
        mut self,
        hook: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Replaces the HTTP client altogether, for tests. It must join duplicate response headers itself.
    pub fn transport(mut self, transport: Arc<dyn HttpClient>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Makes an invalid feature flag fail the load. By default it is left out and reported in
    /// [`Loaded::warnings`](crate::Loaded::warnings).
    pub fn strict_feature_flags(mut self) -> Self {
        self.strict_flags = true;
        self
    }

    /// Looks environment variables up with this function instead of in the process: those of
    /// [`default_credential`](Self::default_credential), those by which the header `Correlation-Context` tells the kind
    /// of host and a development machine, and two that turn something off if they are `true` or `1`:
    ///
    /// - `AZURE_APP_CONFIGURATION_TRACING_DISABLED`: no `Correlation-Context` header on requests to the store;
    /// - `AZURE_APP_CONFIGURATION_PROVIDER_DISABLED`: no request at all. The handle loads as an empty layer, so that
    ///   other layers decide alone; `refresh()` answers [`Disabled`](crate::SkipReason::Disabled), and
    ///   [`Status::is_ready`](crate::Status::is_ready) stays false.
    pub fn environment(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Environment::new(lookup);
        self
    }

    /// Replaces the wall clock, for tests with a paused Tokio clock.
    pub fn wall_clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks all options and makes a handle that has not loaded yet. No I/O.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption), naming the option.
    pub fn build(self) -> Result<AppConfiguration> {
        let (startup, refresh) = (self.startup.clone(), self.refresh.clone());
        let enabled = !self.environment.is_on(PROVIDER_DISABLED);
        let pipeline = self.assemble()?;
        Ok(AppConfiguration::new(pipeline, startup, refresh, enabled))
    }

    /// Builds, and loads everything, references included, before it returns; from then on the handle is kept current.
    ///
    /// # Errors
    /// Those of [`build`](Self::build); the store's or a vault's last answer, if the startup deadline passed; all
    /// references that cannot be resolved, in one error.
    pub async fn load(self) -> Result<AppConfiguration> {
        let app = self.build()?;
        app.ensure_loaded().await?;
        Ok(app)
    }

    /// Like [`load`](Self::load), for programs without a runtime. A thread of its own does the requests from then on.
    ///
    /// # Errors
    /// Those of `load`, and [`Runtime`](crate::ErrorKind::Runtime) if called inside a Tokio runtime, which it would block.
    pub fn load_blocking(self) -> Result<AppConfiguration> {
        let app = self.build()?;
        crate::blocking::run(app.clone())?;
        Ok(app)
    }
}

impl fmt::Debug for AppConfigurationBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An endpoint is not shown either: a connection string may have been given in its place.
        f.debug_struct("AppConfigurationBuilder")
            .field("selectors", &self.selectors)
            .field("feature_flags", &self.flags)
            .field("refresh", &self.refresh)
            .field("startup", &self.startup)
            .finish_non_exhaustive()
    }
}

/// An error for two options that exclude each other.
fn both(first: &str, second: &str) -> Error {
    Error::option(format!("{first} and {second} exclude each other"))
}
