//! Credentials: a cache in front of any of them, and a default chain.
//!
//! Every credential given to a builder is put behind a [`CachedCredential`] once, which the store and all vaults
//! share. [`DefaultAzureCredential`] finds one by itself, from the environment of the process.

mod cached;
mod chain;
mod default;
mod failure;
mod member;
mod probe;
mod slot;
#[cfg(test)]
mod tests;

pub use cached::CachedCredential;
pub use default::{DefaultAzureCredential, DefaultAzureCredentialBuilder};
pub use member::CredentialKind;

pub(crate) use default::identity_origins;
pub(crate) use failure::CredentialFailure;
