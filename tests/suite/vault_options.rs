//! The options of vaults, each through a handle: who is asked, with whose token, in which version, and how many at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use config::Config;
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, ErrorKind, KeyVaultOptions, RefreshOptions,
    SecretErrorKind, StartupOptions, VaultOptions,
};
use config_azure_emulator::{Emulator, HostKind, Route};

use crate::support;

const PUBLIC: &str = "kv-orders";
const SHARED: &str = "kv-shared";
/// A vault of a cloud that the library does not know.
const PRIVATE: &str = "kv-private.vault.contoso.example";
/// A vault behind a host of its own, of which only the application knows whose tokens it takes.
const BEHIND: &str = "secrets.intern.example";

/// Gives the emulator's tokens, and remembers what for.
#[derive(Debug)]
struct Asked(Arc<dyn TokenCredential>, Mutex<Vec<String>>);

impl Asked {
    fn new(emulator: &Emulator) -> Arc<Self> {
        Arc::new(Self(emulator.credential(), Mutex::default()))
    }

    /// The scopes that tokens were asked for, each once, in order.
    fn scopes(&self) -> Vec<String> {
        let mut scopes = self.1.lock().unwrap().clone();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}

#[async_trait::async_trait]
impl TokenCredential for Asked {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let asked = scopes.iter().map(|&scope| scope.to_owned());
        self.1.lock().unwrap().extend(asked);
        self.0.get_token(scopes, options).await
    }
}

/// A store with a reference to each of these vaults, named `v0`, `v1` and so on.
fn world(vaults: &[&str]) -> Emulator {
    support::pin_draws();
    let builder = Emulator::builder().store("contoso");
    let vault = |builder: config_azure_emulator::EmulatorBuilder, name: &&str| builder.vault(*name);
    let emulator = vaults.iter().fold(builder, vault).in_memory();
    for (at, name) in vaults.iter().enumerate() {
        let vault = emulator.vault(name);
        vault.set_secret("password", format!("of {name}"));
        let store = emulator.store("contoso");
        store.set_reference(&format!("v{at}"), None, &vault.secret_uri("password"));
    }
    emulator
}

fn by_hand(emulator: &Emulator, options: KeyVaultOptions) -> AppConfigurationBuilder {
    support::in_memory(emulator)
        .key_vault(options)
        .startup(StartupOptions::new().fail_fast())
        .refresh(RefreshOptions::new().disabled())
}

fn text(azure: &AppConfiguration, path: &str) -> String {
    let config = Config::builder().add_source(azure.clone()).build();
    let config = config.expect("a configuration");
    config.get_string(path).expect("a text")
}

fn host(vault: &str) -> String {
    match vault.contains('.') {
        true => vault.to_owned(),
        false => format!("{vault}.vault.azure.net"),
    }
}

/// How many reads a vault got, and how many of them in this version.
fn reads(emulator: &Emulator, vault: &str, version: &str) -> (usize, usize) {
    let route = || Route::secret().host(host(vault)).status(200);
    let log = emulator.log();
    let versioned = route().query(format!("api-version={version}"));
    (log.count(route()), log.count(versioned))
}

#[tokio::test(start_paused = true)]
async fn each_vault_is_asked_with_the_credential_and_in_the_version_that_are_its_own() {
    let vaults = [PUBLIC, PRIVATE, BEHIND];
    let emulator = world(&vaults);
    let [of_store, of_vaults, of_private] = [(); 3].map(|()| Asked::new(&emulator));
    let options = KeyVaultOptions::new()
        .credential(of_vaults.clone())
        .api_version("7.5")
        .allow_vault(PUBLIC)
        .allow_suffix("vault.contoso.example")
        .vault(
            VaultOptions::new(PRIVATE)
                .credential(of_private.clone())
                .api_version("7.4"),
        )
        .vault(VaultOptions::new(BEHIND).audience("https://intern.example"));
    let builder = by_hand(&emulator, options).credential(of_store.clone());
    let azure = builder.load().await.expect("a load");
    for (at, vault) in vaults.iter().enumerate() {
        assert_eq!(text(&azure, &format!("v{at}")), format!("of {vault}"));
    }
    assert_eq!(of_store.scopes(), ["https://azconfig.io/.default"]);
    let scopes = [
        "https://intern.example/.default",
        "https://vault.azure.net/.default",
    ];
    assert_eq!(of_vaults.scopes(), scopes);
    let scopes = ["https://vault.contoso.example/.default"];
    assert_eq!(of_private.scopes(), scopes);
    for (vault, version) in [(PUBLIC, "7.5"), (PRIVATE, "7.4"), (BEHIND, "7.5")] {
        assert_eq!(reads(&emulator, vault, version), (1, 1), "{vault}");
    }
}

/// Which of the four are read under which options. All others are errors that name them, and nobody asks them anything.
#[tokio::test(start_paused = true)]
async fn a_vault_that_the_options_do_not_admit_is_not_asked() {
    let vaults = [PUBLIC, SHARED, PRIVATE, BEHIND];
    let new = KeyVaultOptions::new;
    let behind = || VaultOptions::new(BEHIND).audience("https://intern.example");
    let cases: [(&str, KeyVaultOptions, &[&str]); 8] = [
        ("nothing", new(), &[PUBLIC, SHARED]),
        ("a name", new().allow_vault(PUBLIC), &[PUBLIC]),
        (
            "a host",
            new().allow_vault("KV-Shared.vault.azure.net"),
            &[SHARED],
        ),
        (
            "two names",
            new().allow_vault(PUBLIC).allow_vault(SHARED),
            &[PUBLIC, SHARED],
        ),
        (
            "a suffix",
            new().allow_suffix("vault.contoso.example"),
            &[PUBLIC, SHARED, PRIVATE],
        ),
        (
            "a suffix and a host of it",
            new()
                .allow_suffix("vault.contoso.example")
                .allow_vault(PRIVATE),
            &[PRIVATE],
        ),
        (
            "one with options",
            new().vault(behind()),
            &[PUBLIC, SHARED, BEHIND],
        ),
        (
            "a name and one with options",
            new().allow_vault(PUBLIC).vault(behind()),
            &[PUBLIC, BEHIND],
        ),
    ];
    for (what, options, admitted) in cases {
        let emulator = world(&vaults);
        let error = by_hand(&emulator, options).load().await;
        let error = error.expect_err("never all of them");
        assert_eq!(error.kind(), ErrorKind::Reference, "{what}: {error}");
        let foreign: Vec<_> = error
            .failures()
            .iter()
            .map(|one| (one.key(), one.kind()))
            .collect();
        let mut expected = Vec::new();
        for (at, vault) in vaults.iter().enumerate() {
            let reached = emulator.log().count(Route::any().host(host(vault)));
            if admitted.contains(vault) {
                assert_eq!(reads(&emulator, vault, "").0, 1, "{what}: {vault}");
            } else {
                assert_eq!(reached, 0, "{what}: {vault}");
                expected.push((at, vault));
            }
        }
        assert_eq!(foreign.len(), expected.len(), "{what}: {error}");
        for ((key, kind), (at, vault)) in foreign.into_iter().zip(expected) {
            assert_eq!(key, format!("v{at}"), "{what}");
            assert_eq!(kind, SecretErrorKind::ForeignVault, "{what}");
            assert!(error.to_string().contains(&host(vault)), "{what}: {error}");
        }
    }
}

/// So many references to each vault.
const REFERENCES: usize = 25;

/// Bounds of one vault and of all, reached and not exceeded.
#[tokio::test(start_paused = true)]
async fn concurrency_bounds_the_reads_of_one_vault_and_of_all() {
    let new = KeyVaultOptions::new;
    let three = [PUBLIC, SHARED, "kv-third"];
    let cases: [(&[&str], KeyVaultOptions, usize, usize); 5] = [
        (&[PUBLIC], new(), 16, 16),
        (&three, new(), 16, 32),
        (&[PUBLIC], new().concurrency(5, 32), 5, 5),
        (&three, new().concurrency(5, 32), 5, 15),
        (&three, new().concurrency(16, 7), 7, 7),
    ];
    for (vaults, options, each, all) in cases {
        let emulator = world(vaults);
        for (at, name) in vaults.iter().enumerate() {
            let (store, vault) = (emulator.store("contoso"), emulator.vault(name));
            for number in 1..REFERENCES {
                let secret = format!("s{number}");
                vault.set_secret(&secret, "hunter2");
                let key = format!("w{at}:{secret}");
                store.set_reference(&key, None, &vault.secret_uri(&secret));
            }
        }
        emulator.latency(HostKind::Vault, Duration::from_millis(50));
        let azure = by_hand(&emulator, options).load().await.expect("a load");
        let loaded = azure.loaded().expect("a load");
        assert_eq!(loaded.len(), REFERENCES * vaults.len());
        let log = emulator.log();
        assert_eq!(log.high_water(None), all);
        for vault in vaults {
            let most = log.high_water(Some(&host(vault)));
            assert!(most <= each, "{vault}: {most} of {each}");
        }
    }
}
