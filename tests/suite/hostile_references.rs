//! T1, the whole line: settings whose references lead elsewhere, in a store that a handle loads and refreshes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use config_azure::{KeyVaultOptions, SecretPolicy};
use config_azure_emulator::{Emulator, Setting};
use serde_json::json;

use crate::support;

const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

/// Vaults that exist, one that does not, and the store's own name.
const VAULTS: [&str; 4] = ["kv-orders", "kv-shared", "kv-evil", "contoso"];

/// `NAME` is the vault's name.
const IDENTIFIERS: [&str; 44] = [
    "http://NAME.vault.azure.net/secrets/db-password",
    "ftp://NAME.vault.azure.net/secrets/db-password",
    "//NAME.vault.azure.net/secrets/db-password",
    "NAME.vault.azure.net/secrets/db-password",
    " https://NAME.vault.azure.net/secrets/db-password",
    "\u{feff}https://NAME.vault.azure.net/secrets/db-password",
    "https:\\\\NAME.vault.azure.net\\secrets\\db-password",
    "https://NAME.vault.azure.net.evil.example/secrets/db-password",
    "https://NAME.vault.azure.net./secrets/db-password",
    "https://NAME.vault.azure.net:8443/secrets/db-password",
    "https://NAME.vault.azure.net:0/secrets/db-password",
    "https://NAME.vault.azure.net:443:443/secrets/db-password",
    "https://NAME.vault.azure.net@evil.example/secrets/db-password",
    "https://user:pw@NAME.vault.azure.net/secrets/db-password",
    "https://evil.example/@NAME.vault.azure.net/secrets/db-password",
    "https://evil.example#NAME.vault.azure.net/secrets/db-password",
    "https://evil.example?NAME.vault.azure.net/secrets/db-password",
    "https://evil.example\\NAME.vault.azure.net/secrets/db-password",
    "https://evil.example%2fNAME.vault.azure.net/secrets/db-password",
    "https://NAMEvault.azure.net/secrets/db-password",
    "https://NAME.vault-azure.net/secrets/db-password",
    "https://NAME.x.vault.azure.net/secrets/db-password",
    "https://x.NAME.vault.azure.net/secrets/db-password",
    "https://NAME--x.vault.azure.net/secrets/db-password",
    "https://NAME.vault.azure.com/secrets/db-password",
    "https://NAME.vault.azure.net.cn/secrets/db-password",
    "https://NAME.privatelink.vaultcore.azure.net/secrets/db-password",
    "https://NAME.managedhsm.azure.net/secrets/db-password",
    "https://NAME.azconfig.io/secrets/db-password",
    "https://NAME.azconfig.io/kv/db:host",
    "https://NAME.blob.core.windows.net/secrets/db-password",
    "https://NAME%2evault.azure.net/secrets/db-password",
    "https://NAME.vault.azure.net%00/secrets/db-password",
    "https://NAME.vault.azure.net\u{3002}evil.example/secrets/db-password",
    "https://NAME.v\u{430}ult.azure.net/secrets/db-password",
    "https://NAME.vault.azure.net\u{200b}/secrets/db-password",
    "https://NAME.vault.azure.net/secrets/../keys/db-password",
    "https://NAME.vault.azure.net/secrets/db-password/../../keys/k",
    "https://NAME.vault.azure.net/secrets/%2e%2e/keys/k",
    "https://NAME.vault.azure.net/secrets/db-password?api-version=7.4",
    "https://NAME.vault.azure.net/secrets/db-password#x",
    "https://NAME.vault.azure.net/secrets/db-password\r\nHost: evil.example",
    "https://NAME.vault.azure.net/certificates/db-password",
    "https://NAME.vault.azure.net/deletedsecrets/db-password",
];

/// Addresses that are nobody's vault.
const ADDRESSES: [&str; 8] = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "169.254.169.254",
    "[::1]",
    "localhost:8443",
    "login.microsoftonline.com",
];

fn hostile() -> Vec<String> {
    let named = VAULTS
        .iter()
        .flat_map(|vault| IDENTIFIERS.map(|text| text.replace("NAME", vault)));
    let addresses = ADDRESSES.map(|host| format!("https://{host}/secrets/db-password"));
    named.chain(addresses).collect()
}

/// The hosts of all requests, those that reach nobody included.
#[derive(Debug)]
struct Hosts(Arc<dyn HttpClient>, Mutex<Vec<String>>);

#[async_trait::async_trait]
impl HttpClient for Hosts {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.1.lock().unwrap().push(request.url().to_string());
        self.0.execute_request(request).await
    }
}

/// What tokens were asked for.
#[derive(Debug)]
struct Scopes(Arc<dyn TokenCredential>, Mutex<Vec<String>>);

#[async_trait::async_trait]
impl TokenCredential for Scopes {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.1.lock().unwrap().push(scopes.join(" "));
        self.0.get_token(scopes, options).await
    }
}

fn world() -> Emulator {
    support::pin_draws();
    let builder = Emulator::builder().store("contoso");
    let emulator = builder.vault("kv-orders").vault("kv-shared").in_memory();
    for vault in ["kv-orders", "kv-shared"] {
        emulator.vault(vault).set_secret("db-password", "hunter2");
    }
    let store = emulator.store("contoso");
    store.set("plain", None, "0");
    for (at, uri) in hostile().into_iter().enumerate() {
        let value = json!({ "uri": uri }).to_string();
        let setting = Setting::new(format!("r{at}"), value).content_type(REFERENCE);
        store.put(setting.tag(SecretPolicy::TAG, "omit"));
    }
    emulator
}

#[tokio::test(start_paused = true)]
async fn t01_settings_of_ill_will_reach_nothing_but_the_store() {
    let new = KeyVaultOptions::new;
    let mut worlds = vec![("open", new()), ("listed", new().allow_vault("kv-orders"))];
    if cfg!(feature = "keys") {
        worlds.push(("keys, too", new().resolve_keys(true)));
    }
    for (what, options) in worlds {
        let emulator = world();
        let hosts = Arc::new(Hosts(emulator.transport(), Mutex::default()));
        let scopes = Arc::new(Scopes(emulator.credential(), Mutex::default()));
        let builder = support::in_memory(&emulator).key_vault(options);
        let builder = builder
            .credential(scopes.clone())
            .transport(Arc::<Hosts>::clone(&hosts));
        let azure = builder.load().await.expect("all of them left out");
        for round in 1..=3 {
            tokio::time::sleep(Duration::from_secs(330)).await;
            let store = emulator.store("contoso");
            store.set("plain", None, round.to_string());
            azure.refresh().await.expect("all of them left out");
            let loaded = azure.loaded().expect("a generation");
            assert_eq!(loaded.generation(), round + 1);
            assert_eq!(loaded.len(), 1, "{what}: the plain setting alone");
        }
        let asked = hosts.1.lock().unwrap().clone();
        assert!(asked.len() > 3, "{what}");
        for url in asked {
            let list = url.starts_with("https://contoso.azconfig.io/kv?");
            assert!(list, "{what}: {url}");
        }
        let asked = scopes.1.lock().unwrap().clone();
        assert!(!asked.is_empty());
        for scope in asked {
            assert_eq!(scope, "https://azconfig.io/.default", "{what}");
        }
    }
}
