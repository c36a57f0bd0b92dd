//! The start of a handle: the first load, and what begins after it.

use std::sync::Arc;

use futures::future::BoxFuture;
use tracing::Instrument;

use super::AppConfiguration;
use crate::error::{Error, ErrorKind, Result};
use crate::refresh::Engine;
use crate::{startup, telemetry};

impl AppConfiguration {
    /// The first load, and only then the task.
    pub(super) async fn start(&self) -> Result<Engine> {
        let shared = &self.shared;
        crate::task::runtime()?;
        if !shared.enabled {
            return self.start_without_store();
        }
        let pipeline = Arc::clone(&shared.pipeline);
        // Replicas are looked for from the beginning, beside the load, which they may save. It never ends, so that it
        // can be handed on to the engine whether or not it was polled here.
        let mut discovery: BoxFuture<'static, ()> = Box::pin(async move {
            pipeline.store().keep_discovering().await;
            std::future::pending::<()>().await;
        });
        let span = telemetry::load_span(&shared.pipeline.endpoint());
        let loaded = tokio::select! {
            biased;
            () = shared.token.cancelled() => Err(closed()),
            loaded = startup::first_load(&shared.pipeline, &shared.startup).instrument(span) => loaded,
            () = &mut discovery => Err(closed()),
        };
        match loaded {
            Ok(draft) => drop(shared.pipeline.publish(draft)),
            Err(error) if shared.startup.forgives(&error) => {
                tracing::error!(
                    endpoint = shared.pipeline.endpoint(),
                    "starting without App Configuration, as it is optional; trying on in the background: {}",
                    error.one_line()
                );
                shared.pipeline.publish_empty();
            }
            Err(error) => return Err(error),
        }
        Engine::start(
            Arc::clone(&shared.pipeline),
            &shared.refresh,
            shared.token.clone(),
            discovery,
        )
    }

    /// An empty generation, and nothing that would ever ask the store.
    fn start_without_store(&self) -> Result<Engine> {
        let shared = &self.shared;
        tracing::warn!(
            endpoint = shared.pipeline.endpoint(),
            "App Configuration is turned off by the environment; starting with an empty layer"
        );
        shared.pipeline.publish_empty();
        let never = shared.refresh.clone().disabled();
        let nothing = Box::pin(std::future::pending());
        Engine::start(
            Arc::clone(&shared.pipeline),
            &never,
            shared.token.clone(),
            nothing,
        )
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the handle was shut down")
}
