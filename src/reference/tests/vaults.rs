//! Vaults with options of their own, other clouds, exact origins, and the audit of new vaults.

use std::sync::atomic::{AtomicUsize, Ordering};

use config_azure_emulator::{Emulator, Fault, Route};

use super::super::VaultOptions;
use super::*;
use crate::error::SecretErrorKind;

#[tokio::test(start_paused = true)]
async fn api_version_and_credential_per_vault() {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .vault("kv-shared")
        .in_memory();
    for vault in ["kv-orders", "kv-shared"] {
        emulator.vault(vault).set_secret("db", vault);
    }
    let own = Arc::new(Counted {
        inner: emulator.credential(),
        calls: AtomicUsize::new(0),
    });
    let options = KeyVaultOptions::new().api_version("7.5").vault(
        VaultOptions::new("kv-shared")
            .credential(own.clone())
            .api_version("7.4"),
    );
    let references = references(&emulator, options);
    for vault in ["kv-orders", "kv-shared"] {
        let id = secret_id(&emulator.vault(vault).secret_uri("db"));
        assert_eq!(text(&references.read(&id).await.unwrap()), vault);
    }
    assert_eq!(own.calls.load(Ordering::Relaxed), 1);
    assert_eq!(emulator.credential().calls(), 2);
    let asked = |host: &str, version: &str| {
        let route = Route::secret().host(format!("{host}.vault.azure.net"));
        emulator
            .log()
            .count(route.query(format!("api-version={version}")))
    };
    assert_eq!(
        (asked("kv-orders", "7.5"), asked("kv-shared", "7.4")),
        (1, 1)
    );
}

#[derive(Debug)]
struct Counted {
    inner: Arc<dyn TokenCredential>,
    calls: AtomicUsize,
}

#[async_trait::async_trait]
impl TokenCredential for Counted {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.inner.get_token(scopes, options).await
    }
}

/// The guard behind it knows no host that the policy did not admit; a redirect or a flood is an error of the vault.
#[tokio::test(start_paused = true)]
async fn t05_t10_redirects_and_floods_are_refused() {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .vault("kv-evil0")
        .in_memory();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    let references = references(&emulator, KeyVaultOptions::new());
    let id = secret_id(&emulator.vault("kv-orders").secret_uri("db"));
    for status in [301, 302, 303, 307, 308] {
        let redirect =
            Fault::status(status).header("location", "https://kv-evil0.vault.azure.net/secrets/db");
        emulator
            .faults()
            .script(Route::secret(), Fault::Answer(redirect), Some(1));
        let failure = references.read(&id).await.unwrap_err();
        assert_eq!(failure.kind, SecretErrorKind::InvalidAnswer, "{failure:?}");
    }
    let flood = Fault::status(200).body("application/json", "x".repeat(300 << 10));
    emulator
        .faults()
        .script(Route::secret(), Fault::Answer(flood), Some(1));
    let failure = references.read(&id).await.unwrap_err();
    assert!(failure.hint.unwrap().contains("longer"), "{failure:?}");
    assert_eq!(
        emulator
            .log()
            .count(Route::any().host("kv-evil0.vault.azure.net")),
        0
    );
    assert_eq!(text(&references.read(&id).await.unwrap()), "hunter2");
}

#[test]
fn t02_a_new_vault_is_one_audit_event() {
    let (events, guard) = crate::testing::events::capture("config_azure::audit=trace");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let emulator = Emulator::builder()
            .vault("kv-orders")
            .vault("kv-shared")
            .vault("kv-moved")
            .in_memory();
        let references = references(&emulator, KeyVaultOptions::new());
        let id = |vault: &str| secret_id(&emulator.vault(vault).secret_uri("db"));
        let read = async |vault: &str| drop(references.read(&id(vault)).await);
        read("kv-orders").await;
        read("kv-shared").await;
        references.published([id("kv-orders"), id("kv-shared")].iter());
        assert_eq!(events.count(), 0, "the first generation is no news");
        // What is only kept for a candidate is not published.
        references.retain(&[id("kv-orders"), id("kv-shared"), id("kv-moved")].into());
        read("kv-moved").await;
        read("kv-moved").await;
        assert_eq!(events.count(), 1);
        let event = events.text();
        assert!(
            event.contains("kv-moved.vault.azure.net")
                && event.contains("kv-orders.vault.azure.net"),
            "{event}"
        );
        references.published([id("kv-orders"), id("kv-moved")].iter());
        read("kv-moved").await;
        read("kv-orders").await;
        assert_eq!(events.count(), 1);
        read("kv-shared").await;
        assert_eq!(events.count(), 2, "it was gone, so it is news again");
        // A candidate that was taken back leaves nothing behind.
        references.retain(&[id("kv-orders"), id("kv-moved")].into());
        read("kv-shared").await;
        assert_eq!(events.count(), 3, "told, taken back, used again");
    });
    drop(guard);
}

/// Whoever may write settings can name vaults for ever; only those in use are remembered.
#[tokio::test(start_paused = true)]
async fn vaults_that_nothing_refers_to_are_forgotten() {
    let names = ["kv-a00", "kv-b00", "kv-c00"];
    let builder = names
        .iter()
        .fold(Emulator::builder(), |builder, name| builder.vault(*name));
    let emulator = builder.in_memory();
    let ids = names.map(|name| secret_id(&emulator.vault(name).secret_uri("db")));
    let limiter = crate::ReadLimiter::new(4, 8);
    let options = KeyVaultOptions::new().read_limiter(limiter.clone());
    let hosts = HostPolicy::new();
    let (transport, credential) = (emulator.transport(), emulator.credential());
    let references = among(&hosts, &emulator, transport, options, credential);
    let may_be_asked = || names.map(|name| format!("{hosts:?}").contains(name));
    emulator
        .vault("kv-b00")
        .throttle(config_azure_emulator::vault::Throttle::closed().retry_after(30));
    for id in &ids {
        drop(references.read(id).await);
    }
    assert_eq!(references.vaults_at_hand(), names);
    assert_eq!(may_be_asked(), [true; 3]);
    references.retain(&[ids[0].clone()].into());
    assert_eq!(
        references.vaults_at_hand(),
        ["kv-a00", "kv-b00"],
        "a pause that was asked for is not forgotten"
    );
    tokio::time::sleep(std::time::Duration::from_secs(700)).await;
    references.retain(&[ids[0].clone()].into());
    assert_eq!(references.vaults_at_hand(), ["kv-a00"]);
    assert_eq!(may_be_asked(), [true, false, false]);
}

/// Two clouds at once: no vault ever sees a token for the other cloud's audience.
#[tokio::test(start_paused = true)]
async fn t18_each_cloud_sees_tokens_for_itself_alone() {
    let hosts = ["kv-orders.vault.azure.net", "kv-orders.vault.azure.cn"];
    let builder = hosts
        .iter()
        .fold(Emulator::builder(), |builder, host| builder.vault(*host));
    let emulator = builder.in_memory();
    for host in hosts {
        for task in 0..64 {
            emulator.vault(host).set_secret(&format!("s-{task}"), host);
        }
    }
    let references = references(&emulator, KeyVaultOptions::new());
    let reads = (0..64).map(|task| {
        let host = hosts[task % 2];
        let id = secret_id(&format!("https://{host}/secrets/s-{task}"));
        let references = references.clone();
        async move { (host, references.read(&id).await) }
    });
    for (host, read) in futures::future::join_all(reads).await {
        assert_eq!(text(&read.unwrap()), host);
    }
    assert_eq!(
        emulator.credential().calls(),
        2,
        "a token for each audience"
    );
    // The emulator's vaults refuse every other audience: not one request was.
    let refused = Route::secret().status(401);
    assert_eq!(emulator.log().count(refused), 0);
    assert_eq!(emulator.log().count(Route::challenge()), 2);
}

/// Secrets and keys of a vault share its limit, though not a client.
#[cfg(feature = "keys")]
#[tokio::test(start_paused = true)]
async fn f27_a_vault_that_throttles_secrets_is_not_asked_for_keys() {
    use config_azure_emulator::vault::NewKey;

    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let vault = emulator.vault("kv-orders");
    vault.set_secret("db", "hunter2");
    vault.create_key("signing", NewKey::rsa(2048));
    let references = references(&emulator, KeyVaultOptions::new().resolve_keys(true));
    let key = references.parse(&setting("k", &vault.key_uri("signing")));
    let key = key.unwrap().unwrap().id;
    let secret = secret_id(&vault.secret_uri("db"));
    let throttled = Fault::status(429).retry_after(20);
    emulator
        .faults()
        .script(Route::secret(), throttled, Some(1));
    assert_eq!(
        references.read(&secret).await.unwrap_err().kind,
        SecretErrorKind::Throttled
    );
    emulator.log().clear();
    let failure = references.read(&key).await.unwrap_err();
    assert_eq!(failure.kind, SecretErrorKind::Throttled);
    assert_eq!(emulator.log().count(Route::any()), 0);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    references.read(&key).await.unwrap();
    assert_eq!(text(&references.read(&secret).await.unwrap()), "hunter2");
}

/// One credential has one cache, however many vaults name it.
#[tokio::test(start_paused = true)]
async fn a_credential_of_several_vaults_is_asked_once() {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .vault("kv-shared")
        .in_memory();
    let own = Arc::new(Counted {
        inner: emulator.credential(),
        calls: AtomicUsize::new(0),
    });
    let mut options = KeyVaultOptions::new();
    let mut ids = Vec::new();
    for name in ["kv-orders", "kv-shared"] {
        emulator.vault(name).set_secret("db", name);
        ids.push(secret_id(&emulator.vault(name).secret_uri("db")));
        options = options.vault(VaultOptions::new(name).credential(own.clone()));
    }
    let references = references(&emulator, options);
    for read in futures::future::join_all(ids.iter().map(|id| references.read(id))).await {
        read.unwrap();
    }
    assert_eq!(own.calls.load(Ordering::Relaxed), 1);
}

/// A vault on a port of its own, as a local emulator has it: admitted by its origin, and its tokens pinned to the
/// audience that the application names.
#[tokio::test]
async fn an_exact_origin_is_asked_for_its_own_audience_alone() {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .start()
        .await
        .unwrap();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    let origin = emulator.vault("kv-orders").local_url().unwrap();
    let uri = format!("{origin}/secrets/db");
    let closed = references_over_tls(&emulator, KeyVaultOptions::new());
    let error = closed.parse(&setting("k", &uri)).unwrap().unwrap_err();
    assert_eq!(error.kind(), SecretErrorKind::ForeignVault);
    let options = KeyVaultOptions::new().allow_vault(&origin);
    let open = references_over_tls(&emulator, options.clone());
    let reference = open.parse(&setting("k", &uri)).unwrap().unwrap();
    assert_eq!(text(&open.read(&reference.id).await.unwrap()), "hunter2");
    // What the challenge asks for is not what the application named, so that no token is sent.
    let calls = emulator.credential().calls();
    let named = VaultOptions::new(&origin).audience("https://vault.contoso.example");
    let other = references_over_tls(&emulator, options.vault(named));
    emulator.log().clear();
    let failure = other.read(&reference.id).await.unwrap_err();
    assert_eq!(failure.kind, SecretErrorKind::InvalidAnswer);
    let with_token = emulator
        .log()
        .entries()
        .iter()
        .filter(|entry| entry.has_authorization)
        .count();
    assert_eq!(with_token, 0);
    assert_eq!(
        emulator.credential().calls(),
        calls + 1,
        "the token of the audience that was named"
    );
}
