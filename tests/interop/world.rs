//! Where the emulator answers, as the step writes it down.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use serde::Deserialize;
use serde_json::{Map, Value};

pub struct World {
    said: Said,
    dataset: PathBuf,
    read: PathBuf,
}

/// What the emulator says of itself (`--json`).
#[derive(Deserialize)]
struct Said {
    authority: String,
    tenant_id: String,
    client_id: String,
    client_secret: String,
    ca_file: PathBuf,
    stores: Vec<StorePlace>,
    vaults: Vec<VaultPlace>,
}

#[derive(Deserialize)]
struct StorePlace {
    name: String,
    connection_string: String,
}

#[derive(Deserialize)]
struct VaultPlace {
    name: String,
    url: String,
}

#[derive(Deserialize)]
pub struct Dataset {
    pub prefix: String,
    pub labels: Vec<String>,
}

impl World {
    /// From `INTEROP_WORLD` (where the emulator is), `INTEROP_DATASET`, and `INTEROP_READ` (the folder with what the
    /// providers read); `None` if the first is not set.
    pub fn from_environment() -> Option<Self> {
        let said = text(&PathBuf::from(std::env::var_os("INTEROP_WORLD")?));
        Some(Self {
            said: serde_json::from_str(&said).expect("INTEROP_WORLD names what --json printed"),
            dataset: variable("INTEROP_DATASET"),
            read: variable("INTEROP_READ"),
        })
    }

    pub fn dataset(&self) -> Dataset {
        serde_json::from_str(&text(&self.dataset)).expect("the data set")
    }

    pub fn read_by(&self, provider: &str, store: &str) -> Map<String, Value> {
        let file = self.read.join(format!("{store}.by-{provider}.json"));
        serde_json::from_str(&text(&file)).expect("a provider's view is a JSON object")
    }

    pub fn connection_string(&self, store: &str) -> &str {
        let mut stores = self.said.stores.iter();
        let found = stores.find(|place| place.name == store);
        &found.expect("the store is emulated").connection_string
    }

    pub fn vault(&self, name: &str) -> &str {
        let mut vaults = self.said.vaults.iter();
        let found = vaults.find(|place| place.name == name);
        &found.expect("the vault is emulated").url
    }

    pub fn ca(&self) -> reqwest::Certificate {
        let pem = text(&self.said.ca_file);
        reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate")
    }

    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.said.authority.clone();
        let client = reqwest::Client::builder()
            .tls_certs_only([self.ca()])
            .build();
        let client_options = ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            transport: Some(Transport::new(Arc::new(client.expect("a client")))),
            ..ClientOptions::default()
        };
        ClientSecretCredential::new(
            &self.said.tenant_id,
            self.said.client_id.clone(),
            Secret::new(self.said.client_secret.clone()),
            Some(ClientSecretCredentialOptions { client_options }),
        )
        .expect("a credential")
    }
}

fn variable(name: &str) -> PathBuf {
    std::env::var_os(name)
        .unwrap_or_else(|| panic!("{name} is not set"))
        .into()
}

fn text(file: &PathBuf) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
