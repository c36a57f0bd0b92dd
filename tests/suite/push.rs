//! What events cause, in memory and with a paused clock: how soon, how often, and what they cannot do.

use std::time::Duration;

use config::Config;
use config_azure::{
    AppConfiguration, ErrorKind, EventOutcome, IgnoreReason, KeyVaultOptions, Live, Notified,
    RefreshOptions,
};
use config_azure_emulator::events::{Event, EventSchema, ObjectEvent, SettingEvent};
use config_azure_emulator::{Emulator, HostKind, Route};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{self, Settings};

const HOUR: Duration = Duration::from_secs(3_600);
const TRIP: Duration = Duration::from_millis(80);
/// Timers of Tokio are this coarse.
const TICK: Duration = Duration::from_millis(2);
const DELAY: Duration = Duration::from_secs(30);

/// A handle that by itself checks the store so seldom, and reads no secret at all, that whatever happens within an hour happens
/// because of an event.
struct World {
    emulator: Emulator,
    azure: AppConfiguration,
    live: Live<Settings>,
}

async fn world(push_delay: Duration) -> World {
    let emulator = support::world_in_memory();
    let every = 1_000 * HOUR;
    let azure = support::in_memory(&emulator)
        .refresh(RefreshOptions::new().every(every).push_delay(push_delay))
        .key_vault(KeyVaultOptions::new().no_refresh())
        .load()
        .await
        .expect("a load");
    let live = azure
        .live(Config::builder().add_source(azure.clone()))
        .await
        .expect("a live value");
    for kind in [HostKind::Store, HostKind::Vault] {
        emulator.latency(kind, TRIP);
    }
    emulator.log().clear();
    World {
        emulator,
        azure,
        live,
    }
}

impl World {
    fn latest(&self, schema: EventSchema) -> String {
        let event = self.emulator.events().latest().expect("an event");
        event.body(schema)
    }

    fn notify(&self, body: &str) -> Notified {
        self.azure
            .notify(body.as_bytes())
            .expect("a body of events")
    }

    fn outcome(&self, event: &Event) -> EventOutcome {
        let notified = self.notify(&event.body(EventSchema::CloudEvents));
        assert_eq!(notified.events.len(), 1);
        assert_eq!(notified.events[0].id, event.id);
        assert_eq!(notified.events[0].kind, event.kind);
        notified.events[0].outcome.clone()
    }

    /// Waits for the next snapshot, and says how long that took.
    async fn arrival(&mut self) -> Duration {
        let start = Instant::now();
        let arrived = timeout(HOUR, self.live.changed()).await;
        arrived.expect("within an hour").expect("a live value");
        start.elapsed()
    }

    fn asked(&self, route: Route) -> usize {
        self.emulator.log().count(route)
    }
}

fn ignored(reason: IgnoreReason) -> EventOutcome {
    EventOutcome::Ignored(reason)
}

#[tokio::test(start_paused = true)]
async fn an_event_of_the_store_is_visible_after_one_round_trip_and_the_delay() {
    for (delay, schema) in [
        (Duration::ZERO, EventSchema::EventGrid),
        (DELAY, EventSchema::CloudEvents),
    ] {
        let mut world = world(delay).await;
        world.emulator.store("contoso").set("db:host", None, "new");
        let notified = world.notify(&world.latest(schema));
        assert_eq!(
            notified.events[0].outcome,
            EventOutcome::StoreCheck {
                endpoint: "https://contoso.azconfig.io".to_owned(),
                within: delay,
            }
        );
        let took = world.arrival().await;
        assert!(took <= delay + TRIP + TICK, "{took:?}");
        assert_eq!(world.live.load().db.host, "new");
        let asked = world.emulator.log().entries();
        assert_eq!(asked.len(), 1, "one request: {asked:?}");
        assert!(asked[0].conditional);
        let token = asked[0].header("sync-token").expect("the event's token");
        let known = world.emulator.store("contoso").sync_token();
        assert!(known.starts_with(token), "{token} of {known}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_vault_reads_that_secret_alone_and_at_once() {
    let mut world = world(DELAY).await;
    let vault = world.emulator.vault("kv-orders");
    vault.set_secret("db-password", "rotated");
    let notified = world.notify(&world.latest(EventSchema::EventGrid));
    assert_eq!(
        notified.events[0].outcome,
        EventOutcome::SecretRead {
            vault: "kv-orders.vault.azure.net".to_owned(),
            name: "db-password".to_owned(),
        }
    );
    let took = world.arrival().await;
    assert!(took <= TRIP + TICK, "{took:?}");
    assert_eq!(world.live.load().db.password.expose_secret(), "rotated");
    assert_eq!(world.emulator.log().entries().len(), 1, "one request");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_duplicates_cause_one_refresh() {
    for delay in [Duration::ZERO, DELAY] {
        let world = world(delay).await;
        world.emulator.store("contoso").set("db:host", None, "new");
        let of_store = world.emulator.events().latest().expect("an event");
        world
            .emulator
            .vault("kv-orders")
            .set_secret("db-password", "rotated");
        let of_vault = world.emulator.events().latest().expect("an event");
        for round in 0..1_000 {
            let schema = [EventSchema::EventGrid, EventSchema::CloudEvents][round % 2];
            for event in [&of_store, &of_vault] {
                let notified = world.notify(&event.body(schema));
                assert_eq!(notified.is_scheduled(), round == 0);
            }
            sleep(Duration::from_millis(100)).await;
        }
        sleep(DELAY + HOUR).await;
        assert_eq!(world.asked(Route::store()), 1);
        assert_eq!(world.asked(Route::vault()), 1);
        let now = world.live.load();
        assert_eq!(now.db.host, "new");
        assert_eq!(now.db.password.expose_secret(), "rotated");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bulk_import_is_one_check_at_one_random_moment() {
    let mut latest = Duration::ZERO;
    for _ in 0..5 {
        let world = world(DELAY).await;
        let store = world.emulator.store("contoso");
        let before = world.emulator.events().published().len();
        for number in 0..200 {
            store.set(&format!("bulk:{number}"), None, "x");
        }
        let events = world.emulator.events().published().split_off(before);
        let start = Instant::now();
        for event in &events {
            assert!(
                world
                    .notify(&event.body(EventSchema::CloudEvents))
                    .is_scheduled()
            );
        }
        sleep(DELAY + HOUR).await;
        let asked = world.emulator.log().matching(Route::store());
        let checks = asked.iter().filter(|entry| entry.conditional).count();
        assert_eq!(checks, 1);
        latest = latest.max(asked[0].instant - start);
    }
    // Were each event to draw a moment of its own, the earliest of 200 would always be among the first.
    assert!(latest > DELAY / 30, "{latest:?}");
}

#[tokio::test(start_paused = true)]
async fn t19_events_cannot_hammer_store_or_vault() {
    let world = world(Duration::ZERO).await;
    let start = Instant::now();
    for number in 0..200 {
        world.emulator.store("contoso").set("db:host", None, "x");
        assert!(
            world
                .notify(&world.latest(EventSchema::EventGrid))
                .is_scheduled(),
            "{number}"
        );
        world
            .emulator
            .vault("kv-orders")
            .set_secret("db-password", "y");
        assert!(
            world
                .notify(&world.latest(EventSchema::EventGrid))
                .is_scheduled(),
            "{number}"
        );
        sleep(Duration::from_millis(250)).await;
    }
    sleep(Duration::from_secs(10)).await;
    let floors = (start.elapsed().as_secs() / 3) as usize;
    for (what, asked) in [
        ("store", world.asked(Route::store())),
        ("vault", world.asked(Route::vault())),
    ] {
        assert!((2..=floors + 1).contains(&asked), "{what}: {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_are_reported_and_cause_nothing() {
    let world = world(Duration::ZERO).await;
    let now = world.emulator.events().latest().expect("an event").time;
    let of_store = |host: &str| {
        let event = SettingEvent {
            key: "db:host".to_owned(),
            label: None,
            etag: "e".to_owned(),
            deleted: false,
            sync_token: "a=b;sn=999".to_owned(),
        };
        event.of(host, now)
    };
    for host in [
        "other.azconfig.io",
        "contoso.azconfig.io:8443",
        "contoso.azconfig.io.example",
    ] {
        assert_eq!(
            world.outcome(&of_store(host)),
            ignored(IgnoreReason::UnknownStore),
            "{host}"
        );
    }
    let object = world
        .emulator
        .vault("kv-orders")
        .secret_object("db-password");
    let object = object.expect("the secret");
    for (id, reason) in [
        (
            "https://kv-orders.vault.azure.net/secrets/other/1",
            IgnoreReason::UnusedObject,
        ),
        (
            "https://kv-other.vault.azure.net/secrets/db-password/1",
            IgnoreReason::UnknownVault,
        ),
        (
            "https://kv-orders.vault.example.net/secrets/db-password/1",
            IgnoreReason::UnknownVault,
        ),
        (
            "https://localhost:8443/secrets/db-password/1",
            IgnoreReason::UnknownVault,
        ),
    ] {
        let mut event = ObjectEvent::NewVersionCreated.of("kv-orders", &object, now);
        event.data["Id"] = json!(id);
        assert_eq!(world.outcome(&event), ignored(reason), "{id}");
    }
    let mut event = of_store("contoso.azconfig.io");
    event.kind = "Microsoft.Storage.BlobCreated".to_owned();
    assert_eq!(world.outcome(&event), ignored(IgnoreReason::UnknownType));
    sleep(HOUR).await;
    assert_eq!(world.emulator.log().entries().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_read_as_the_secret_that_holds_it() {
    let world = world(DELAY).await;
    let now = world.emulator.events().latest().expect("an event").time;
    let object = world
        .emulator
        .vault("kv-orders")
        .secret_object("db-password");
    let mut event = ObjectEvent::NewVersionCreated.of("kv-orders", &object.expect("it"), now);
    event.kind = "Microsoft.KeyVault.CertificateNewVersionCreated".to_owned();
    event.data["Id"] = json!("https://kv-orders.vault.azure.net/certificates/DB-Password/1");
    assert!(matches!(
        world.outcome(&event),
        EventOutcome::SecretRead { .. }
    ));
    event.kind = "Microsoft.KeyVault.KeyNewVersionCreated".to_owned();
    event.data["Id"] = json!("https://kv-orders.vault.azure.net/keys/db-password/1");
    assert_eq!(world.outcome(&event), ignored(IgnoreReason::UnusedObject));
    sleep(HOUR).await;
    assert_eq!(world.asked(Route::secret()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_body_changes_nothing() {
    let world = world(Duration::ZERO).await;
    world.emulator.store("contoso").set("db:host", None, "new");
    let good = world.emulator.events().latest().expect("an event");
    let mut bad = good.clone();
    bad.data["syncToken"] = json!(7);
    let error = world
        .azure
        .notify(Event::batch(&[good.clone(), bad], EventSchema::EventGrid).as_bytes())
        .expect_err("the second event is malformed");
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert!(error.to_string().contains("event 2"), "{error}");
    sleep(HOUR).await;
    assert_eq!(world.emulator.log().entries().len(), 0);
    // Nor was the good one remembered.
    assert!(matches!(
        world.outcome(&good),
        EventOutcome::StoreCheck { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn t16_wild_dates_do_not_matter() {
    let mut world = world(Duration::ZERO).await;
    let vault = world.emulator.vault("kv-orders");
    vault.set_secret("db-password", "rotated");
    let event = world.emulator.events().latest().expect("an event");
    let mut event = event.to_json(EventSchema::EventGrid);
    event["eventTime"] = json!("0001-01-01T00:00:00Z");
    event["data"]["NBF"] = json!("99999999999");
    event["data"]["EXP"] = json!(-1);
    assert!(world.notify(&event.to_string()).is_scheduled());
    world.arrival().await;
    assert_eq!(world.live.load().db.password.expose_secret(), "rotated");
}

#[tokio::test(start_paused = true)]
async fn the_handshake_is_answered() {
    let world = world(DELAY).await;
    let now = world.emulator.events().latest().expect("an event").time;
    let notified = world.notify(&Event::validation("512d38b6-c7b8", "/subscriptions/x", now));
    assert_eq!(notified.validation_code(), Some("512d38b6-c7b8"));
    let answer = notified.validation_response().expect("an answer");
    assert_eq!(answer, r#"{"validationResponse":"512d38b6-c7b8"}"#);
    assert!(!notified.is_scheduled());
    let other = world.notify("[]");
    assert_eq!((other.events.len(), other.validation_response()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn without_a_running_refresh_events_say_so() {
    let emulator = support::world_in_memory();
    let azure = support::in_memory(&emulator)
        .refresh(RefreshOptions::new().disabled())
        .build()
        .expect("a handle");
    let outcomes = |azure: &AppConfiguration| {
        let events = emulator.events().published();
        let notified = azure.notify(Event::batch(&events, EventSchema::EventGrid).as_bytes());
        let events = notified.expect("a body of events").events;
        assert!(events.len() >= 4);
        events
            .into_iter()
            .map(|event| event.outcome)
            .collect::<Vec<_>>()
    };
    let all = |outcomes: Vec<_>, reason| assert!(outcomes.iter().all(|o| *o == ignored(reason)));
    all(outcomes(&azure), IgnoreReason::NotLoaded);
    azure.refresh().await.expect("the first load");
    all(outcomes(&azure), IgnoreReason::NotRunning);

    let azure = support::in_memory(&emulator).load().await.expect("a load");
    azure.shutdown().await;
    all(outcomes(&azure), IgnoreReason::NotRunning);
}
