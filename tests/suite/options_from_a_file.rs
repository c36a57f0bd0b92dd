//! `AppConfigurationOptions`: what a file says is what the handle made of it does, field by field.

use std::time::Duration;

use config::{Config, File, FileFormat};
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, AppConfigurationOptions, Error, ErrorKind,
    SecretErrorKind, from_config,
};
use config_azure_emulator::{Emulator, Fault, NewSnapshot, Route, Setting, StoreHandle};

use crate::support::{self, secs};

const FLAG: &str = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";
const AUDIENCE: &str = "https://appconfig.contoso.example";
const MINUTE: Duration = Duration::from_secs(60);

/// Everything but a connection string, `anonymous` and what concerns a start that fails.
const FILE: &str = r#"
    endpoint = "https://contoso.azconfig.io"
    replicas = ["https://contoso-eu.azconfig.io"]
    audience = "https://appconfig.contoso.example"
    api_version = "2024-09-01"
    trim_key_prefixes = ["orders/", "shared/"]
    separators = ["/"]
    key_case = "preserve"
    on_conflict = "keep_leaf"
    refresh_interval = "10m"
    secret_interval = "40m"
    allow_vaults = ["kv-orders"]
    load_balancing = true

    [[select]]
    keys = "orders/*"
    labels = ["", "prod"]
    tags = { team = "a" }

    [[select]]
    snapshot = "frozen"

    [[feature_flags]]
    keys = "Be*"
    labels = ["prod"]
"#;

/// What a service reads from its file, on an emulator whose service principal is set up on this machine.
fn builder(emulator: &Emulator, file: &str) -> AppConfigurationBuilder {
    let source = File::from_str(file, FileFormat::Toml);
    let config = Config::builder().add_source(source).build();
    let options: AppConfigurationOptions =
        from_config(&config.expect("a file")).expect("options of the builder");
    let identity = emulator.identity();
    AppConfigurationBuilder::from(options)
        .environment(move |name| match name {
            "AZURE_TENANT_ID" => Some(identity.tenant_id().to_owned()),
            "AZURE_CLIENT_ID" => Some(identity.client_id().to_owned()),
            "AZURE_CLIENT_SECRET" => Some(identity.client_secret().to_owned()),
            _ => None,
        })
        .wall_clock(support::clock(emulator))
        .transport(emulator.transport())
}

/// A store with a replica, which takes tokens for its own audience alone, and two vaults.
fn world() -> Emulator {
    support::pin_draws();
    let emulator = Emulator::builder()
        .store("contoso")
        .replica("contoso", "contoso-eu")
        .vault("kv-orders")
        .vault("kv-shared")
        .in_memory();
    emulator.identity().add_resource(AUDIENCE);
    for store in ["contoso", "contoso-eu"] {
        emulator.store(store).audiences(&[AUDIENCE]);
    }
    fill(&emulator);
    emulator
}

fn fill(emulator: &Emulator) {
    let store = emulator.store("contoso");
    let own = |key: &str, value: &str| Setting::new(key, value).tag("team", "a");
    store.put(own("orders/Http/RequestTimeout", "30"));
    store.put(own("orders/greeting", "hello"));
    store.put(own("orders/greeting", "hello, prod").label("prod"));
    store.put(own("orders/db", "leaf"));
    store.put(own("orders/db/host", "branch"));
    store.put(own("orders/a:b", "no separator"));
    store.put(own("other/title", "not selected"));
    store.put(Setting::new("orders/untagged", "not selected"));
    store.set("shared/colour", None, "blue");
    let frozen = NewSnapshot::new("frozen").filter("shared/*", None);
    store.create_snapshot(frozen).expect("a snapshot");
    store.set("shared/colour", None, "red");
    for (name, label) in [("Beta", "prod"), ("Best", ""), ("Alpha", "prod")] {
        let json = format!(r#"{{"id":"{name}","enabled":true}}"#);
        let flag = Setting::new(format!(".appconfig.featureflag/{name}"), json);
        store.put(flag.content_type(FLAG).label(label));
    }
    emulator
        .vault("kv-orders")
        .set_secret("password", "hunter2");
    refer(&store, "orders/password", emulator, "kv-orders");
}

/// A reference that the file's first selector selects.
fn refer(store: &StoreHandle, key: &str, emulator: &Emulator, vault: &str) {
    store.set_reference(key, None, &emulator.vault(vault).secret_uri("password"));
    let setting = store.get(key, None).expect("it was written");
    store.put(setting.tag("team", "a"));
}

fn built(azure: &AppConfiguration) -> Config {
    let config = Config::builder().add_source(azure.clone());
    config.build().expect("a configuration")
}

#[tokio::test(start_paused = true)]
async fn a_file_says_what_is_loaded_and_under_which_names() {
    let emulator = world();
    let azure = builder(&emulator, FILE).load().await.expect("a load");
    let config = built(&azure);
    let text = |path: &str| config.get_string(path).ok();
    let tree = config.cache.clone().into_table().expect("a table");
    let names: std::collections::BTreeSet<&str> = tree.keys().map(String::as_str).collect();
    let expected = [
        "Http",
        "a:b",
        "colour",
        "db",
        "feature_management",
        "greeting",
        "password",
    ];
    assert_eq!(names, expected.into());
    assert_eq!(text("Http.RequestTimeout").as_deref(), Some("30"));
    assert_eq!(text("greeting").as_deref(), Some("hello, prod"));
    assert_eq!(text("db").as_deref(), Some("leaf"), "the leaf is kept");
    assert_eq!(text("colour").as_deref(), Some("blue"), "as it was frozen");
    assert_eq!(text("password").as_deref(), Some("hunter2"));
    let flags = config.get_array("feature_management.feature_flags");
    let ids: Vec<_> = flags
        .expect("the flags")
        .into_iter()
        .map(|flag| flag.into_table().expect("a flag")["id"].to_string())
        .collect();
    assert_eq!(ids, ["Beta"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_says_how_the_store_is_asked() {
    let emulator = world();
    let azure = builder(&emulator, FILE).load().await.expect("a load");
    let entries = emulator.log().matching(Route::store());
    assert!(entries.len() >= 4, "two labels, a snapshot, the flags");
    for entry in &entries {
        assert!(entry.query.contains("api-version=2024-09-01"));
        let told = entry.header("correlation-context").expect("a header");
        assert!(told.contains("ReplicaCount=1"), "{told}");
        assert!(told.contains("Features=LB"), "{told}");
    }
    // The emulator has refused every token that is not for this audience; and it came from the default chain.
    assert!(emulator.log().count(Route::token()) >= 2);
    assert_eq!(emulator.credential().calls(), 0);
    let known = azure.status().endpoints;
    let known: Vec<&str> = known.iter().map(|one| one.endpoint.as_str()).collect();
    assert_eq!(
        known,
        [
            "https://contoso.azconfig.io",
            "https://contoso-eu.azconfig.io"
        ]
    );
    // The next operation is the other endpoint's.
    emulator.log().clear();
    azure.refresh().await.expect("a check");
    let entries = emulator.log().matching(Route::store());
    assert!(!entries.is_empty());
    let other = |host: &str| host == "contoso-eu.azconfig.io";
    assert!(entries.iter().all(|entry| other(&entry.host)));
}

/// Several requests are one check; none comes between.
#[tokio::test(start_paused = true)]
async fn a_file_says_how_often_is_asked() {
    let emulator = world();
    let azure = builder(&emulator, FILE).load().await.expect("a load");
    let began = tokio::time::Instant::now();
    emulator.log().clear();
    tokio::time::sleep(121 * MINUTE).await;
    let mut moments: Vec<Duration> = Vec::new();
    for entry in emulator.log().matching(Route::store()) {
        let at = entry.instant - began;
        if moments.last() != Some(&at) {
            moments.push(at);
        }
    }
    // The first at a random moment of the interval, and each within its jitter.
    assert!(moments[0] <= 12 * MINUTE, "{moments:?}");
    for pair in moments.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= 8 * MINUTE && apart <= 12 * MINUTE, "{moments:?}");
    }
    let reads = emulator.log().matching(Route::secret());
    let reads: Vec<Duration> = reads.iter().map(|entry| entry.instant - began).collect();
    assert!((2..=4).contains(&reads.len()), "{reads:?}");
    for pair in reads.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= 30 * MINUTE && apart <= 50 * MINUTE, "{reads:?}");
    }
    azure.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_says_which_vaults_may_be_asked() {
    let emulator = world();
    emulator
        .vault("kv-shared")
        .set_secret("password", "hunter3");
    let azure = builder(&emulator, FILE).load().await.expect("a load");
    // What an endpoint shows that is no newer than what another one did may be its lag.
    tokio::time::sleep(secs(4)).await;
    refer(
        &emulator.store("contoso"),
        "orders/token",
        &emulator,
        "kv-shared",
    );
    let later = azure.refresh().await.expect_err("a vault outside the list");
    let patient = format!("startup_deadline = \"2s\"\n{FILE}");
    let start = builder(&emulator, &patient).load().await;
    for error in [later, start.expect_err("a vault outside the list")] {
        let kinds: Vec<_> = error.failures().iter().map(|one| one.kind()).collect();
        assert_eq!(kinds, [SecretErrorKind::ForeignVault], "{error}");
    }
    let outside = Route::any().host("kv-shared.vault.azure.net");
    assert_eq!(emulator.log().count(outside), 0);

    // Without a list it is one of the public cloud.
    let open = FILE.replace("allow_vaults = [\"kv-orders\"]", "");
    let azure = builder(&emulator, &open).load().await.expect("a load");
    let token = built(&azure).get_string("token").expect("a token");
    assert_eq!(token, "hunter3");
}

/// How long a start may take that does not succeed, and whether it is an error.
#[tokio::test(start_paused = true)]
async fn a_file_says_what_happens_without_a_store() {
    let emulator = world();
    let refuse = Fault::Refuse;
    emulator.faults().script(Route::store(), refuse, None);
    for (extra, least, most) in [
        ("startup_deadline = \"7s\"", 3, 8),
        ("startup_deadline = \"7s\"\noptional = true", 3, 8),
        ("", 60, 101),
    ] {
        let began = tokio::time::Instant::now();
        let loaded = builder(&emulator, &format!("{extra}\n{FILE}")).load().await;
        let took = began.elapsed();
        assert!(took >= secs(least) && took <= secs(most), "{took:?}");
        match extra.contains("optional") {
            true => {
                let azure = loaded.expect("an empty layer");
                assert!(azure.loaded().is_none_or(|loaded| loaded.is_empty()));
                assert!(!azure.status().is_ready());
            }
            false => drop(loaded.expect_err("no store")),
        }
    }
}

/// What is not said is as the builder has it.
#[tokio::test(start_paused = true)]
async fn a_file_with_the_store_alone_leaves_the_defaults() {
    let emulator = world();
    let store = emulator.store("contoso");
    store.audiences(&["https://azconfig.io"]);
    let file = r#"endpoint = "https://contoso.azconfig.io""#;
    let azure = builder(&emulator, file).load().await.expect("a load");
    let config = built(&azure);
    let tree = config.cache.clone().into_table().expect("a table");
    assert_eq!(tree["orders_greeting"].to_string(), "hello");
    assert!(tree.contains_key("other_title") && !tree.contains_key("feature_management"));
    let inner = tree["orders_a"].clone().into_table().expect("a table");
    assert_eq!(inner["b"].to_string(), "no separator");
    emulator.log().clear();
    tokio::time::sleep(10 * MINUTE).await;
    let checks = emulator.log().count(Route::store());
    assert!((15..=26).contains(&checks), "{checks} in 10 minutes");
}

/// The store by its key; the default chain is for the vaults alone.
#[tokio::test(start_paused = true)]
async fn a_file_with_a_connection_string() {
    let emulator = world();
    let text = emulator.store("contoso").connection_string();
    let file = format!("connection_string = \"{text}\"\ntrim_key_prefixes = [\"orders/\"]");
    let azure = builder(&emulator, &file).load().await.expect("a load");
    let password = built(&azure).get_string("password");
    assert_eq!(password.expect("a password"), "hunter2");
    let stores = emulator.log().matching(Route::store());
    let schemes = stores.iter().map(|one| one.authorization_scheme.as_deref());
    assert!(schemes.into_iter().all(|one| one == Some("HMAC-SHA256")));
}

/// Nobody to sign in as is for an emulator on this machine.
#[test]
fn a_file_may_ask_for_no_credential_on_loopback_alone() {
    let emulator = world();
    let refused = |file: &str| -> Error {
        let built = builder(&emulator, file).build();
        built.expect_err("a credential is missing")
    };
    let error = refused("anonymous = true\nendpoint = \"https://contoso.azconfig.io\"");
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("anonymous"), "{error}");
    let local = "anonymous = true\nendpoint = \"http://localhost:8483\"";
    assert!(builder(&emulator, local).build().is_ok());
    let error = refused("endpoint = \"http://localhost:8483\"");
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}
