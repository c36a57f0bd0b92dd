//! A rotation that arrives at once: Event Grid → webhook → `notify` → new snapshot.
//!
//! `cargo run --example push` needs no Azure: an emulator serves the store and the vault, and sends its events to this
//! program's webhook as Event Grid does. It shows one rotation and one changed setting, one schema each, and ends.
//!
//! In Azure, make an event subscription for the store and one for each vault, with the endpoint
//! `https://YOUR-HOST/events?secret=...`. The webhook is yours: how a caller proves who it is stands here in `is_known`.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use config::Config;
use config_azure::{AppConfiguration, KeyVaultOptions, Live, RefreshOptions, Secret};
use config_azure_emulator::Emulator;
use config_azure_emulator::events::{EventSchema, Webhook};
use serde::Deserialize;
use tokio::net::TcpListener;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[derive(Deserialize)]
struct Settings {
    greeting: String,
    password: Secret,
}

/// What the webhook needs.
#[derive(Clone)]
struct Hook {
    azure: AppConfiguration,
    /// Known to the event subscription and to nobody else. `Secret` compares in constant time.
    secret: Arc<Secret>,
}

impl Hook {
    fn router(self) -> Router {
        Router::new()
            .route("/events", post(events).options(handshake))
            // Event Grid delivers at most 1 MB at once.
            .layer(DefaultBodyLimit::max(1024 * 1024))
            .with_state(self)
    }

    fn is_known(&self, query: Option<&str>) -> bool {
        let query = query.unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "secret" && Secret::new(&*value) == *self.secret)
    }
}

/// A delivery, or the handshake of Event Grid's own schema.
async fn events(State(hook): State<Hook>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    if !hook.is_known(query.as_deref()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match hook.azure.notify(&body) {
        Ok(notified) => {
            for event in &notified.events {
                println!("  event {}: {:?}", event.kind, event.outcome);
            }
            match notified.validation_response() {
                Some(answer) => {
                    ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
                }
                None => StatusCode::OK.into_response(),
            }
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// The handshake of CloudEvents: may this origin send events here?
async fn handshake(
    State(hook): State<Hook>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match headers.get("webhook-request-origin") {
        Some(origin) if hook.is_known(query.as_deref()) => {
            [("webhook-allowed-origin", origin.clone())].into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .start()
        .await?;
    let (store, vault) = (emulator.store("contoso"), emulator.vault("kv-orders"));
    vault.set_secret("password", "spring");
    store.set("greeting", None, "Hello");
    store.set_reference("password", None, &vault.secret_uri("password"));

    // Intervals of a day: what arrives within seconds arrives because of an event.
    let day = Duration::from_secs(24 * 3_600);
    let azure = AppConfiguration::builder()
        .endpoint(store.endpoint())
        .credential(emulator.credential())
        .http_client(emulator.client_hook())
        .refresh(
            RefreshOptions::new()
                .every(day)
                .push_delay(Duration::from_secs(1)),
        )
        .key_vault(KeyVaultOptions::new().refresh_interval(day))
        .load()
        .await?;
    let mut live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;

    let secret = "made-up-for-this-run";
    let hook = Hook {
        azure: azure.clone(),
        secret: Arc::new(Secret::new(secret)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, hook.router()).into_future());

    let strangers = emulator
        .events()
        .subscribe(Webhook::new(url.as_str(), EventSchema::EventGrid))
        .await;
    println!("without the secret: subscribed = {}", strangers.is_ok());
    let url = format!("{url}?secret={secret}");

    println!("\na secret is rotated; Event Grid's schema");
    let grid = Webhook::new(url.as_str(), EventSchema::EventGrid);
    let subscription = emulator.events().subscribe(grid).await?;
    vault.set_secret("password", "summer");
    let now = follow(&mut live, |now| now.password == Secret::new("summer")).await?;
    println!("  the new password is in the snapshot after {now:?}");
    drop(subscription);

    println!("\na setting changes; CloudEvents");
    let cloud = Webhook::new(url.as_str(), EventSchema::CloudEvents);
    let _subscription = emulator.events().subscribe(cloud).await?;
    store.set("greeting", None, "Welcome");
    let now = follow(&mut live, |now| now.greeting == "Welcome").await?;
    println!(
        "  \"{}\" is in the snapshot after {now:?}",
        live.load().greeting
    );

    azure.shutdown().await;
    Ok(())
}

/// Waits for the snapshot that is wished for, and says how long it took.
async fn follow(live: &mut Live<Settings>, wish: impl Fn(&Settings) -> bool) -> Result<Duration> {
    let started = Instant::now();
    let arrived = async {
        while !wish(&live.load()) {
            live.changed().await?;
        }
        Ok::<_, Box<dyn Error>>(started.elapsed())
    };
    tokio::time::timeout(Duration::from_secs(60), arrived).await?
}
