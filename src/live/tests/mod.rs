//! `Live` over a store that is published by hand: no network, and a paused clock where time matters.

use config::builder::DefaultState;
use config::{Config, ConfigBuilder};
use serde::Deserialize;

use super::{Live, LiveBuilder};
use crate::error::Result;
use crate::testing::TestStore;

mod changed;
mod derived;
mod following;
mod ownership;
mod part;
mod refusal;
mod runtime;
mod stress;
mod user_code;

#[derive(Debug, Deserialize, PartialEq)]
struct Settings {
    title: String,
    port: u16,
}

/// What the store holds for [`Settings`].
fn pairs<'a>(title: &'a str, port: &'a str) -> [(&'a str, &'a str); 2] {
    [("title", title), ("port", port)]
}

fn layers(store: &TestStore) -> ConfigBuilder<DefaultState> {
    Config::builder().add_source(store.clone())
}

fn builder<T>(store: &TestStore) -> LiveBuilder<T> {
    LiveBuilder::new(store.feed.clone(), layers(store))
}

async fn live(store: &TestStore) -> Result<Live<Settings>> {
    builder(store).start().await
}
