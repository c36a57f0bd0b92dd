//! All events of an emulator, for tests to read and webhooks to receive.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Event, Webhook, webhook::Subscription};
use crate::EmulatorError;

/// The events that stores and vaults have raised. Cheap to clone; clones are the same hub.
///
/// Events are recorded whether anybody has subscribed or not.
///
/// ```
/// use config_azure_emulator::Emulator;
/// use config_azure_emulator::events::EventSchema;
///
/// let emulator = Emulator::builder().vault("kv-orders").in_memory();
/// emulator.vault("kv-orders").set_secret("db-password", "one");
/// let event = emulator.events().latest().expect("a new version is an event");
/// assert_eq!(event.kind, "Microsoft.KeyVault.SecretNewVersionCreated");
/// let body = event.body(EventSchema::CloudEvents); // what a webhook would receive
/// assert!(body.contains("db-password"));
/// ```
#[derive(Clone, Debug)]
pub struct EventHub {
    events: Arc<Mutex<Vec<Event>>>,
    /// How many events there have been.
    count: watch::Sender<usize>,
}

impl Default for EventHub {
    fn default() -> Self {
        Self {
            events: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl EventHub {
    /// Raises an event: records it, and sends it to every webhook.
    ///
    /// Stores and vaults do so for their changes. Tests do it for what only time brings, such as
    /// [`ObjectEvent::NearExpiry`](super::ObjectEvent::NearExpiry), and for repetitions.
    pub fn publish(&self, event: Event) {
        let mut events = self.events();
        events.push(event);
        let count = events.len();
        drop(events);
        self.count.send_replace(count);
    }

    /// All events so far, oldest first.
    pub fn published(&self) -> Vec<Event> {
        self.events().clone()
    }

    /// The newest event.
    pub fn latest(&self) -> Option<Event> {
        self.events().last().cloned()
    }

    /// Waits until there have been `count` events.
    pub async fn wait_for(&self, count: usize) -> Vec<Event> {
        let mut receiver = self.count.subscribe();
        // The hub itself holds the sender, so the channel cannot close.
        let _ = receiver.wait_for(|seen| *seen >= count).await;
        self.published()
    }

    /// Asks a webhook whether it wants events, as Event Grid does, and from then on sends it all new ones.
    ///
    /// # Errors
    /// The webhook cannot be reached or declines.
    pub async fn subscribe(&self, webhook: Webhook) -> Result<Subscription, EmulatorError> {
        let seen = self.count.subscribe();
        let next = self.events().len();
        webhook.validate().await?;
        Ok(Subscription::start(webhook, self.clone(), seen, next))
    }

    /// Events from this position on.
    pub(super) fn since(&self, position: usize) -> Vec<Event> {
        self.events().get(position..).unwrap_or_default().to_vec()
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
