//! Where an example runs: your own Azure if the environment names it, otherwise an emulator on loopback.

use std::error::Error;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, Transport};
use config_azure::credential::{CachedCredential, CredentialKind, DefaultAzureCredential};
use config_azure::{AppConfiguration, AppConfigurationBuilder};
use config_azure_emulator::Emulator;
use serde_json::json;

pub type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A vault, perhaps a store, one credential for both, and an HTTP client that reaches them.
pub struct World {
    /// `https://NAME.vault.azure.net`.
    pub vault_url: String,
    /// One cache of tokens, for the clients of the Azure SDK and for `config-azure` alike.
    pub credential: Arc<CachedCredential>,
    chain: Arc<DefaultAzureCredential>,
    store: Option<String>,
    http: reqwest::Client,
    /// When this began, in seconds.
    run: u64,
    /// If the world is not your own.
    pub emulator: Option<Emulator>,
}

/// What is done to the HTTP client of the library.
type Hook = Box<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

impl World {
    /// `KEYVAULT_URI`, `KEY_VAULT_NAME` or `AZURE_KEYVAULT_NAME` name a vault of your own, `AZURE_APPCONFIG_ENDPOINT`
    /// a store. Without a vault there is an emulator of both.
    pub async fn start() -> Result<Self> {
        if let Some(vault_url) = vault_of_environment() {
            return Self::azure(vault_url);
        }
        if variable("AZURE_APPCONFIG_ENDPOINT").is_some() {
            println!(
                "AZURE_APPCONFIG_ENDPOINT is set, but no vault is (KEYVAULT_URI or KEY_VAULT_NAME), so both are emulated"
            );
        }
        Self::emulated().await
    }

    fn azure(vault_url: String) -> Result<Self> {
        let chain = DefaultAzureCredential::new()?;
        Ok(Self {
            vault_url,
            credential: CachedCredential::new(chain.clone()),
            chain,
            store: variable("AZURE_APPCONFIG_ENDPOINT"),
            http: reqwest::Client::new(),
            run: seconds(),
            emulator: None,
        })
    }

    async fn emulated() -> Result<Self> {
        let emulator = Emulator::builder()
            .store("contoso")
            .vault("kv-orders")
            .start()
            .await?;
        let http = emulator.client(reqwest::Client::builder()).build()?;
        let identity = emulator.identity();
        // The same chain, in an environment in which the emulator's service principal is set up.
        let chain = DefaultAzureCredential::builder()
            .environment(move |name| match name {
                "AZURE_TENANT_ID" => Some(identity.tenant_id().to_owned()),
                "AZURE_CLIENT_ID" => Some(identity.client_id().to_owned()),
                "AZURE_CLIENT_SECRET" => Some(identity.client_secret().to_owned()),
                _ => None,
            })
            .transport(Arc::new(http.clone()))
            .build()?;
        Ok(Self {
            vault_url: emulator.vault("kv-orders").url(),
            credential: CachedCredential::new(chain.clone()),
            chain,
            store: Some(emulator.store("contoso").endpoint()),
            http,
            run: seconds(),
            emulator: Some(emulator),
        })
    }

    /// What every client of the Azure SDK takes: here, the HTTP client to use.
    pub fn client_options(&self) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(Arc::new(self.http.clone()))),
            ..ClientOptions::default()
        }
    }

    /// The store's endpoint; says what is missing if there is none.
    pub fn store(&self) -> Option<&str> {
        if self.store.is_none() {
            println!(
                "AZURE_APPCONFIG_ENDPOINT is not set, so the part with App Configuration is left out"
            );
        }
        self.store.as_deref()
    }

    /// The library, on the same credential and the same HTTP settings.
    pub fn app_configuration(&self, endpoint: &str) -> AppConfigurationBuilder {
        AppConfiguration::builder()
            .endpoint(endpoint)
            .credential(self.credential.clone())
            .http_client(self.http_hook())
    }

    /// Leads the library's HTTP clients to the emulator; in Azure there is nothing to do.
    pub fn http_hook(&self) -> Hook {
        match &self.emulator {
            Some(emulator) => Box::new(emulator.client_hook()),
            None => Box::new(|builder| builder),
        }
    }

    /// Writes a setting. The library only reads; this is the one request of the REST interface that a deployment
    /// script would send. Needs the role `App Configuration Data Owner`.
    pub async fn put(&self, key: &str, value: &str, content_type: Option<&str>) -> Result<()> {
        let body = json!({ "value": value, "content_type": content_type }).to_string();
        let request = self.setting(reqwest::Method::PUT, key).await?;
        let request = request.header(
            "content-type",
            "application/vnd.microsoft.appconfig.kv+json",
        );
        request.body(body).send().await?.error_for_status()?;
        Ok(())
    }

    /// Deletes a setting.
    pub async fn remove(&self, key: &str) -> Result<()> {
        let request = self.setting(reqwest::Method::DELETE, key).await?;
        request.send().await?.error_for_status()?;
        Ok(())
    }

    async fn setting(&self, method: reqwest::Method, key: &str) -> Result<reqwest::RequestBuilder> {
        let store = self.store.as_deref().ok_or("there is no store")?;
        let mut url = url::Url::parse(store)?;
        url.set_path(&format!("/kv/{key}"));
        url.set_query(Some("api-version=2023-11-01"));
        let (_, cloud) = store.split_once('.').ok_or("the store has no host name")?;
        let scope = format!("https://{}/.default", cloud.trim_end_matches('/'));
        let token = self.credential.get_token(&[&scope], None).await?;
        Ok(self
            .http
            .request(method, url)
            .bearer_auth(token.token.secret()))
    }

    /// A name for an object in the vault. In a vault of your own it gets a suffix, so that nothing of yours is
    /// touched and no deleted object of an earlier run is in the way.
    pub fn name(&self, name: &str) -> String {
        if self.emulator.is_some() {
            return name.to_owned();
        }
        format!("config-azure-{name}-{}", self.run)
    }

    /// What the keys of an example's settings begin with. In a store of your own it holds the time of the run, as
    /// [`name`](Self::name) does.
    pub fn prefix(&self, example: &str) -> String {
        if self.emulator.is_some() {
            return format!("config-azure-guide:{example}:");
        }
        format!("config-azure-guide:{example}-{}:", self.run)
    }

    /// Where this runs, and who it is signed in as, once a token was needed.
    pub fn describe(&self) {
        let whose = if self.emulator.is_some() {
            "emulated"
        } else {
            "your own"
        };
        let store = self.store.as_deref().unwrap_or("none");
        println!("vault: {} ({whose})\nstore: {store}", self.vault_url);
        let signed_in = self.chain.selected().map(CredentialKind::name);
        println!("signed in by {}", signed_in.unwrap_or("nobody yet"));
    }
}

fn seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map(|now| now.as_secs()).unwrap_or_default()
}

fn vault_of_environment() -> Option<String> {
    let name = || variable("KEY_VAULT_NAME").or_else(|| variable("AZURE_KEYVAULT_NAME"));
    variable("KEYVAULT_URI")
        .map(|uri| uri.trim_end_matches('/').to_owned())
        .or_else(|| name().map(|name| format!("https://{name}.vault.azure.net")))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Begins a part of the story.
pub fn step(title: &str) {
    let line = "─".repeat(76_usize.saturating_sub(title.chars().count()));
    println!("\n── {title} {line}");
}
