//! The integration tests: one binary, a module per behaviour.

mod axum_service;
mod first_load;
mod following;
mod layering;
mod ownership;
mod support;
mod supply_chain;
mod tasks;
mod secrecy;
mod vault_moods;
