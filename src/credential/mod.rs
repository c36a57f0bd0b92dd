//! Credentials: a cache in front of any of them, and a default chain.
//!
//! Every credential given to a builder is put behind a [`CachedCredential`] once, which the store and all vaults
//! share. [`DefaultAzureCredential`] finds one by itself, from the environment of the process.

mod cached;
mod failure;
mod slot;
#[cfg(test)]
mod tests;

pub use cached::CachedCredential;
pub(crate) use failure::CredentialFailure;
