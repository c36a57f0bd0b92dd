//! T1 and T3: no text in a setting leads a request or a token to a host that nobody allowed.

use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use config_azure_emulator::{Emulator, Fault, HostKind, Route};

use super::hostile_texts::hostile;
use super::*;
use crate::error::SecretErrorKind;

#[tokio::test(start_paused = true)]
async fn t01_hostile_references_reach_nothing() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2");
    // A list, as the most careful user would have it; the same without is the second world. There is no guard
    // behind: the policy alone must hold.
    let network = Arc::new(Counting::default());
    let world = |options| {
        let clock = Arc::new(EmulatorClock(emulator.clock()));
        let credential: Arc<dyn TokenCredential> = emulator.credential();
        References::new(
            options,
            Some(credential),
            network.clone(),
            |_| panic!("a vault was admitted"),
            clock,
        )
        .unwrap()
    };
    let listed = world(KeyVaultOptions::new().allow_vault("kv-orders"));
    let open = world(KeyVaultOptions::new());
    let hostile = hostile();
    assert!(hostile.len() >= 250, "only {}", hostile.len());
    let mut asked = Vec::new();
    for round in 1..=3 {
        for (number, uri) in hostile.iter().enumerate() {
            for (world, references) in [("listed", &listed), ("open", &open)] {
                let setting = setting(&format!("key-{number}"), uri);
                match references
                    .parse(&setting)
                    .expect("a reference by its content type")
                {
                    Err(error) => {
                        let kinds = [
                            SecretErrorKind::InvalidReference,
                            SecretErrorKind::ForeignVault,
                        ];
                        assert!(kinds.contains(&error.kind()), "{uri}: {error}");
                    }
                    Ok(reference) => {
                        // What parses is read too, as a load would; it must be a vault of a known cloud.
                        asked.push(format!("round {round}, {world}: {uri}"));
                        let _ = references.read(&reference.id).await;
                    }
                }
            }
        }
    }
    assert_eq!(asked, Vec::<String>::new(), "accepted");
    assert_eq!(network.0.load(Ordering::Relaxed), 0, "requests");
    assert_eq!(emulator.credential().calls(), 0, "tokens");
    assert_eq!(emulator.log().count(Route::any()), 0);
}

/// Counts requests, whatever their host, and answers none.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

#[async_trait::async_trait]
impl HttpClient for Counting {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(azure_core::error::ErrorKind::Connection.into_error())
    }
}

#[tokio::test(start_paused = true)]
async fn t03_what_reaches_the_transport_starts_with_secrets() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let references = references(&emulator, KeyVaultOptions::new());
    for uri in [
        "https://kv-orders.vault.azure.net/secrets/a",
        "https://KV-ORDERS.vault.azure.net/SECRETS/b/",
        "https://kv-orders.vault.azure.net/Secrets/keys/secrets",
    ] {
        let reference = references.parse(&setting("key", uri)).unwrap().unwrap();
        let _ = references.read(&reference.id).await;
    }
    let entries = emulator.log().entries();
    assert_eq!(entries.len(), 4, "three reads and one challenge");
    for entry in entries {
        assert_eq!(entry.kind, HostKind::Vault);
        assert!(entry.path.starts_with("/secrets/"), "{}", entry.path);
    }
}

/// A vault that asks for a token of another audience gets none, however often it is asked.
#[tokio::test(start_paused = true)]
async fn f40_a_challenge_for_another_audience_draws_no_token_for_it() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    let long = format!("Bearer resource=\"https://{}.net\"", "a".repeat(64 << 10));
    for challenge in [
        "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"https://management.azure.com\"",
        "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"https://azure.net\"",
        "Bearer authorization=\"https://login.microsoftonline.com/t\", scope=\"https://graph.microsoft.com/.default\"",
        "Bearer authorization=\"https://login.microsoftonline.com/t\"",
        "Bearer resource=\"\"",
        "Basic realm=\"x\"",
        "Bearer resource=\"https://management.azure.com\", Bearer resource=\"https://vault.azure.net\"",
        &long,
    ] {
        emulator.log().clear();
        emulator.faults().clear();
        emulator
            .faults()
            .script(Route::vault(), foreign_answer(challenge), None);
        let credential = Arc::new(Recording {
            inner: emulator.credential(),
            scopes: std::sync::Mutex::default(),
        });
        let references = references_with(&emulator, KeyVaultOptions::new(), credential.clone());
        let id = secret_id("https://kv-orders.vault.azure.net/secrets/db");
        for _ in 0..3 {
            let failure = references.read(&id).await.unwrap_err();
            assert!(
                matches!(
                    failure.kind,
                    SecretErrorKind::InvalidAnswer | SecretErrorKind::Credential
                ),
                "{challenge}: {failure:?}"
            );
        }
        assert_eq!(
            credential.foreign_scopes(),
            Vec::<String>::new(),
            "{challenge}"
        );
        let with_token = emulator
            .log()
            .entries()
            .iter()
            .filter(|entry| entry.has_authorization)
            .count();
        assert_eq!(with_token, 0, "{challenge}");
        // It is forgotten as soon as the vault has come to its senses: at the first read, and later.
        emulator.faults().clear();
        references.read(&id).await.expect(challenge);
        emulator
            .faults()
            .script(Route::vault(), foreign_answer(challenge), None);
        for _ in 0..2 {
            references.read(&id).await.expect_err(challenge);
        }
        emulator.faults().clear();
        references.read(&id).await.expect(challenge);
        assert_eq!(
            credential.foreign_scopes(),
            Vec::<String>::new(),
            "{challenge}"
        );
    }
}

fn foreign_answer(challenge: &str) -> Fault {
    Fault::Answer(Fault::status(401).header("www-authenticate", challenge))
}

/// Asks for tokens for anything, and remembers for what.
#[derive(Debug)]
struct Recording {
    inner: Arc<dyn TokenCredential>,
    scopes: std::sync::Mutex<Vec<String>>,
}

impl Recording {
    /// What was asked for beside the vault's own audience.
    fn foreign_scopes(&self) -> Vec<String> {
        let scopes = self.scopes.lock().unwrap();
        let foreign = scopes
            .iter()
            .filter(|scope| *scope != "https://vault.azure.net/.default");
        foreign.cloned().collect()
    }
}

#[async_trait::async_trait]
impl TokenCredential for Recording {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        self.scopes
            .lock()
            .unwrap()
            .extend(scopes.iter().map(|&scope| scope.to_owned()));
        self.inner.get_token(scopes, options).await
    }
}
