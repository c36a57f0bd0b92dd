//! What an event causes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::notified::{EventOutcome, IgnoreReason, Notified, NotifiedEvent};
use super::parse::{Incoming, Tells, parse};
use super::seen::Seen;
use crate::error::{Result, printable};
use crate::load::Pipeline;
use crate::reference::ChangedObject;
use crate::refresh::Engine;

/// What events act upon.
pub(crate) struct Line<'a> {
    pub(crate) pipeline: &'a Pipeline,
    /// `None` before the first load.
    pub(crate) engine: Option<&'a Engine>,
    /// The check that an event causes begins within this time.
    pub(crate) push_delay: Duration,
}

/// Takes bodies of events for one handle.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    seen: Mutex<Seen>,
}

impl Receiver {
    /// Reads a body and does what its events ask for. If any of them is malformed, none has an effect.
    pub(crate) fn receive(&self, body: &[u8], line: &Line<'_>) -> Result<Notified> {
        let events = parse(body)?;
        let events = events.into_iter().map(|event| self.handle(event, line));
        Ok(Notified {
            events: events.collect(),
        })
    }

    fn handle(&self, event: Incoming, line: &Line<'_>) -> NotifiedEvent {
        // The lock is held while the event has its effect, so that two deliveries at once are one.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let number = seen.number(&(&event.id, &event.source, &event.kind, &event.tells));
        let outcome = if seen.contains(number) {
            EventOutcome::Ignored(IgnoreReason::Duplicate)
        } else {
            line.apply(&event.tells)
        };
        if outcome.is_scheduled() {
            seen.remember(number);
        }
        NotifiedEvent {
            id: printable(&event.id),
            kind: printable(&event.kind),
            outcome,
        }
    }
}

impl Line<'_> {
    fn apply(&self, tells: &Tells) -> EventOutcome {
        let applied = match tells {
            Tells::Validation(code) => Ok(EventOutcome::Validation { code: code.clone() }),
            Tells::Other => Err(IgnoreReason::UnknownType),
            Tells::Store {
                subject,
                sync_token,
            } => self.store_changed(subject, sync_token),
            Tells::Object(object) => self.object_changed(object),
        };
        applied.unwrap_or_else(EventOutcome::Ignored)
    }

    fn store_changed(&self, subject: &url::Url, token: &str) -> Result<EventOutcome, IgnoreReason> {
        let store = self.pipeline.store();
        let endpoint = store
            .endpoint_of(subject)
            .ok_or(IgnoreReason::UnknownStore)?;
        // A token that is not newer than what is known does not make the event an old one: it may be the answer to the
        // very check that was a moment too early.
        let _newer = store.apply_sync_token(subject.host_str().unwrap_or_default(), token);
        let engine = self.engine.ok_or(IgnoreReason::NotLoaded)?;
        if !engine.store_changed(self.push_delay) {
            return Err(IgnoreReason::NotRunning);
        }
        Ok(EventOutcome::StoreCheck {
            endpoint,
            within: self.push_delay,
        })
    }

    fn object_changed(&self, object: &ChangedObject) -> Result<EventOutcome, IgnoreReason> {
        let engine = self.engine.ok_or(IgnoreReason::NotLoaded)?;
        if !self.pipeline.references().admits(object) {
            return Err(IgnoreReason::UnknownVault);
        }
        if !engine.is_running() {
            return Err(IgnoreReason::NotRunning);
        }
        if engine.object_changed(object) == 0 {
            let host = object.vault_host();
            let used = engine.uses_vault(host);
            return Err(if used {
                IgnoreReason::UnusedObject
            } else {
                IgnoreReason::UnknownVault
            });
        }
        Ok(EventOutcome::SecretRead {
            vault: object.vault_host().to_owned(),
            name: object.name().to_owned(),
        })
    }
}
