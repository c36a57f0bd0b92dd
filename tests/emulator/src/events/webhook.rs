//! Delivery of events to a webhook, with Event Grid's handshakes.

use std::time::Duration;

use aws_lc_rs::rand;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Event, EventHub, EventSchema};
use crate::EmulatorError;

/// Waits before a failed delivery is tried again, unless the webhook says otherwise.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
const ORIGIN: &str = "eventgrid.azure.net";

/// Where events go.
#[derive(Clone, Debug)]
pub struct Webhook {
    url: String,
    schema: EventSchema,
    headers: HeaderMap,
    client: reqwest::Client,
    retries: Vec<Duration>,
}

impl Webhook {
    /// A webhook that gets every event of the emulator in this schema, one event per request.
    pub fn new(url: impl Into<String>, schema: EventSchema) -> Self {
        Self {
            url: url.into(),
            schema,
            headers: HeaderMap::new(),
            client: reqwest::Client::new(),
            retries: RETRIES.to_vec(),
        }
    }

    /// Sends with this client, for instance one that trusts the webhook's certificate.
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.client = client;
        self
    }

    /// Sends this header with every request, as the delivery attributes of a subscription do.
    ///
    /// # Panics
    /// If the name or the value is not one that HTTP allows.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header name");
        let value = HeaderValue::try_from(value).expect("a header value");
        self.headers.insert(name, value);
        self
    }

    /// Waits so long before each further attempt at a failed delivery: 10 s, 30 s and 60 s if nothing is said.
    /// After the last attempt the event is dropped.
    pub fn retries(mut self, waits: impl IntoIterator<Item = Duration>) -> Self {
        self.retries = waits.into_iter().collect();
        self
    }

    /// The handshake: a validation code to send back, or for CloudEvents permission for the origin.
    pub(super) async fn validate(&self) -> Result<(), EmulatorError> {
        match self.schema {
            EventSchema::EventGrid => self.validate_by_code().await,
            EventSchema::CloudEvents => self.validate_by_origin().await,
        }
    }

    async fn validate_by_code(&self) -> Result<(), EmulatorError> {
        let mut bytes = [0_u8; 16];
        rand::fill(&mut bytes).expect("the system has a random source");
        let code: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let body = Event::validation(&code, "/emulator", OffsetDateTime::now_utc());
        let answer = self.post(body, "SubscriptionValidation").await?;
        let answer = answer.text().await.map_err(unreachable)?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| {
            EmulatorError::because("the webhook's validation answer is not JSON", error)
        })?;
        if answer["validationResponse"] == code.as_str() {
            Ok(())
        } else {
            Err(EmulatorError::new(
                "the webhook did not return the validation code",
            ))
        }
    }

    async fn validate_by_origin(&self) -> Result<(), EmulatorError> {
        let answer = self
            .client
            .request(reqwest::Method::OPTIONS, &self.url)
            .headers(self.headers.clone())
            .header("webhook-request-origin", ORIGIN)
            .header("webhook-request-rate", "120")
            .send()
            .await
            .map_err(unreachable)?;
        let allowed = answer.headers().get("webhook-allowed-origin");
        if allowed.is_some_and(|origin| origin == "*" || origin == ORIGIN) {
            Ok(())
        } else {
            Err(EmulatorError::new("the webhook does not allow the origin"))
        }
    }

    /// Delivers one event; tries again until the schedule is through.
    async fn deliver(&self, event: &Event) {
        let mut waits = self.retries.iter();
        while self
            .post(event.body(self.schema), "Notification")
            .await
            .is_err()
        {
            let Some(wait) = waits.next() else { return };
            tokio::time::sleep(*wait).await;
        }
    }

    async fn post(
        &self,
        body: String,
        event_type: &str,
    ) -> Result<reqwest::Response, EmulatorError> {
        let content_type = match self.schema {
            EventSchema::EventGrid => "application/json; charset=utf-8",
            EventSchema::CloudEvents => "application/cloudevents+json; charset=utf-8",
        };
        let answer = self
            .client
            .post(&self.url)
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, content_type)
            .header("aeg-event-type", event_type)
            .body(body)
            .send()
            .await
            .map_err(unreachable)?;
        answer.error_for_status().map_err(unreachable)
    }
}

fn unreachable(error: reqwest::Error) -> EmulatorError {
    EmulatorError::because("the webhook did not accept the request", error)
}

/// A webhook at work. Dropping it ends the delivery.
#[derive(Debug)]
pub struct Subscription {
    task: JoinHandle<()>,
}

impl Subscription {
    pub(super) fn start(
        webhook: Webhook,
        hub: EventHub,
        mut seen: watch::Receiver<usize>,
        mut next: usize,
    ) -> Self {
        let task = tokio::spawn(async move {
            loop {
                for event in hub.since(next) {
                    webhook.deliver(&event).await;
                    next += 1;
                }
                if seen.wait_for(|count| *count > next).await.is_err() {
                    return;
                }
            }
        });
        Self { task }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}
