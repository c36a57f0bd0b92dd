//! What the command tells about the world it has started.

use std::fmt::Write as _;

use config_azure_emulator::Emulator;
use serde_json::{Value, json};

use super::{Names, Options};

/// Addresses and credentials, ready to print.
pub(super) struct Report {
    stores: Vec<Store>,
    vaults: Vec<Vault>,
    authority: String,
    tenant_id: String,
    client_id: String,
    client_secret: String,
    identity_header: String,
    ca_file: String,
}

struct Store {
    name: String,
    local_endpoint: String,
    connection_string: String,
    endpoint: String,
}

struct Vault {
    name: String,
    local_url: String,
    url: String,
}

impl Report {
    pub(super) fn of(emulator: &Emulator, names: &Names, options: &Options) -> Self {
        let stores = names.stores.iter().map(|name| {
            let store = emulator.store(name);
            Store {
                name: name.clone(),
                local_endpoint: store.local_endpoint(),
                connection_string: store.local_connection_string(),
                endpoint: store.endpoint(),
            }
        });
        let vaults = names.vaults.iter().map(|name| {
            let vault = emulator.vault(name);
            Vault {
                name: name.clone(),
                local_url: vault.local_url().unwrap_or_default(),
                url: vault.url(),
            }
        });
        let identity = emulator.identity();
        Self {
            stores: stores.collect(),
            vaults: vaults.collect(),
            authority: identity.local_url().unwrap_or_default(),
            tenant_id: identity.tenant_id().to_owned(),
            client_id: identity.client_id().to_owned(),
            client_secret: identity.client_secret().to_owned(),
            identity_header: identity.identity_header(),
            ca_file: options.ca_file.display().to_string(),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name:<20}{value}").expect("a string takes everything");
        };
        for store in &self.stores {
            line(&format!("store {}", store.name), &store.local_endpoint);
            line("", &store.connection_string);
        }
        for vault in &self.vaults {
            line(&format!("vault {}", vault.name), &vault.local_url);
        }
        line("authority", &self.authority);
        line("  tenant id", &self.tenant_id);
        line("  client id", &self.client_id);
        line("  client secret", &self.client_secret);
        line("managed identity", &self.identity_endpoint());
        line("  identity header", &self.identity_header);
        line("CA certificate", &self.ca_file);
        text.push_str("Ready. Ctrl-C ends it.\n");
        text
    }

    /// For scripts: one line.
    pub(super) fn json(&self) -> String {
        let stores = self.stores.iter().map(|store| {
            json!({
                "name": store.name,
                "endpoint": store.local_endpoint,
                "connection_string": store.connection_string,
                "azure_endpoint": store.endpoint,
            })
        });
        let vaults = self.vaults.iter().map(
            |vault| json!({"name": vault.name, "url": vault.local_url, "azure_url": vault.url}),
        );
        let report = json!({
            "stores": stores.collect::<Vec<Value>>(),
            "vaults": vaults.collect::<Vec<Value>>(),
            "authority": self.authority,
            "tenant_id": self.tenant_id,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "identity_endpoint": self.identity_endpoint(),
            "identity_header": self.identity_header,
            "ca_file": self.ca_file,
        });
        format!("{report}\n")
    }

    /// For shells and dotenv loaders: the variables that Azure SDKs and TLS libraries read.
    pub(super) fn environment(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name}=\"{value}\"").expect("a string takes everything");
        };
        if let Some(store) = self.stores.first() {
            line(
                "AZURE_APPCONFIG_CONNECTION_STRING",
                &store.connection_string,
            );
        }
        if let Some(vault) = self.vaults.first() {
            line("KEYVAULT_URI", &vault.local_url);
        }
        line("AZURE_AUTHORITY_HOST", &self.authority);
        line("AZURE_TENANT_ID", &self.tenant_id);
        line("AZURE_CLIENT_ID", &self.client_id);
        line("AZURE_CLIENT_SECRET", &self.client_secret);
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"] {
            line(name, &self.ca_file);
        }
        text
    }

    /// What App Service and its relatives call `IDENTITY_ENDPOINT`.
    fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.authority)
    }
}
