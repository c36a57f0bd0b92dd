//! The secrets of certificates: their text arrives whole, and their content type says how to read it.

use config::Config;
use config_azure::{AppConfiguration, KeyVaultOptions, Secret};
use config_azure_emulator::vault::NewSecret;

use crate::support;

#[derive(serde::Deserialize)]
struct Settings {
    tls: Tls,
}

#[derive(serde::Deserialize)]
struct Tls {
    pfx: Secret,
    pem: Secret,
}

const PKCS12: &str = "application/x-pkcs12";
const PEM: &str = "application/x-pem-file";

fn content_type(azure: &AppConfiguration, path: &str) -> Option<String> {
    let explanation = azure.explain(path).unwrap();
    explanation.secret_content_type().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn both_kinds_arrive_whole_and_say_what_they_are() {
    let emulator = support::world_in_memory();
    let pfx = "MIIKcAIBAzCC+/==".repeat(300);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n\
         -----BEGIN CERTIFICATE-----\r\n{key}-----END CERTIFICATE-----\n",
        key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC+/==\n".repeat(60)
    );
    let (vault, store) = (emulator.vault("kv-orders"), emulator.store("contoso"));
    for (name, value, kind) in [("pfx", &pfx, PKCS12), ("pem", &pem, PEM)] {
        vault.set_secret_with(name, NewSecret::certificate(value, kind));
        store.set_reference(&format!("tls:{name}"), None, &vault.secret_uri(name));
    }

    // Neither is JSON, whatever is asked for.
    let options = KeyVaultOptions::new().json_secrets(true);
    let builder = support::in_memory(&emulator).key_vault(options);
    let azure = builder.load().await.unwrap();
    let config = Config::builder().add_source(azure.clone()).build().unwrap();
    let settings: Settings = config_azure::from_config(&config).unwrap();
    assert_eq!(settings.tls.pfx.expose_secret(), pfx);
    assert_eq!(settings.tls.pem.expose_secret(), pem);

    assert_eq!(content_type(&azure, "tls.pfx").as_deref(), Some(PKCS12));
    assert_eq!(content_type(&azure, "tls.pem").as_deref(), Some(PEM));
    assert_eq!(content_type(&azure, "db.password"), None);
    let shown = azure.explain("tls.pem").unwrap().to_string();
    assert!(
        shown.ends_with(", content type application/x-pem-file"),
        "{shown}"
    );
}
