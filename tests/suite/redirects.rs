//! A redirect is never followed and never asked for twice: neither at the start nor later.

use config_azure::{ErrorKind, RefreshOptions, StartupOptions};
use config_azure_emulator::{Fault, Route};
use tokio::time::Instant;

use crate::support;

const ELSEWHERE: &str = "https://kv-orders.vault.azure.net/kv";

#[tokio::test(start_paused = true)]
async fn t05_a_redirect_at_the_start_fails_at_once() {
    let emulator = support::world_in_memory();
    for status in [301, 302, 303, 307, 308] {
        for startup in [
            StartupOptions::new(),
            StartupOptions::new().fail_fast(),
            StartupOptions::new().optional(),
        ] {
            let redirect = Fault::status(status).header("location", ELSEWHERE);
            let script = emulator.faults().script(Route::store(), redirect, None);
            emulator.log().clear();
            let began = Instant::now();
            let load = support::in_memory(&emulator).startup(startup).load();
            let error = load.await.expect_err("no store redirects");
            assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
            assert_eq!(error.status(), Some(status));
            assert!(!error.is_transient(), "{error}");
            assert_eq!(emulator.log().count(Route::any()), 1, "asked once");
            assert!(began.elapsed() < support::secs(1), "at once");
            script.remove();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t05_a_redirect_of_a_vault_at_the_start_fails_at_once() {
    let emulator = support::world_in_memory();
    let redirect = Fault::redirect("https://kv-shared.vault.azure.net/secrets/db-password");
    let orders = Route::secret().host("kv-orders.vault.azure.net");
    emulator.faults().script(orders.clone(), redirect, None);
    let began = Instant::now();
    let error = support::in_memory(&emulator).load().await;
    let error = error.expect_err("no vault redirects");
    assert_eq!(error.kind(), ErrorKind::Reference, "{error}");
    assert_eq!(emulator.log().count(orders), 1, "asked once");
    assert!(began.elapsed() < support::secs(1), "at once");
}

#[tokio::test(start_paused = true)]
async fn t05_a_redirect_later_keeps_what_there_is() {
    let emulator = support::world_in_memory();
    let azure = support::loaded(&emulator, RefreshOptions::new().disabled()).await;
    let redirect = Fault::redirect(ELSEWHERE);
    let script = emulator.faults().script(Route::store(), redirect, None);
    emulator.log().clear();
    let error = azure.refresh().await.expect_err("no store redirects");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert_eq!(emulator.log().count(Route::store()), 1, "asked once");
    let layers = config::Config::builder().add_source(azure.clone());
    let kept = layers.build().expect("what was loaded");
    assert_eq!(
        kept.get_string("db.host").expect("it"),
        "db.contoso.example"
    );
    script.remove();
    azure.refresh().await.expect("a check");
}
