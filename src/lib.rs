#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    clippy::await_holding_lock,
    clippy::dbg_macro,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::large_futures,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::todo,
    clippy::unwrap_used,
    clippy::wildcard_imports
)]
#![cfg_attr(
    test,
    allow(
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::unwrap_used,
        reason = "a test fails by panicking"
    )
)]

//! Azure App Configuration and Key Vault as a source for the [`config`] crate, kept current.
//!
//! [`AppConfiguration`] loads the settings of a store, resolves the Key Vault references among them through one cached
//! credential, and is a layer of your own [`config::Config::builder`]. [`Live`] builds your struct out of your layers, and
//! swaps it as one snapshot whenever a setting changes or a secret is rotated.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use config::{Config, Environment};
//! use config_azure::{Live, Secret};
//!
//! #[derive(serde::Deserialize)]
//! struct Settings {
//!     title: String,
//!     db: Database,
//! }
//! #[derive(serde::Deserialize)]
//! struct Database {
//!     port: u16,
//!     password: Secret,
//! }
//!
//! // A store in memory. Against Azure:
//! // AppConfiguration::builder().endpoint("https://contoso.azconfig.io").default_credential()
//! let (builder, store) = config_azure::in_memory();
//! store.set("orders:Title", "Orders");
//! store.set("orders:Db:Port", "5432");
//! store.set_secret("orders:Db:Password", "first");
//!
//! let azure = builder.trim_key_prefix("orders:").load().await?;
//! let mut live: Live<Settings> = azure
//!     .live(
//!         Config::builder()
//!             .set_default("title", "Untitled")?
//!             .add_source(azure.clone())
//!             .add_source(Environment::with_prefix("ORDERS").separator("__")),
//!     )
//!     .await?;
//! let now = live.load();
//! assert_eq!((now.title.as_str(), now.db.port), ("Orders", 5432));
//! assert_eq!(now.db.password.expose_secret(), "first");
//!
//! store.rotate("orders:Db:Password", "second"); // no setting changes
//! assert_eq!(live.changed().await?.db.password.expose_secret(), "second");
//! # Ok(()) }
//! ```
//!
//! | To | see |
//! | --- | --- |
//! | choose what is loaded | [`SettingSelector`], [`AppConfigurationBuilder`], [`AppConfigurationOptions`] |
//! | load feature flags | [`AppConfigurationBuilder::feature_flags`] |
//! | load without a runtime | [`AppConfigurationBuilder::load_blocking`] |
//! | choose who signs in | [`credential`] |
//! | say how keys become paths | [`KeyCase`], [`KeyPath`], [`Conflict`] |
//! | set vaults, intervals and policies | [`KeyVaultOptions`], [`ReadLimiter`], [`SecretPolicy`], [`SecretResolver`], [`RefreshOptions`], [`StartupOptions`] |
//! | read the snapshot | [`Live`], [`Reader`], [`Part`], [`Derived`]; [`from_config`] without `Live` |
//! | know where a value comes from | [`AppConfiguration::explain`], [`Live::explain`], [`Loaded`] |
//! | know how it is doing | [`AppConfiguration::status`], [`Live::status`], [`Changes`] |
//! | know why something failed | [`Error`], [`ErrorKind`], [`SecretErrorKind`], [`Warning`]; `docs/troubleshooting.md` |
//! | follow it in a log | `tracing` events of the target `config_azure`, whose names are stable: `docs/telemetry.md` |
//! | be told at once | [`AppConfiguration::refresh`], [`AppConfiguration::notify`] |
//! | take identifiers apart | [`SecretIdentifier`], [`KeyIdentifier`], [`SecretReference`] |
//! | test your service | [`in_memory`] |
//!
//! Nothing is published unless listing, resolving and assembling all succeeded, and a `Live` swaps only what also fits the
//! struct and passes its validator; otherwise the last good value stays, and the status says why. No error, log line or
//! `Debug` of this crate holds a secret, nor a setting's value, unless the application's own code quotes that one.
//!
//! `docs/options.md` lists every option with its default, and `docs/security.md` what is promised and what is not.
//!
//! # Features
//!
//! - `replica_discovery` (default): [`AppConfigurationBuilder::replica_discovery`], which finds replicas by DNS if it is
//!   asked to.
//! - `keys`: key references as public JWKs ([`KeyVaultOptions::resolve_keys`]), and settings that were encrypted with a Key
//!   Vault key.
//!
//! The minimum supported Rust version is 1.88.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod app;
#[cfg(feature = "_bench")]
#[doc(hidden)]
pub mod bench;
mod blocking;
mod builder;
pub mod credential;
mod de;
mod environment;
mod error;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod humantime;
mod in_memory;
mod json;
mod live;
mod load;
mod loaded;
mod publication;
mod reference;
mod refresh;
mod secret;
mod setting;
mod source;
mod startup;
mod store;
mod task;
mod telemetry;
#[cfg(test)]
mod testing;
mod time;
mod transport;
mod tree;

pub use app::AppConfiguration;
pub use builder::{AppConfigurationBuilder, AppConfigurationOptions, SelectorOptions};
pub use de::from_config;
pub use error::{Error, ErrorKind, Result, SecretError, SecretErrorKind};
pub use event::{EventOutcome, IgnoreReason, Notified, NotifiedEvent};
pub use in_memory::{InMemoryStore, in_memory};
pub use live::{
    Closed, Current, CurrentGuard, Derived, Layers, Live, LiveBuilder, LiveStatus, Part, PartRef,
    Reader, Refusal,
};
pub use loaded::Loaded;
pub use publication::Changes;
#[cfg(feature = "keys")]
pub use reference::SettingEncryptor;
pub use reference::{
    CertificateIdentifier, EnvironmentResolver, KeyIdentifier, KeyVaultOptions, MapResolver,
    ReadLimiter, ResolvedSecret, ResolverOrder, SecretIdentifier, SecretPolicy, SecretReference,
    SecretResolver, VaultOptions,
};
pub use refresh::{
    Counters, RefreshOptions, RefreshOutcome, SecretProperties, SecretStatus, SkipReason, Status,
    StoreFailure, VaultStatus,
};
pub use secrecy;
pub use secret::Secret;
pub use setting::{ConfigurationSetting, ETag, Label, Warning, WarningKind};
pub use startup::StartupOptions;
pub use store::{EndpointStatus, SettingSelector};
pub use time::WallClock;
pub use tree::{Cause, Change, ChangeSet, Conflict, Contender, Explanation, KeyCase, KeyPath};
