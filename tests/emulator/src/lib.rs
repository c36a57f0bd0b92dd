//! Azure App Configuration, Key Vault and Entra ID on loopback, for tests and examples of `config-azure`.
//!
//! An independent implementation, written from the service's documentation and recorded traffic: it does not
//! depend on the library under test. One world ([`Emulator`]) is reached through two fronts: real TLS sockets
//! on loopback under the real host names, and an in-memory transport that works with a paused Tokio clock.

pub mod identity;
mod service;
mod token;
pub mod vault;

pub use service::Service;
pub use token::{TokenIssuer, TokenProblem};
