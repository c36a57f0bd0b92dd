//! What an event causes.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    early: Early,
}

/// What changed before the first load was through. It may have been read before that, so it is looked at again.
#[derive(Debug, Default)]
struct Early(Mutex<Changed>);

#[derive(Debug, Default)]
struct Changed {
    store: bool,
    objects: HashSet<ChangedObject>,
}

/// Far more than one application refers to.
const MOST_EARLY: usize = 5_000;

impl Early {
    fn store_changed(&self) {
        self.changed().store = true;
    }

    fn object_changed(&self, object: &ChangedObject) {
        let objects = &mut self.changed().objects;
        if objects.len() < MOST_EARLY {
            objects.insert(object.clone());
        }
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver {
    /// The first load is through: what came too early for it takes effect now.
    pub(crate) fn catch_up(&self, engine: &Engine, push_delay: Duration) {
        let changed = std::mem::take(&mut *self.early.changed());
        if changed.store {
            engine.store_changed(push_delay);
        }
        for object in &changed.objects {
            engine.object_changed(object);
        }
    }

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
            line.apply(&event.tells, &self.early)
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
    fn apply(&self, tells: &Tells, early: &Early) -> EventOutcome {
        let applied = match tells {
            Tells::Validation(code) => Ok(EventOutcome::Validation { code: code.clone() }),
            Tells::Other => Err(IgnoreReason::UnknownType),
            Tells::Store {
                subject,
                sync_token,
            } => self.store_changed(subject, sync_token, early),
            Tells::Object(object) => self.object_changed(object, early),
        };
        applied.unwrap_or_else(EventOutcome::Ignored)
    }

    fn store_changed(
        &self,
        subject: &url::Url,
        token: &str,
        early: &Early,
    ) -> Result<EventOutcome, IgnoreReason> {
        let store = self.pipeline.store();
        let endpoint = store
            .endpoint_of(subject)
            .ok_or(IgnoreReason::UnknownStore)?;
        // A token that is not newer than what is known does not make the event an old one: it may be the answer to the
        // very check that was a moment too early.
        let _newer = store.apply_sync_token(subject.host_str().unwrap_or_default(), token);
        let Some(engine) = self.engine else {
            early.store_changed();
            return Err(IgnoreReason::NotLoaded);
        };
        if !engine.store_changed(self.push_delay) {
            return Err(IgnoreReason::NotRunning);
        }
        Ok(EventOutcome::StoreCheck {
            endpoint,
            within: self.push_delay,
        })
    }

    fn object_changed(
        &self,
        object: &ChangedObject,
        early: &Early,
    ) -> Result<EventOutcome, IgnoreReason> {
        if !self.pipeline.references().admits(object) {
            return Err(IgnoreReason::UnknownVault);
        }
        let Some(engine) = self.engine else {
            early.object_changed(object);
            return Err(IgnoreReason::NotLoaded);
        };
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
