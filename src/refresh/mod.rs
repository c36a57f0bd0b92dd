//! Keeps what was loaded current: when to look again, and what to do if looking fails.
//!
//! [`state`] decides and is pure; [`driver`] does what it says; [`engine`] is what the handle holds of it. Nothing here
//! opens a connection or knows a value: the pipeline does.
//!
//! What it promises:
//!
//! 1. Nothing is published unless list, resolve and assemble succeeded for one and the same content.
//! 2. What failed leaves the last good value in place, moves no change marker, and shows in the status.
//! 3. What was fetched is not lost if only a vault failed: it waits, and only the vault is asked again.
//! 4. The store and each vault back off on their own, and all come back within 75 s after the end of an outage.
//! 5. What a service asks to wait is waited, whoever asks.

mod callers;
mod check;
mod directory;
mod driver;
mod engine;
mod options;
mod outcome;
mod reply;
mod report;
pub(crate) mod state;
mod status;
mod summary;

pub(crate) use crate::store::Scope;
pub(crate) use engine::Engine;
pub use options::RefreshOptions;
pub use outcome::{RefreshOutcome, SkipReason};
pub use state::Counters;
pub use status::{SecretProperties, SecretStatus, Status, StoreFailure, VaultStatus};

#[cfg(test)]
mod tests;
