//! f87: two crypto providers of rustls in one graph, none of them installed. Whoever asks rustls for its default gets a
//! panic; this library has to work.

use std::panic::catch_unwind;

use config_azure::AppConfiguration;
use config_azure_emulator::Emulator;

#[tokio::main]
async fn main() {
    let asked = catch_unwind(rustls::ClientConfig::builder);
    assert!(asked.is_err(), "rustls has a default: there are not two");
    let emulator = Emulator::builder().store("contoso").start();
    let emulator = emulator.await.expect("an emulator on loopback");
    let store = emulator.store("contoso");
    store.set("title", None, "one");
    let azure = AppConfiguration::builder()
        .endpoint(store.endpoint())
        .credential(emulator.credential())
        .http_client(emulator.client_hook())
        .load()
        .await
        .expect("a load");
    store.set("title", None, "two");
    assert!(azure.refresh().await.expect("a check").is_updated());
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    println!("loaded and refreshed over TLS, with two providers and no default");
}
