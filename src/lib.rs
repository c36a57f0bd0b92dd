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
    ResolvedSecret, ResolverOrder, SecretIdentifier, SecretPolicy, SecretReference, SecretResolver,
    VaultOptions,
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
