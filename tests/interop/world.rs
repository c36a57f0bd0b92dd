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
    places: Value,
    dataset: PathBuf,
    read: PathBuf,
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
        let places = text(&PathBuf::from(std::env::var_os("INTEROP_WORLD")?));
        Some(Self {
            places: serde_json::from_str(&places).expect("INTEROP_WORLD names a JSON file"),
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
        self.place(&["stores", store, "connection_string"])
    }

    pub fn vault(&self, name: &str) -> &str {
        self.place(&["vaults", name])
    }

    pub fn ca(&self) -> reqwest::Certificate {
        let pem = text(&PathBuf::from(self.place(&["ca_file"])));
        reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate")
    }

    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.place(&["identity", "authority"]).to_owned();
        let client = reqwest::Client::builder()
            .tls_certs_only([self.ca()])
            .build()
            .expect("a client");
        let client_options = ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            transport: Some(Transport::new(Arc::new(client))),
            ..ClientOptions::default()
        };
        ClientSecretCredential::new(
            self.place(&["identity", "tenant_id"]),
            self.place(&["identity", "client_id"]).to_owned(),
            Secret::new(self.place(&["identity", "client_secret"]).to_owned()),
            Some(ClientSecretCredentialOptions { client_options }),
        )
        .expect("a credential")
    }

    fn place(&self, path: &[&str]) -> &str {
        let found = path
            .iter()
            .try_fold(&self.places, |value, name| value.get(name));
        found
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("INTEROP_WORLD lacks {path:?}"))
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
