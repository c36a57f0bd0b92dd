//! Events that come before the first load is through.

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
