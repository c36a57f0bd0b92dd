//! Tests of references against the emulator, in memory, mostly on a paused clock.

mod canary;
#[cfg(feature = "keys")]
mod encrypted;
mod failures;
mod gate;
mod hostile;
mod hostile_texts;
mod identifiers;
mod limiter;
#[cfg(target_os = "linux")]
mod memory;
mod options;
mod parsing;
mod reading;
mod recordings;
mod resolvers;
mod vaults;

use std::sync::Arc;
use std::time::SystemTime;

use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;
use config_azure_emulator::{ClockHandle, Emulator};

use crate::setting::ConfigurationSetting;
use crate::time::WallClock;
use crate::transport::{Guard, HostKind, HostPolicy, HttpHook, Limits, reqwest_transport};

use super::{KeyVaultOptions, ReferenceId, References, SecretIdentifier};

const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

/// The emulator's wall clock as the library's.
#[derive(Debug)]
struct EmulatorClock(ClockHandle);

impl WallClock for EmulatorClock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// References to an emulated world, through the guarded transport, with the emulator's credential.
fn references(emulator: &Emulator, options: KeyVaultOptions) -> References {
    references_with(emulator, options, emulator.credential())
}

fn references_with(
    emulator: &Emulator,
    options: KeyVaultOptions,
    credential: Arc<dyn TokenCredential>,
) -> References {
    over(emulator, emulator.transport(), options, credential)
}

/// The same over real sockets.
fn references_over_tls(emulator: &Emulator, options: KeyVaultOptions) -> References {
    let hook: HttpHook = Arc::new(emulator.client_hook());
    let transport = reqwest_transport(Some(&hook)).unwrap();
    over(emulator, transport, options, emulator.credential())
}

fn over(
    emulator: &Emulator,
    transport: Arc<dyn HttpClient>,
    options: KeyVaultOptions,
    credential: Arc<dyn TokenCredential>,
) -> References {
    let hosts = HostPolicy::new();
    among(&hosts, emulator, transport, options, credential)
}

/// The same, with the hosts that may be asked at hand.
fn among(
    hosts: &HostPolicy,
    emulator: &Emulator,
    transport: Arc<dyn HttpClient>,
    options: KeyVaultOptions,
    credential: Arc<dyn TokenCredential>,
) -> References {
    let hosts = hosts.clone();
    let transport = Guard::new(transport, hosts.clone(), Limits::default());
    let permit = move |origin| hosts.permit(origin, HostKind::Vault);
    let clock = Arc::new(EmulatorClock(emulator.clock()));
    References::new(options, Some(credential), transport, permit, clock).unwrap()
}

fn setting(key: &str, uri: &str) -> ConfigurationSetting {
    let value = serde_json::json!({ "uri": uri }).to_string();
    ConfigurationSetting::new(key, value).with_content_type(REFERENCE)
}

fn secret_id(uri: &str) -> ReferenceId {
    ReferenceId::Secret(SecretIdentifier::parse(uri).unwrap())
}

fn text(resolved: &super::Resolved) -> &str {
    match resolved {
        super::Resolved::Secret(secret) => secret.value().expose_secret(),
        other => panic!("not a secret: {other:?}"),
    }
}
