//! T1 and T3: no text in a setting leads a request or a token to a host that nobody allowed.

use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use config_azure_emulator::{Emulator, HostKind, Route};

use super::*;
use crate::error::SecretErrorKind;

const GOOD_PATH: &str = "/secrets/db-password";

/// Hosts and whole authorities that no reference may lead to.
fn authorities() -> Vec<String> {
    let mut all: Vec<String> = [
        "evil.example",
        "vault.azure.net",
        ".vault.azure.net",
        "..vault.azure.net",
        "-.vault.azure.net",
        "v.vault.azure.net",
        "kv.vault.azure.net",
        "a.b.vault.azure.net",
        "kv-orders.x.vault.azure.net",
        "kv-orders.vault.azure.net.evil.example",
        "kv-orders.vault.azure.net.",
        "kv-orders.vault.azure.net..",
        "kv-ordersvault.azure.net",
        "kv-orders.vault-azure.net",
        "kv-orders.vault.azure.net-evil.example",
        "kv-orders.vault.azure.com",
        "kv-orders.vault.azure.network",
        "kv-orders.vaultazure.net",
        "kv-orders.vault.azure",
        "kv-orders.azure.net",
        "kv-orders.vault.azure.org",
        "vault.azure.net.evil.example",
        "evil.example:443",
        "kv-orders.vault.azure.net:443",
        "kv-orders.vault.azure.net:8443",
        "kv-orders.vault.azure.net:0",
        "kv-orders.vault.azure.net:99999",
        "kv-orders.vault.azure.net:",
        "kv-orders.vault.azure.net:x",
        "kv-orders.vault.azure.net:+443",
        "kv-orders.vault.azure.net:443:443",
        "user@kv-orders.vault.azure.net",
        "user:pw@kv-orders.vault.azure.net",
        "kv-orders.vault.azure.net@evil.example",
        "kv-orders.vault.azure.net:pw@evil.example",
        "@evil.example",
        ":@evil.example",
        "@kv-orders.vault.azure.net",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0.0.0.0",
        "169.254.169.254",
        "169.254.169.254:80",
        "10.0.0.1",
        "[::1]",
        "[::1]:8443",
        "[::ffff:127.0.0.1]",
        "[fe80::1%25eth0]",
        "::1",
        "localhost",
        "localhost:8443",
        "localhost.localdomain",
        "foo.localhost",
        "metadata.azure.internal",
        "xn--kv-orders-.vault.azure.net",
        "xn--80ak6aa92e.vault.azure.net",
        "kv--orders.vault.azure.net",
        "ab.vault.azure.net",
        "abcdefghijklmnopqrstuvwxy.vault.azure.net",
        "-kv.vault.azure.net",
        "kv-.vault.azure.net",
        "kv_orders.vault.azure.net",
        "kv orders.vault.azure.net",
        "kv%2dorders.vault.azure.net",
        "%6bv.vault.azure.net",
        "kv-orders.vault.azure.net%2eevil.example",
        "kv-orders.vault.azure.net%00.evil.example",
        "kv-orders.vault.azure.net\\.evil.example",
        "kv-orders.vault.azure.net\u{0}",
        "kv-orders\u{0}.vault.azure.net",
        "kv-orders.vault.azure.net\t",
        "kv-orders.vault.azure.net\r\n",
        "\tkv-orders.vault.azure.net",
        "kv-orders.vault.azure.net\u{3002}evil.example",
        "kv-orders\u{ff0e}vault.azure.net",
        "kv-orders.vault.azure\u{3002}net",
        "kv-orders.v\u{0430}ult.azure.net",
        "kv-orders.vault.\u{212b}zure.net",
        "\u{ff4b}v-orders.vault.azure.net",
        "kv-orders.vault.azure.net\u{200b}",
        "kv-orders\u{ad}.vault.azure.net",
        "kv-orders.vault.azure.net\u{202e}",
        "kv-orders.vault.azure.n\u{1d5be}t",
        "\u{2460}kv.vault.azure.net",
        "kv-orders.vault.azure.net;evil.example",
        "kv-orders.vault.azure.net,evil.example",
        "evil.example;.vault.azure.net",
        "evil.example&.vault.azure.net",
        "evil.example=.vault.azure.net",
        "evil.example!.vault.azure.net",
        "evil.example*.vault.azure.net",
        "*.vault.azure.net",
        "evil.example'.vault.azure.net",
        "(kv).vault.azure.net",
        "evil.example\"vault.azure.net",
        "evil.example<.vault.azure.net",
        "{kv}.vault.azure.net",
        "kv|x.vault.azure.net",
        "kv^.vault.azure.net",
        "kv`.vault.azure.net",
        "kv~.vault.azure.net",
        "$kv.vault.azure.net",
        "kv+1.vault.azure.net",
        "contoso.azconfig.io",
        "login.microsoftonline.com",
        "contoso.blob.core.windows.net",
        "management.azure.com",
        "graph.microsoft.com",
        "kv-orders.managedhsm.azure.net",
        "kv-orders.managedhsm.azure.cn",
        "kv-orders.managedhsm.usgovcloudapi.net",
        "kv-orders.vault.microsoftazure.de",
        "kv-orders.privatelink.vaultcore.azure.net",
        "kv-orders.vaultcore.azure.net",
        "kv-orders.vault.azure.net.cn",
        "kv-orders.vault.azure.us",
        "kv-orders.vault.usgovcloudapi.com",
        "kv-orders.vault.azure.net#",
        "kv-orders.vault.azure.net?",
        "evil.example#.vault.azure.net",
        "evil.example?.vault.azure.net",
        "evil.example\\@kv-orders.vault.azure.net",
        "evil.example/.vault.azure.net",
        "evil.example%2f.vault.azure.net",
        "evil.example\\.vault.azure.net",
        "",
        " ",
        ".",
        "..",
        "-",
        "net",
        "azure.net",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(format!("{}.vault.azure.net", "a".repeat(64)));
    all.push(format!("{}vault.azure.net", "a.".repeat(200)));
    all.push("a".repeat(10_000));
    all
}

/// Whole identifiers that are refused for their scheme, their path or what comes behind it.
fn identifiers() -> Vec<String> {
    let host = "kv-orders.vault.azure.net";
    let schemes = [
        "http://",
        "https:",
        "https:/",
        "https:///",
        "https:\\\\",
        "ftp://",
        "file://",
        "javascript://",
        "data:",
        "//",
        "ws://",
        "wss://",
        "httpss://",
        "https//",
        "https;//",
        " https://",
        "\thttps://",
        "\u{feff}https://",
        "jar:https://",
        "view-source:https://",
    ];
    let paths = [
        "",
        "/",
        "//",
        "/secrets",
        "/secrets/",
        "/secrets//",
        "/secrets//n",
        "//secrets/n",
        "/secrets/n//",
        "/secrets/n/v/x",
        "/secrets/n/v//",
        "/secret/n",
        "/secretss/n",
        "/secrets%2fn",
        "/secrets/%6e",
        "/secrets/n%2f..%2fkeys",
        "/secrets/%2e%2e/keys/k",
        "/secrets/%252e%252e/keys/k",
        "/secrets/../keys/k",
        "/secrets/./n",
        "/secrets/..",
        "/secrets/.",
        "/secrets/n/..",
        "/secrets/n/../../keys/k",
        "/x/../secrets/n",
        "/./secrets/n",
        "/secrets/..;/keys/k",
        "/secrets/n;v=1",
        "/secrets/n;/v",
        "/secrets\\n",
        "/secrets/n\\v",
        "/secrets/..\\keys\\k",
        "\\secrets\\n",
        "/secrets/n\u{0}",
        "/secrets/n\u{0}/v",
        "/secrets/n%00",
        "/secrets/n v",
        "/secrets/n\t",
        "/secrets/n\r\nHost: evil.example",
        "/secrets/n%0d%0aHost:%20evil",
        "/secrets/n?api-version=7.4",
        "/secrets/n?",
        "/secrets/n#",
        "/secrets/n#x",
        "/secrets?n",
        "/secrets/?n",
        "/secrets/n/v?x=1",
        "/secrets/n/?x",
        "/secrets/n_v",
        "/secrets/n.v",
        "/secrets/n~v",
        "/secrets/n:v",
        "/secrets/n@v",
        "/secrets/n+v",
        "/secrets/n,v",
        "/secrets/n*",
        "/secrets/*",
        "/secrets/\u{fc}",
        "/secrets/n\u{200b}",
        "/secrets/\u{ff0e}\u{ff0e}/keys/k",
        "/secrets/n/\u{2025}",
        "/secrets/n/v\u{202e}",
        "/keys/k",
        "/keys/k/v",
        "/certificates/c",
        "/certificates/c/v",
        "/deletedsecrets/n",
        "/storage/s",
        "/secrets/n/versions/x",
        "/KEYS/k",
        "/secrets/{name}",
        "/secrets/$(id)",
        "/secrets/`id`",
        "/secrets/n'",
        "/secrets/n\"",
        "/secrets/<n>",
        "/secrets/n|v",
        "/secrets/n^v",
    ];
    let long = format!("https://{host}/secrets/{}", "n".repeat(128));
    let long_version = format!("https://{host}/secrets/n/{}", "1".repeat(128));
    let huge = format!("https://{host}/secrets/{}", "n".repeat(10_000));
    let whole = [
        "",
        " ",
        "n",
        "null",
        "hunter2",
        "secrets/n",
        host,
        "https://",
        "{}",
        "[]",
        "\u{0}",
    ]
    .map(str::to_owned);
    schemes
        .iter()
        .map(|scheme| format!("{scheme}{host}{GOOD_PATH}"))
        .chain(paths.iter().map(|path| format!("https://{host}{path}")))
        .chain(whole)
        .chain([long, long_version, huge])
        .chain([
            format!(" https://{host}{GOOD_PATH}"),
            format!("https://{host}{GOOD_PATH} "),
        ])
        .collect()
}

fn hostile() -> Vec<String> {
    let authorities = authorities()
        .into_iter()
        .map(|authority| format!("https://{authority}{GOOD_PATH}"));
    let mut all: Vec<String> = authorities.chain(identifiers()).collect();
    all.sort();
    all.dedup();
    all
}

#[tokio::test(start_paused = true)]
async fn t01_hostile_references_reach_nothing() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    emulator
        .vault("kv-orders")
        .set_secret("db-password", "hunter2");
    // A list, as the most careful user would have it; the same without is the second world. There is no guard
    // behind: the policy alone must hold.
    let network = Arc::new(Counting::default());
    let world = |options| {
        let clock = Arc::new(EmulatorClock(emulator.clock()));
        let credential: Arc<dyn TokenCredential> = emulator.credential();
        References::new(
            options,
            Some(credential),
            network.clone(),
            |_| panic!("a vault was admitted"),
            clock,
        )
        .unwrap()
    };
    let listed = world(KeyVaultOptions::new().allow_vault("kv-orders"));
    let open = world(KeyVaultOptions::new());
    let hostile = hostile();
    assert!(hostile.len() >= 250, "only {}", hostile.len());
    let mut asked = Vec::new();
    for round in 1..=3 {
        for (number, uri) in hostile.iter().enumerate() {
            for (world, references) in [("listed", &listed), ("open", &open)] {
                let setting = setting(&format!("key-{number}"), uri);
                match references
                    .parse(&setting)
                    .expect("a reference by its content type")
                {
                    Err(error) => {
                        let kinds = [
                            SecretErrorKind::InvalidReference,
                            SecretErrorKind::ForeignVault,
                        ];
                        assert!(kinds.contains(&error.kind()), "{uri}: {error}");
                    }
                    Ok(reference) => {
                        // What parses is read too, as a load would; it must be a vault of a known cloud.
                        asked.push(format!("round {round}, {world}: {uri}"));
                        let _ = references.read(&reference.id).await;
                    }
                }
            }
        }
    }
    assert_eq!(asked, Vec::<String>::new(), "accepted");
    assert_eq!(network.0.load(Ordering::Relaxed), 0, "requests");
    assert_eq!(emulator.credential().calls(), 0, "tokens");
    assert_eq!(emulator.log().count(Route::any()), 0);
}

/// Counts requests, whatever their host, and answers none.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

#[async_trait::async_trait]
impl HttpClient for Counting {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(azure_core::error::ErrorKind::Connection.into_error())
    }
}

#[tokio::test(start_paused = true)]
async fn t03_what_reaches_the_transport_starts_with_secrets() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    let references = references(&emulator, KeyVaultOptions::new());
    for uri in [
        "https://kv-orders.vault.azure.net/secrets/a",
        "https://KV-ORDERS.vault.azure.net/SECRETS/b/",
        "https://kv-orders.vault.azure.net/Secrets/keys/secrets",
    ] {
        let reference = references.parse(&setting("key", uri)).unwrap().unwrap();
        let _ = references.read(&reference.id).await;
    }
    let entries = emulator.log().entries();
    assert_eq!(entries.len(), 4, "three reads and one challenge");
    for entry in entries {
        assert_eq!(entry.kind, HostKind::Vault);
        assert!(entry.path.starts_with("/secrets/"), "{}", entry.path);
    }
}

/// A vault that asks for a token of another audience gets none, however often it is asked.
#[tokio::test(start_paused = true)]
async fn f40_a_challenge_for_another_audience_draws_no_token_for_it() {
    let emulator = Emulator::builder().vault("kv-orders").in_memory();
    emulator.vault("kv-orders").set_secret("db", "hunter2");
    let long = format!("Bearer resource=\"https://{}.net\"", "a".repeat(64 << 10));
    for challenge in [
        "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"https://management.azure.com\"",
        "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"https://azure.net\"",
        "Bearer authorization=\"https://login.microsoftonline.com/t\", scope=\"https://graph.microsoft.com/.default\"",
        "Bearer authorization=\"https://login.microsoftonline.com/t\"",
        "Bearer resource=\"\"",
        "Basic realm=\"x\"",
        "Bearer resource=\"https://management.azure.com\", Bearer resource=\"https://vault.azure.net\"",
        &long,
    ] {
        emulator.log().clear();
        emulator.faults().clear();
        let answer =
            config_azure_emulator::Fault::status(401).header("www-authenticate", challenge);
        emulator.faults().script(
            Route::vault(),
            config_azure_emulator::Fault::Answer(answer),
            None,
        );
        let credential = Arc::new(Recording::default());
        let references = references_with(&emulator, KeyVaultOptions::new(), credential.clone());
        let id = secret_id("https://kv-orders.vault.azure.net/secrets/db");
        for _ in 0..3 {
            let failure = references.read(&id).await.unwrap_err();
            assert!(
                matches!(
                    failure.kind,
                    SecretErrorKind::InvalidAnswer | SecretErrorKind::Credential
                ),
                "{challenge}: {failure:?}"
            );
        }
        let foreign: Vec<String> = credential
            .scopes()
            .into_iter()
            .filter(|scope| scope != "https://vault.azure.net/.default")
            .collect();
        assert_eq!(foreign, Vec::<String>::new(), "{challenge}");
        let with_token = emulator
            .log()
            .entries()
            .iter()
            .filter(|entry| entry.has_authorization)
            .count();
        assert_eq!(with_token, 0, "{challenge}");
    }
}

/// Hands out a token for anything, and remembers for what.
#[derive(Debug, Default)]
struct Recording(std::sync::Mutex<Vec<String>>);

impl Recording {
    fn scopes(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl TokenCredential for Recording {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        self.0
            .lock()
            .unwrap()
            .extend(scopes.iter().map(|&scope| scope.to_owned()));
        let end =
            azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1);
        Ok(azure_core::credentials::AccessToken::new("token", end))
    }
}
