//! What `notify` did.

use std::fmt;
use std::time::Duration;

/// What [`notify`](crate::AppConfiguration::notify) did with a body, event by event.
///
/// A webhook answers 200 whatever stands here: an event that was ignored will not fare better if it is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Notified {
    /// The events of the body, in their order.
    pub events: Vec<NotifiedEvent>,
}

/// One event, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifiedEvent {
    /// Its identifier, as the sender gave it, cut after 128 characters.
    pub id: String,
    /// Its type, such as `Microsoft.KeyVault.SecretNewVersionCreated`, cut after 128 characters.
    pub kind: String,
    /// What was done.
    pub outcome: EventOutcome,
}

/// What an event caused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventOutcome {
    /// The store is checked at a random moment within this time
    /// ([`RefreshOptions::push_delay`](crate::RefreshOptions::push_delay)). Several events share a check.
    StoreCheck {
        /// The endpoint that has changed; its sync token was taken over, so that the check sees the change.
        endpoint: String,
        /// The check begins at the latest after this, unless the store asked for a longer rest.
        within: Duration,
    },
    /// This secret, key or certificate, and nothing else of its vault, is read again at once; within 3 s if its vault
    /// was asked at the request of an event or a caller a moment ago.
    SecretRead {
        /// The vault's host.
        vault: String,
        /// The object's name.
        name: String,
    },
    /// Event Grid asks whether events are wanted; see [`Notified::validation_response`].
    Validation {
        /// What is to be sent back.
        code: String,
    },
    /// Nothing was scheduled. Two reasons say what it may lead to later: [`NotLoaded`](IgnoreReason::NotLoaded) and
    /// [`NotRunning`](IgnoreReason::NotRunning).
    Ignored(IgnoreReason),
}

impl EventOutcome {
    /// True if a check or a read was scheduled.
    pub(super) fn is_scheduled(&self) -> bool {
        matches!(self, Self::StoreCheck { .. } | Self::SecretRead { .. })
    }
}

/// Why an event scheduled nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IgnoreReason {
    /// Its type is not one that tells of a change.
    UnknownType,
    /// It comes from a store whose endpoint is not one of this handle's.
    UnknownStore,
    /// It comes from a vault that no current reference points to, or that the handle may not ask.
    UnknownVault,
    /// The vault is in use, but this object is not; or the references to it name a version.
    UnusedObject,
    /// The same event was received before. Event Grid delivers at least once.
    Duplicate,
    /// Nothing was loaded yet. The first load sees the change, or, if a refresh runs in the background,
    /// what it tells of is looked at again right after it.
    NotLoaded,
    /// No refresh runs in the background: it is disabled or was shut down. A sync token was taken over all the same, so
    /// that the next [`refresh`](crate::AppConfiguration::refresh) sees the change.
    NotRunning,
}

impl Notified {
    /// True if a check or a read was scheduled.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.events.iter().any(|event| event.outcome.is_scheduled())
    }

    /// The code of Event Grid's handshake, if the body was one.
    #[must_use]
    pub fn validation_code(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match &event.outcome {
            EventOutcome::Validation { code } => Some(code.as_str()),
            _ => None,
        })
    }

    /// The JSON body that answers Event Grid's handshake, if the body was one; send it with status 200 and the
    /// content type `application/json`. Authenticate the caller first: the answer consents to a subscription.
    ///
    /// The handshake of CloudEvents is no body but an `OPTIONS` request, answered with the header
    /// `WebHook-Allowed-Origin`; `examples/push.rs` shows both.
    #[must_use]
    pub fn validation_response(&self) -> Option<String> {
        let code = self.validation_code()?;
        Some(serde_json::json!({ "validationResponse": code }).to_string())
    }
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "an event of this type tells nothing that matters here",
            Self::UnknownStore => "the store is not one of this handle's",
            Self::UnknownVault => "no reference points to this vault",
            Self::UnusedObject => "no reference to the newest version of this object",
            Self::Duplicate => "received before",
            Self::NotLoaded => "nothing was loaded yet",
            Self::NotRunning => "no refresh runs in the background",
        })
    }
}
