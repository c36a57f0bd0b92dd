//! The client of one store and its replicas.

mod audience;
mod connection_string;
mod endpoint;
mod filter;
mod hmac;
mod link;
mod query;
mod selection;
mod selector;
mod sync_token;
mod wire;

pub use selector::SettingSelector;
