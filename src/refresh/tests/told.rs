//! What is told to `tracing`: each thing once, and never a value. The whole line, on the emulator.

use std::sync::Arc;
use std::time::Duration;

use config_azure_emulator::vault::NewSecret;
use config_azure_emulator::{Emulator, Fault, Route};

use crate::testing::events::{Collecting, Events, capture};
use crate::time::FollowingClock;
use crate::{AppConfiguration, KeyVaultOptions, RefreshOptions};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A store with a text and a reference, in front of an empty vault.
fn world() -> Emulator {
    let emulator = Emulator::builder()
        .store("contoso")
        .vault("kv-orders")
        .in_memory();
    let store = emulator.store("contoso");
    store.set("db:host", None, "host-of-the-database");
    let uri = emulator.vault("kv-orders").secret_uri("db-password");
    store.set_reference("db:password", None, &uri);
    emulator
}

/// Loaded, checked every hour, its secrets read every day, and what is told of it from now on.
async fn told(emulator: &Emulator) -> (AppConfiguration, Events, Collecting) {
    told_with(emulator, KeyVaultOptions::new()).await
}

async fn told_with(
    emulator: &Emulator,
    options: KeyVaultOptions,
) -> (AppConfiguration, Events, Collecting) {
    let (events, collecting) = capture("config_azure=info");
    let store = emulator.store("contoso");
    let azure = AppConfiguration::builder()
        .endpoint(store.endpoint())
        .credential(emulator.credential())
        .transport(emulator.transport())
        .wall_clock(Arc::new(FollowingClock::new()))
        .refresh(RefreshOptions::new().every(HOUR))
        .key_vault(options.refresh_interval(DAY))
        .load()
        .await
        .unwrap();
    (azure, events, collecting)
}

/// How often a line with this text was written.
fn count(events: &Events, text: &str) -> usize {
    let text_of_all = events.text();
    assert!(!text_of_all.contains("hunter"), "{text_of_all}");
    text_of_all
        .lines()
        .filter(|line| line.contains(text))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_swap_is_one_line_that_names_the_changed_paths() {
    let emulator = world();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2");
    let (azure, events, _collecting) = told(&emulator).await;
    assert_eq!(
        count(&events, "a new generation is current"),
        1,
        "the start"
    );
    emulator.store("contoso").set("db:host", None, "hunter3");
    azure.refresh().await.unwrap();
    assert_eq!(count(&events, "a new generation is current"), 2);
    let text = events.text();
    let line = text.lines().last().unwrap();
    assert!(
        line.contains("db.host") && line.contains("generation=2"),
        "{line}"
    );
    // Nothing new, nothing told.
    let before = events.count();
    tokio::time::sleep(3 * DAY).await;
    assert_eq!(events.count(), before, "{}", events.text());
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_at_every_failure_and_once_when_it_is_over() {
    let emulator = world();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2");
    let (azure, events, _collecting) = told(&emulator).await;
    let gone = emulator
        .faults()
        .script(Route::store(), Fault::Refuse, None);
    tokio::time::sleep(2 * HOUR).await;
    let failed = azure.status().counters.failed_checks;
    assert!(failed > 1);
    let told = u64::try_from(count(&events, "the store could not be checked"));
    assert_eq!(told, Ok(failed));
    gone.remove();
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(count(&events, "the store answers again"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_read_is_told_once_and_its_return_once() {
    let emulator = world();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2");
    let (_azure, events, _collecting) = told(&emulator).await;
    emulator.vault("kv-orders").disable("db-password");
    tokio::time::sleep(5 * DAY).await;
    assert_eq!(
        count(&events, "a secret cannot be read"),
        1,
        "{}",
        events.text()
    );
    emulator.vault("kv-orders").enable("db-password");
    tokio::time::sleep(2 * DAY).await;
    assert_eq!(count(&events, "a secret can be read again"), 1);
}

/// A role and a firewall are both a 403, and are mended by different people.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_its_code_and_what_to_do() {
    let emulator = world();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2");
    let (azure, events, _collecting) = told(&emulator).await;
    for (code, hint) in [
        ("ForbiddenByRbac", "Key Vault Secrets User"),
        ("ForbiddenByFirewall", "firewall"),
    ] {
        let body = format!(
            r#"{{"error":{{"code":"Forbidden","message":"no","innererror":{{"code":"{code}"}}}}}}"#
        );
        let answer = Fault::status(403)
            .header("x-ms-request-id", "7f3e-41")
            .body("application/json", body);
        emulator.faults().clear();
        emulator
            .faults()
            .script(Route::vault(), Fault::Answer(answer), None);
        tokio::time::sleep(3 * DAY).await;
        let text = events.text();
        let lines: Vec<_> = text.lines().filter(|line| line.contains(code)).collect();
        assert_eq!(lines.len(), 1, "once per reason: {text}");
        for part in ["a secret cannot be read", hint, "7f3e-41"] {
            assert!(lines[0].contains(part), "{text}");
        }
        let status = azure.status();
        let secret = &status.secrets[0];
        assert_eq!(secret.code.as_deref(), Some(code));
        assert_eq!(secret.request_id.as_deref(), Some("7f3e-41"));
        assert!(secret.hint.unwrap().contains(hint));
        assert_eq!(secret.cause, None);
        let status = status.to_string();
        assert!(
            status.contains(&format!("({code}, request id 7f3e-41); ")) && status.contains(hint),
            "{status}"
        );
    }
    emulator.faults().clear();
    tokio::time::sleep(2 * DAY).await;
    let secret = &azure.status().secrets[0];
    assert!(secret.failure.is_none() && secret.code.is_none() && secret.request_id.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_expires_within_the_window_is_warned_of_once() {
    let emulator = world();
    let secret = NewSecret::new("hunter2").expires(emulator.clock().now() + 10 * DAY);
    emulator
        .vault("kv-orders")
        .set_secret_with("db-password", secret);
    let (azure, events, _collecting) = told(&emulator).await;
    assert_eq!(
        count(&events, "a secret expires soon"),
        0,
        "ten days are enough"
    );
    tokio::time::sleep(6 * DAY).await;
    assert_eq!(count(&events, "a secret expires soon"), 1);
    // A version without an end is no reason for a warning.
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter3");
    tokio::time::sleep(6 * DAY).await;
    assert_eq!(azure.status().secrets[0].expires_in, None);
    assert_eq!(count(&events, "a secret expires soon"), 1);
}

/// The same secret, of which the application wants to hear later.
#[tokio::test(start_paused = true)]
async fn the_window_of_the_expiry_warning_is_that_of_the_option() {
    let emulator = world();
    let secret = NewSecret::new("hunter2").expires(emulator.clock().now() + 10 * DAY);
    emulator
        .vault("kv-orders")
        .set_secret_with("db-password", secret);
    let options = KeyVaultOptions::new().expiry_warning(2 * DAY);
    let (_azure, events, _collecting) = told_with(&emulator, options).await;
    tokio::time::sleep(6 * DAY).await;
    assert_eq!(count(&events, "a secret expires soon"), 0, "four days left");
    tokio::time::sleep(3 * DAY).await;
    assert_eq!(count(&events, "a secret expires soon"), 1, "one day left");
}

#[tokio::test(start_paused = true)]
async fn references_that_do_not_rotate_are_told_at_the_start() {
    let emulator = world();
    let vault = emulator.vault("kv-orders");
    let version = vault.set_secret("db-password", "hunter2").version;
    let uri = format!("{}/{version}", vault.secret_uri("db-password"));
    let store = emulator.store("contoso");
    store.set_reference("db:password", None, &uri);
    let (azure, events, _collecting) = told(&emulator).await;
    let pinned = "references that name a version do not rotate";
    assert_eq!(count(&events, pinned), 1);
    assert!(events.text().contains("db-password"));

    let version = vault.set_secret("late", "hunter2").version;
    let uri = format!("{}/{version}", vault.secret_uri("late"));
    store.set_reference("late", None, &uri);
    azure.refresh().await.unwrap();
    let text = events.text();
    let line = text.lines().rfind(|line| line.contains(pinned)).unwrap();
    assert!(
        line.contains("late") && !line.contains("db-password"),
        "{line}"
    );
    store.set("db:host", None, "another");
    azure.refresh().await.unwrap();
    assert_eq!(count(&events, pinned), 2, "each once");
}

/// A version is never read again, but its end comes nearer all the same.
#[tokio::test(start_paused = true)]
async fn a_pinned_secret_that_comes_to_its_end_is_warned_of_once() {
    let emulator = world();
    let vault = emulator.vault("kv-orders");
    let secret = NewSecret::new("hunter2").expires(emulator.clock().now() + 10 * DAY);
    let version = vault.set_secret_with("db-password", secret).version;
    let uri = format!("{}/{version}", vault.secret_uri("db-password"));
    emulator
        .store("contoso")
        .set_reference("db:password", None, &uri);
    let (azure, events, _collecting) = told(&emulator).await;
    let soon = "a secret expires soon";
    tokio::time::sleep(2 * DAY).await;
    assert_eq!(count(&events, soon), 0);
    tokio::time::sleep(2 * DAY).await;
    assert_eq!(count(&events, soon), 1);
    tokio::time::sleep(9 * DAY).await;
    assert_eq!(count(&events, soon), 1);
    let left = azure.status().secrets[0].expires_in;
    assert_eq!(left, Some(Duration::ZERO), "it has expired");
}
