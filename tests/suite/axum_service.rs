//! The example service over HTTP: rotations under load, a rotation that goes wrong, and what its routes show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use config_azure::{InMemoryStore, KeyVaultOptions, RefreshOptions};
use tokio::net::TcpListener;

#[path = "../../examples/axum_service.rs"]
#[expect(dead_code, reason = "the example has a main of its own")]
mod service;

use service::{App, Server};

/// A running service, and what it stands on.
struct Running {
    app: App,
    store: InMemoryStore,
    database: Server,
    base: String,
}

impl Running {
    async fn start() -> Self {
        let (builder, store) = config_azure::in_memory();
        store.set("greeting", "Hello");
        store.set("db:host", "db.contoso.example");
        store.set("db:user", "greeter");
        store.set_secret("db:password", "canary-0");
        let database = Server::default();
        database.admit("canary-0");
        let second = Duration::from_secs(1);
        let builder = builder
            .refresh(RefreshOptions::new().every(second))
            .key_vault(KeyVaultOptions::new().refresh_interval(second));
        let app = App::start(builder, database.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app.clone().router()).into_future());
        Self {
            app,
            store,
            database,
            base,
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.base)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// Asks without pause until told to stop. Says how often, and how often the answer was not 200.
async fn load(base: String, stop: Arc<AtomicBool>, asked: Arc<AtomicU64>, failed: Arc<AtomicU64>) {
    let client = reqwest::Client::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = client.get(format!("{base}/hello/Ada")).send().await;
        asked.fetch_add(1, Ordering::Relaxed);
        if !answer.is_ok_and(|answer| answer.status().is_success()) {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_under_load_fail_no_request() {
    let running = Running::start().await;
    let (stop, asked, failed) = <(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let base = running.base.clone();
            tokio::spawn(load(base, stop.clone(), asked.clone(), failed.clone()))
        })
        .collect();

    let mut pool = running.app.pool.clone();
    for rotation in 1..=3 {
        let before = asked.load(Ordering::Relaxed);
        let old = Arc::downgrade(&pool.load());
        let (dying, password) = (
            format!("canary-{}", rotation - 1),
            format!("canary-{rotation}"),
        );
        running.database.admit(&password);
        running.store.rotate("db:password", password);
        pool.changed().await.unwrap();
        // The old pool goes when its last request lets go of it, and only then its password.
        while old.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        running.database.dismiss(&dying);
        while asked.load(Ordering::Relaxed) < before + 16 {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    assert!(asked.load(Ordering::Relaxed) >= 48);
    assert_eq!(running.app.settings.load().generation(), 4);
    running.app.azure.shutdown().await;
}

#[tokio::test]
async fn a_rotation_to_a_wrong_password_keeps_the_old_pool_and_shows() {
    let running = Running::start().await;
    assert_eq!(running.get("/health").await.0, 200);
    let mut settings = running.app.settings.clone();
    running.store.rotate("db:password", "canary-wrong");
    settings.changed().await.unwrap();
    let mut health = running.get("/health").await;
    while health.0 == 200 {
        health = running.get("/health").await;
    }
    assert_eq!(health.0, 503);
    assert!(health.1.contains("could not be built"), "{}", health.1);
    assert_eq!(running.get("/hello/Ada").await.0, 200, "on the old pool");
    // The database learns of it late; the next attempt succeeds by itself.
    let mut pool = running.app.pool.clone();
    running.database.admit("canary-wrong");
    pool.changed().await.unwrap();
    assert_eq!(running.get("/health").await.0, 200);
    running.app.azure.shutdown().await;
}

#[tokio::test]
async fn no_route_shows_a_secret() {
    let running = Running::start().await;
    let (status, debug) = running.get("/debug/config").await;
    assert_eq!(status, 200);
    assert!(debug.contains("db.contoso.example"), "{debug}");
    for path in ["/debug/config", "/health", "/hello/Ada"] {
        let (_, text) = running.get(path).await;
        assert!(!text.contains("canary"), "{path}: {text}");
    }
    running.app.azure.shutdown().await;
}
