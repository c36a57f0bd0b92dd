//! Events at a bad moment: before the first load is through, or while the store throttles.

use std::time::Duration;

use config::Config;
use config_azure::{KeyVaultOptions, RefreshOptions};
use config_azure_emulator::events::{Event, EventSchema};
use config_azure_emulator::{Fault, Route};

use crate::support::{self, Settings};

/// A rotation while the first load is under way, after the secret was read and before the load is through.
#[tokio::test(start_paused = true)]
async fn an_event_during_the_first_load_is_made_up_for() {
    let emulator = support::world_in_memory();
    let slow = Route::vault().host("kv-shared.vault.azure.net");
    let slow = emulator.faults().script(slow, Fault::Hang, None);
    let azure = support::in_memory(&emulator)
        .key_vault(KeyVaultOptions::new().no_refresh())
        .refresh(RefreshOptions::new().every(Duration::from_secs(3_600)))
        .build()
        .expect("a handle");
    let layers = Config::builder().add_source(azure.clone());
    let loading = azure.live::<Settings, _>(layers);
    let meanwhile = async {
        let read = Route::secret()
            .host("kv-orders.vault.azure.net")
            .status(200);
        while emulator.log().count(read.clone()) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let vault = emulator.vault("kv-orders");
        vault.set_secret("db-password", "rotated");
        emulator.store("contoso").set("db:host", None, "moved");
        let events = emulator.events().published();
        let body = Event::batch(&events, EventSchema::EventGrid);
        let notified = azure.notify(body.as_bytes()).expect("a body of events");
        assert!(!notified.is_scheduled());
        slow.remove();
    };
    let (live, ()) = tokio::join!(loading, meanwhile);
    let mut live = live.expect("a load");
    let arrived = async {
        loop {
            let now = live.load();
            if now.db.password.expose_secret() == "rotated" && now.db.host == "moved" {
                return;
            }
            live.changed().await.expect("a change");
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(60), arrived);
    within.await.expect("without waiting for an interval");
}

/// The store refuses the check that an event asked for. The change is known of, so it does not wait for the interval.
#[tokio::test(start_paused = true)]
async fn a_pushed_change_arrives_soon_after_a_refusal() {
    let hour = Duration::from_secs(3_600);
    let emulator = support::world_in_memory();
    let options = RefreshOptions::new().every(1_000 * hour);
    let azure = support::loaded(&emulator, options.push_delay(Duration::ZERO)).await;
    let busy = Fault::Answer(Fault::status(429).retry_after(10));
    emulator.faults().script(Route::store(), busy, Some(1));
    emulator.store("contoso").set("db:host", None, "moved");
    let event = emulator.events().latest().expect("an event");
    let body = event.body(EventSchema::EventGrid);
    assert!(
        azure
            .notify(body.as_bytes())
            .expect("an event")
            .is_scheduled()
    );
    emulator.log().clear();
    let arrived = support::next(&azure, 2 * hour).await;
    let (changes, took) = arrived.expect("without waiting for the interval");
    assert_eq!(support::paths(&changes), ["db.host"]);
    assert!(took <= Duration::from_secs(75), "{took:?}");
    let asked = emulator.log().matching(Route::store());
    assert_eq!(asked.len(), 2);
    assert!(asked[1].instant - asked[0].instant >= Duration::from_secs(10));
}
