//! T7: no piece of a secret, a token or a client secret comes to light, on real sockets and with every crate's
//! events at TRACE.

use std::sync::Mutex;
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenRequestOptions};
use config_azure_emulator::{Emulator, Fault, Route};

use super::super::{MapResolver, ResolvedSecret};
use super::*;
use crate::credential::{CachedCredential, DefaultAzureCredential};
use crate::testing::canary::Canaries;
use crate::testing::events;
use crate::transport::{HttpHook, Origin, reqwest_transport};

const HOST: &str = "kv-orders.vault.azure.net";

/// Passes tokens on, and remembers them to look for them later.
struct Overheard(Arc<DefaultAzureCredential>, Mutex<Vec<String>>);

impl std::fmt::Debug for Overheard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Overheard")
    }
}

#[async_trait::async_trait]
impl TokenCredential for Overheard {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = self.0.get_token(scopes, options).await?;
        self.1.lock().unwrap().push(token.token.secret().to_owned());
        Ok(token)
    }
}

fn credential(emulator: &Emulator, hook: HttpHook, client_secret: &str) -> Arc<Overheard> {
    let client = "00000000-0000-0000-0000-0000000000c1";
    emulator.identity().add_application(client, client_secret);
    let (tenant, secret) = (
        emulator.identity().tenant_id().to_owned(),
        client_secret.to_owned(),
    );
    let hosts = HostPolicy::new();
    hosts.allow(
        Origin::https("login.microsoftonline.com"),
        HostKind::Identity,
    );
    let chain = DefaultAzureCredential::builder()
        .environment(move |name| match name {
            "AZURE_TENANT_ID" => Some(tenant.clone()),
            "AZURE_CLIENT_ID" => Some(client.to_owned()),
            "AZURE_CLIENT_SECRET" => Some(secret.clone()),
            _ => None,
        })
        .transport(Guard::new(
            reqwest_transport(Some(&hook)).unwrap(),
            hosts,
            Limits::default(),
        ))
        .build()
        .unwrap();
    Arc::new(Overheard(chain, Mutex::default()))
}

/// Answers that repeat what they should not, as a broken or hostile vault might.
fn indiscreet(secret: &str) -> Vec<Fault> {
    let quoted = serde_json::Value::from(secret).to_string();
    let body = |status: u16, body: String| {
        Fault::Answer(Fault::status(status).body("application/json", body))
    };
    let error = |code: &str| {
        format!(
            r#"{{"error":{{"code":{code},"message":{quoted},"innererror":{{"code":{code}}}}}}}"#
        )
    };
    vec![
        body(400, error("\"BadParameter\"")),
        body(403, error("\"Forbidden\"")),
        body(404, error("\"SecretNotFound\"")),
        body(409, secret.to_owned()),
        body(429, error("\"Throttled\"")),
        body(500, format!("<html>{secret}</html>")),
        body(200, format!(r#"{{"id":{quoted},"value":{quoted}}}"#)),
        body(
            200,
            format!(r#"{{"id":"https://{HOST}/secrets/db/1","value":[{quoted}]}}"#),
        ),
        body(
            200,
            format!(r#"{{"id":"https://{HOST}/secrets/other/1","value":{quoted}}}"#),
        ),
        body(
            200,
            format!(
                r#"{{"id":"https://{HOST}/secrets/db/1","value":{quoted},"attributes":{quoted}}}"#
            ),
        ),
        body(200, format!(r#"{{"value":{quoted}"#)),
        body(200, quoted.clone()),
        Fault::Cut(20),
        Fault::Drop,
    ]
}

#[test]
fn t07_nothing_secret_comes_to_light() {
    let secrets: Vec<String> = (1..=3).map(Canaries::text).collect();
    let [value, client_secret, local] = &secrets[..] else {
        unreachable!()
    };
    let mut canaries = Canaries::default();
    for (name, secret) in [
        ("the secret", value),
        ("the client secret", client_secret),
        ("the local secret", local),
    ] {
        canaries.plant(name, secret);
    }
    // The services run on a thread of their own, so that what they log about themselves is not ours.
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .start_blocking()
        .unwrap();
    emulator.vault("kv-orders").set_secret("db", value.clone());
    let (events, guard) = events::capture("trace");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let overheard = runtime.block_on(async {
        let hook: HttpHook = Arc::new(emulator.client_hook());
        let overheard = credential(&emulator, hook.clone(), client_secret);
        let cached = CachedCredential::new(overheard.clone());
        let hosts = HostPolicy::new();
        let transport = Guard::new(
            reqwest_transport(Some(&hook)).unwrap(),
            hosts.clone(),
            Limits::default(),
        );
        let permit = move |origin| hosts.permit(origin, HostKind::Vault);
        let options = KeyVaultOptions::new()
            .timeout(Duration::from_secs(5))
            .resolver(Arc::new(MapResolver::new().with("local", local.as_str())));
        let clock = Arc::new(EmulatorClock(emulator.clock()));
        let references =
            References::new(options, Some(cached.clone()), transport, permit, clock).unwrap();

        let id = secret_id(&format!("https://{HOST}/secrets/db"));
        let held = references.read(&id).await.unwrap();
        assert_eq!(text(&held), value);
        canaries.assert_hidden("a resolved secret", &*held);
        let own = references
            .read(&secret_id(&format!("https://{HOST}/secrets/local")))
            .await
            .unwrap();
        canaries.assert_hidden("a local secret", &*own);
        for fault in indiscreet(value) {
            // Every fault meets a vault that is in order, so that it is really asked.
            let calm = crate::time::Instant::now() + Duration::from_secs(30);
            while references.gate(HOST).is_some() {
                assert!(crate::time::Instant::now() < calm);
                tokio::time::sleep_until(references.gate(HOST).unwrap_or(calm)).await;
            }
            emulator.faults().clear();
            emulator
                .faults()
                .script(Route::secret(), fault.clone(), Some(2));
            let failure = references
                .read(&id)
                .await
                .expect_err("a fault is a failure");
            canaries.assert_hidden("a failure", &failure);
            let error = failure.to_error(&id, &setting("k", "x"), true);
            canaries.assert_silent("a secret error", &error);
            let whole = crate::Error::references(vec![error]);
            canaries.assert_silent("an error", &whole);
        }
        canaries.assert_hidden("the references", &references);
        canaries.assert_hidden("the cache", &cached);
        canaries.assert_hidden("the chain", &overheard.0);
        canaries.assert_hidden("a secret", &ResolvedSecret::new(value.as_str()));

        // A client secret that is refused.
        let other = credential(&emulator, hook.clone(), &Canaries::text(2));
        emulator
            .identity()
            .add_application("00000000-0000-0000-0000-0000000000c1", "another");
        let error = other
            .get_token(&["https://vault.azure.net/.default"], None)
            .await
            .unwrap_err();
        canaries.assert_silent("the chain's error", &error);
        let refused = CachedCredential::new(other);
        let error = refused
            .get_token(&["https://vault.azure.net/.default"], None)
            .await
            .unwrap_err();
        canaries.assert_silent("the cache's error", &error);
        let transport = reqwest_transport(Some(&hook)).unwrap();
        let references = over(&emulator, transport, KeyVaultOptions::new(), refused);
        let failure = references.read(&id).await.unwrap_err();
        let error = failure.to_error(&id, &setting("k", "x"), true);
        let whole = crate::Error::references(vec![error]);
        let cause = std::error::Error::source(&whole).unwrap().to_string();
        assert!(cause.contains("AADSTS"), "{cause}");
        canaries.assert_silent("an error for lack of a token", &whole);
        overheard
    });
    drop(guard);
    let tokens = overheard.1.lock().unwrap().clone();
    assert!(!tokens.is_empty());
    for token in &tokens {
        canaries.plant("a token's claims", token.split('.').nth(1).unwrap());
        canaries.plant("a token's signature", token.rsplit('.').next().unwrap());
    }
    let log = events.text();
    for crate_ in ["config_azure", "typespec_client_core", "hyper_util", "h2"] {
        assert!(log.contains(crate_), "no events of {crate_}");
    }
    for line in log.lines() {
        canaries.assert_not_in(line, line);
    }
}
