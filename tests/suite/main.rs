//! The integration tests: one binary, a module per behaviour.

mod axum_service;
mod first_load;
mod layering;
mod secrecy;
mod support;
mod vault_moods;
