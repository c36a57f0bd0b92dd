//! What a failure says: the vault's id of the request, and only of requests that were made.

use std::time::Duration;

use config_azure_emulator::{Answer, Emulator, Fault, HostKind, Route};
use futures::future::join_all;

use super::*;
use crate::error::SecretErrorKind;

fn world(answer: Answer) -> (Emulator, References) {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    emulator
        .faults()
        .script(Route::vault(), Fault::Answer(answer), None);
    let references = references(&emulator, KeyVaultOptions::new());
    (emulator, references)
}

fn id(name: &str) -> ReferenceId {
    secret_id(&format!("https://kv-orders.vault.azure.net/secrets/{name}"))
}

const FORBIDDEN: &str =
    r#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"ForbiddenByRbac"}}}"#;

/// What support asks for, as far as it is a plain word.
#[tokio::test(start_paused = true)]
async fn t07_a_secrets_error_has_the_vaults_id_of_the_request() {
    for (name, request, shown) in [
        ("x-ms-request-id", "7f3e-41", Some("7f3e-41")),
        ("x-ms-request-id", "a b<script>", Some("abscript")),
        ("x-ms-request-id", "", None),
        ("x-ms-client-request-id", "ours", None),
    ] {
        let answer = Fault::status(403)
            .header(name, request)
            .body("application/json", FORBIDDEN);
        let (_, references) = world(answer);
        let failure = references.read(&id("db")).await.unwrap_err();
        let error = failure.to_error(&id("db"), &setting("db:password", ""), false);
        assert_eq!(error.request_id(), shown, "{name}");
        let text = match shown {
            Some(shown) => format!("(403 ForbiddenByRbac, request id {shown})"),
            None => "(403 ForbiddenByRbac)".to_owned(),
        };
        assert!(error.to_string().contains(&text), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn t07_a_read_that_was_not_sent_has_no_id() {
    let answer = Fault::status(429)
        .header("x-ms-request-id", "7f3e-41")
        .retry_after(60);
    let (emulator, references) = world(answer);
    let said = async |name: &str| {
        let failure = references.read(&id(name)).await.unwrap_err();
        assert_eq!(failure.kind, SecretErrorKind::Throttled);
        assert_eq!(failure.status, Some(429));
        failure.of_object(&id(name)).request_id().map(str::to_owned)
    };
    assert_eq!(said("a").await.as_deref(), Some("7f3e-41"));
    for name in ["a", "b"] {
        assert_eq!(said(name).await, None, "{name}");
    }
    assert_eq!(emulator.log().count(Route::vault()), 1);
}

/// A probe speaks for all who wait for it, but the request was its own.
#[tokio::test(start_paused = true)]
async fn t07_one_failed_probe_is_one_id() {
    let answer = Fault::status(500).header("x-ms-request-id", "7f3e-41");
    let (emulator, references) = world(answer);
    emulator.latency(HostKind::Vault, Duration::from_millis(20));
    let ids: Vec<_> = (0..20).map(|number| id(&format!("s-{number}"))).collect();
    let read = join_all(ids.iter().map(|id| references.read(id))).await;
    let named = read.iter().zip(&ids).filter(|(failure, id)| {
        let failure = failure.as_ref().unwrap_err();
        failure.of_object(id).request_id().is_some()
    });
    let requests = emulator.log().count(Route::vault());
    assert_eq!(named.count(), requests);
    assert!(requests < ids.len(), "{requests}");
}
