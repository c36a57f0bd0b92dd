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

mod de;
mod error;
pub mod humantime;
mod secret;
mod setting;
mod time;
mod tree;

pub use de::from_config;
pub use error::{Error, ErrorKind, Result, SecretError, SecretErrorKind};
pub use secrecy;
pub use secret::Secret;
pub use setting::{ConfigurationSetting, ETag, Label};
pub use time::WallClock;
pub use tree::{Cause, Change, ChangeSet, Conflict, Contender, Explanation, KeyCase, KeyPath};
