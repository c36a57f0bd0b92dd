//! The integration tests: one binary, a module per behaviour.

mod axum_service;
mod first_load;
mod following;
mod layering;
mod ownership;
mod refreshing;
mod support;
