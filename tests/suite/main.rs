//! The integration tests: one binary, a module per behaviour.

mod axum_service;
mod first_load;
mod fleet;
mod following;
mod layering;
mod life_cycle;
mod one_spelling;
mod ownership;
mod push;
mod refreshing;
mod secrecy;
mod supply_chain;
mod support;
mod tasks;
mod vault_moods;
