//! Every mood of a vault against the whole line: what was good stays, what is new arrives, and nothing is invented.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure::{
    AppConfiguration, KeyVaultOptions, Live, ResolvedSecret, Secret, SecretIdentifier,
    SecretPolicy, SecretResolver,
};
use config_azure_emulator::vault::NewSecret;
use config_azure_emulator::{Emulator, Fault, Route};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::support::{self, Database, Settings};

/// A change that can be applied is applied within this time, vault and store being well.
const SOON: Duration = Duration::from_secs(75);
/// And a rotated secret within the interval of secrets on top.
const ROTATED: Duration = Duration::from_secs(375);

/// A configuration that is followed, and every password that was ever published.
struct World {
    emulator: Emulator,
    azure: AppConfiguration,
    live: Live<Settings>,
    seen: Arc<Mutex<Vec<String>>>,
}

async fn world(options: KeyVaultOptions) -> World {
    let emulator = support::world_in_memory();
    let builder = support::in_memory(&emulator).key_vault(options);
    let (azure, live) = support::live::<Settings>(builder).await;
    let seen = Arc::new(Mutex::new(vec![password(&live)]));
    let (mut watched, list) = (live.clone(), Arc::clone(&seen));
    tokio::spawn(async move {
        while let Ok(now) = watched.changed().await {
            list.lock()
                .unwrap()
                .push(now.db.password.expose_secret().to_owned());
        }
    });
    World {
        emulator,
        azure,
        live,
        seen,
    }
}

fn password(live: &Live<Settings>) -> String {
    live.load().db.password.expose_secret().to_owned()
}

impl World {
    /// Writes a plain setting.
    fn host(&self, host: &str) {
        self.emulator.store("contoso").set("db:host", None, host);
    }

    fn rotate(&self, password: &str) {
        self.emulator
            .vault("kv-orders")
            .set_secret("db-password", password);
    }

    fn vault_down(&self) {
        self.emulator
            .faults()
            .script(Route::vault(), Fault::Refuse, None);
    }

    fn all_well(&self) {
        self.emulator.faults().clear();
    }

    /// Waits until the snapshot is as wished, at most so long.
    async fn until(&mut self, most: Duration, what: &str, wish: impl Fn(&Settings) -> bool) {
        let arrived = async {
            while !wish(&self.live.load()) {
                self.live.changed().await.expect("a live value");
            }
        };
        timeout(most, arrived)
            .await
            .unwrap_or_else(|_| panic!("not within {most:?}: {what}"));
    }

    async fn until_host(&mut self, most: Duration, host: &str) {
        self.until(most, host, |now| now.db.host == host).await;
    }

    async fn until_rotated(&mut self, password: &str) {
        self.until(ROTATED, "the rotation", |now| {
            now.db.password == Secret::from(password)
        })
        .await;
    }

    /// Lets time pass, with whatever the background does in it.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Every password that was published was once the vault's.
    fn only(&self, passwords: &[&str]) {
        let seen: BTreeSet<String> = self.seen.lock().unwrap().iter().cloned().collect();
        let known: BTreeSet<String> = passwords.iter().map(|&text| text.to_owned()).collect();
        assert!(
            seen.is_subset(&known),
            "published: {:?}",
            seen.difference(&known).count()
        );
    }
}

const FIRST: &str = "hunter2-of-the-database";

#[tokio::test(start_paused = true)]
async fn f25_f26_a_secret_that_was_read_blocks_nothing_when_it_goes() {
    let mut world = world(KeyVaultOptions::new()).await;
    world
        .emulator
        .vault("kv-orders")
        .delete_secret("db-password");
    world.pass(ROTATED).await;
    world.host("db2.contoso.example");
    world.until_host(SOON, "db2.contoso.example").await;
    assert_eq!(password(&world.live), FIRST);
    let status = world.azure.status();
    let stale: Vec<_> = status
        .secrets
        .iter()
        .filter(|secret| secret.failure.is_some())
        .collect();
    assert_eq!(stale.len(), 1, "{status:?}");
    world.only(&[FIRST]);
}

#[tokio::test(start_paused = true)]
async fn f29_a_change_that_meets_a_vault_that_is_down_is_applied_later() {
    let mut world = world(KeyVaultOptions::new()).await;
    let vault = world.emulator.vault("kv-orders");
    vault.set_secret("db-password-2", "hunter3");
    world.vault_down();
    let store = world.emulator.store("contoso");
    store.set("db:host", None, "db2.contoso.example");
    store.set_reference("db:password", None, &vault.secret_uri("db-password-2"));
    world.pass(Duration::from_secs(600)).await;
    let now = world.live.load();
    assert_eq!(
        (&*now.db.host, now.db.password.expose_secret()),
        ("db.contoso.example", FIRST),
        "all or nothing"
    );
    world.all_well();
    let healthy = Instant::now();
    world.until_host(SOON, "db2.contoso.example").await;
    assert!(healthy.elapsed() <= SOON);
    assert_eq!(password(&world.live), "hunter3", "both in one generation");
    world.only(&[FIRST, "hunter3"]);
}

#[tokio::test(start_paused = true)]
async fn f30_plain_keys_change_while_the_vault_is_down() {
    let mut world = world(KeyVaultOptions::new()).await;
    world.vault_down();
    world.host("db2.contoso.example");
    world.until_host(SOON, "db2.contoso.example").await;
    assert_eq!(password(&world.live), FIRST);
    // Long after the secret's own interval it is still there, and the rotation meanwhile arrives.
    world.pass(ROTATED * 2).await;
    world.host("db3.contoso.example");
    world.until_host(SOON, "db3.contoso.example").await;
    assert_eq!(password(&world.live), FIRST);
    world.rotate("hunter3");
    world.all_well();
    world.until_rotated("hunter3").await;
    world.only(&[FIRST, "hunter3"]);
}

#[tokio::test(start_paused = true)]
async fn f30_the_policy_fail_holds_everything_back() {
    let options = KeyVaultOptions::new().on_error(|_| SecretPolicy::Fail);
    let mut world = world(options).await;
    world.vault_down();
    world.pass(ROTATED).await;
    world.host("db2.contoso.example");
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.live.load().db.host, "db.contoso.example");
    world.all_well();
    world.until_host(ROTATED, "db2.contoso.example").await;
    world.only(&[FIRST]);
}

#[tokio::test(start_paused = true)]
async fn f31_a_rotation_arrives_while_the_store_is_down() {
    let mut world = world(KeyVaultOptions::new()).await;
    world
        .emulator
        .faults()
        .script(Route::store(), Fault::Refuse, None);
    world.pass(Duration::from_secs(600)).await;
    world.rotate("hunter3");
    world.until_rotated("hunter3").await;
    world.only(&[FIRST, "hunter3"]);
}

#[tokio::test(start_paused = true)]
async fn f32_a_rebuild_within_the_pause_after_a_failure_publishes_no_null() {
    let mut world = world(KeyVaultOptions::new()).await;
    let vault = world.emulator.vault("kv-orders");
    world.vault_down();
    for round in 0..40 {
        let host = format!("db{round}.contoso.example");
        world.host(&host);
        world.until_host(SOON, &host).await;
        assert_eq!(password(&world.live), FIRST);
        if round == 20 {
            world.all_well();
            vault.disable("db-password");
        }
    }
    world.only(&[FIRST]);
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_is_moved_to_a_bad_secret_does_not_keep_the_old_one() {
    let mut world = world(KeyVaultOptions::new().on_error(|_| SecretPolicy::KeepLast)).await;
    let vault = world.emulator.vault("kv-orders");
    let store = world.emulator.store("contoso");
    // What is kept is the secret's value, not the setting's: there is none of this one.
    store.set_reference("db:password", None, &vault.secret_uri("absent"));
    store.set("db:host", None, "db2.contoso.example");
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(
        world.live.load().db.host,
        "db.contoso.example",
        "the new settings wait"
    );
    vault.set_secret("absent", "hunter3");
    world.until_host(ROTATED, "db2.contoso.example").await;
    assert_eq!(password(&world.live), "hunter3");
    world.only(&[FIRST, "hunter3"]);
}

/// Two secrets that belong together can be read on either side of a rotation. One secret cannot: put what belongs
/// together into one JSON secret.
#[tokio::test(start_paused = true)]
async fn f39_what_belongs_together_stands_in_one_json_secret() {
    #[derive(Deserialize)]
    struct Both {
        login: Login,
    }
    #[derive(Deserialize)]
    struct Login {
        user: String,
        password: Secret,
    }
    let emulator = support::world_in_memory();
    let vault = emulator.vault("kv-orders");
    let rotate = |number: usize| {
        let value = format!(r#"{{"user":"user-{number}","password":"hunter-{number}"}}"#);
        vault.set_secret_with(
            "login",
            NewSecret::new(value).content_type("application/json"),
        );
    };
    rotate(0);
    emulator
        .store("contoso")
        .set_reference("login", None, &vault.secret_uri("login"));
    let options = KeyVaultOptions::new()
        .json_secrets(true)
        .refresh_interval(Duration::from_secs(1));
    let builder = support::in_memory(&emulator).key_vault(options);
    let (_azure, mut live) = support::live::<Both>(builder).await;
    for number in 1..20 {
        rotate(number);
        let now = timeout(SOON, live.changed())
            .await
            .expect("in time")
            .expect("a value");
        assert_eq!(now.login.user, format!("user-{number}"));
        assert_eq!(now.login.password, Secret::from(format!("hunter-{number}")));
    }
}

/// A login that changes with every look, of this content type.
#[derive(Debug)]
struct Logins(Option<&'static str>, AtomicUsize);

#[async_trait::async_trait]
impl SecretResolver for Logins {
    async fn resolve(
        &self,
        _: &SecretIdentifier,
    ) -> Result<Option<ResolvedSecret>, Box<dyn std::error::Error + Send + Sync>> {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let json = format!(r#"{{"user":"user-{number}","password":"hunter-{number}"}}"#);
        let secret = ResolvedSecret::new(json);
        Ok(Some(match self.0 {
            Some(content_type) => secret.with_content_type(content_type),
            None => secret,
        }))
    }
}

/// What a resolver finds is read as JSON under the same conditions as what a vault holds: its content type says so, and the
/// application wants it. Its leaves are secrets like any other.
#[tokio::test(start_paused = true)]
async fn a_resolver_may_answer_with_a_structure() {
    let (json, text) = (Some("application/json; charset=utf-8"), Some("text/plain"));
    for (wanted, content_type, structured) in [
        (true, json, true),
        (false, json, false),
        (true, text, false),
        (true, None, false),
    ] {
        let emulator = support::world_in_memory();
        let uri = emulator.vault("kv-orders").secret_uri("login");
        let store = emulator.store("contoso");
        store.clear();
        store.set_reference("login", None, &uri);
        let resolver = Arc::new(Logins(content_type, AtomicUsize::new(0)));
        let options = KeyVaultOptions::new()
            .json_secrets(wanted)
            .refresh_interval(Duration::from_secs(1))
            .resolver(resolver);
        let builder = support::in_memory(&emulator).key_vault(options);
        let azure = builder.load().await.expect("a load");
        let read = |path: &str| {
            let layers = config::Config::builder().add_source(azure.clone());
            layers.build().expect("a configuration").get_string(path)
        };
        let whole = || read("login").ok();
        let part = || read("login.user").ok().zip(read("login.password").ok());
        for number in 0..3 {
            let login = (format!("user-{number}"), format!("hunter-{number}"));
            let text = format!(r#"{{"user":"{}","password":"{}"}}"#, login.0, login.1);
            let expected = match structured {
                true => (None, Some(login)),
                false => (Some(text), None),
            };
            assert_eq!((whole(), part()), expected, "{wanted} {content_type:?}");
            let changed = support::next(&azure, SOON).await.expect("a new login");
            assert!(!format!("{changed:?}").contains("hunter"));
        }
        assert_eq!(emulator.log().count(Route::vault()), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f36_two_settings_on_one_secret_are_one_read_and_change_together() {
    #[derive(Deserialize)]
    struct Both {
        db: Database,
        replica: Database,
    }
    let emulator = support::world_in_memory();
    let uri = emulator.vault("kv-orders").secret_uri("db-password");
    emulator
        .store("contoso")
        .set("replica:host", None, "replica.contoso.example");
    emulator.store("contoso").set_reference(
        "replica:password",
        None,
        &uri.to_uppercase().replace("HTTPS", "https"),
    );
    let (_azure, mut live) = support::live::<Both>(support::in_memory(&emulator)).await;
    assert_eq!(
        emulator
            .log()
            .count(Route::secret().host("kv-orders.vault.azure.net")),
        1
    );
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter3");
    let now = timeout(ROTATED, live.changed())
        .await
        .expect("in time")
        .expect("a value");
    assert_eq!(now.db.password, Secret::from("hunter3"));
    assert_eq!(now.replica.password, now.db.password);
    assert_eq!(
        emulator
            .log()
            .count(Route::secret().host("kv-orders.vault.azure.net")),
        2
    );
    assert_eq!(now.replica.host, "replica.contoso.example");
}
