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
        clippy::unwrap_used,
        reason = "a test fails by panicking"
    )
)]

//! Azure App Configuration and Key Vault as a source for the [`config`] crate, kept current.

mod error;
mod live;
mod loaded;
mod publication;
mod secret;
mod setting;
mod source;
mod standin;
mod store;
mod task;
#[cfg(test)]
mod testing;
mod time;
mod transport;

pub use error::{Error, ErrorKind, Result, SecretError, SecretErrorKind};
pub use live::{
    Closed, Current, CurrentGuard, Derived, Layers, Live, LiveBuilder, LiveStatus, Part, PartRef,
    Reader, Refusal,
};
pub use loaded::Loaded;
pub use publication::Changes;
pub use secrecy;
pub use secret::Secret;
pub use setting::{ConfigurationSetting, ETag, Label};
pub use store::SettingSelector;
pub use time::WallClock;
