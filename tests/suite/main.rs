//! The integration tests: one binary, a module per behaviour.

mod first_load;
mod layering;
mod support;
