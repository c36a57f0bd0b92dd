//! Azure App Configuration, Key Vault and Entra ID on loopback, for tests and examples of `config-azure`.
//!
//! An independent implementation, written from the service's documentation and recorded traffic: it does not
//! depend on the library under test. One world ([`Emulator`]) is reached through two fronts: real TLS sockets
//! on loopback under the real host names, and an in-memory transport that works with a paused Tokio clock.

mod builder;
mod client;
mod clock;
mod credential;
mod dns;
mod emulator;
mod error;
pub mod events;
mod fault;
mod front;
mod http_date;
pub mod identity;
mod log;
mod proxy;
mod route;
mod service;
mod store;
mod stranger;
mod token;
pub mod vault;
mod world;

pub use builder::EmulatorBuilder;
pub use clock::ClockHandle;
pub use credential::EmulatorCredential;
pub use dns::{DnsAnswer, DnsServer, Srv};
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use fault::{Answer, Fault, Faults, ScriptHandle};
pub use front::CertificateKind;
pub use identity::IdentityHandle;
pub use log::{Entry, RequestLog};
pub use proxy::{Direction, Proxy, Toxic};
pub use route::{HostKind, Resource, Route};
pub use service::Service;
pub use store::{Composition, NewSnapshot, Setting, StoreHandle};
pub use token::{TokenIssuer, TokenProblem};
pub use vault::VaultHandle;
