//! The integration tests: one binary, a module per behaviour.

mod axum_service;
mod certificates;
mod clocks;
mod documents;
mod endings;
#[path = "../../src/testing/events.rs"]
mod events;
mod features;
mod first_load;
mod fleet;
mod following;
mod full_pipeline;
mod health;
mod hostile_references;
mod hostile_texts;
#[cfg(feature = "keys")]
mod key_references;
mod layering;
mod life_cycle;
mod one_spelling;
mod options;
mod options_from_a_file;
mod ownership;
mod prefetch;
mod process;
mod proxies;
mod push;
mod push_early;
mod redirects;
mod refresh_calls;
mod refreshing;
mod schedule_options;
mod secrecy;
mod selecting;
mod signing_in;
mod start;
mod start_schedule;
mod store_options;
mod supervision;
mod supply_chain;
mod support;
mod tasks;
mod troubleshooting;
mod vault_moods;
mod vault_options;
