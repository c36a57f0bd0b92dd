//! Stores, vaults and the authority in one world.

mod common;

use azure_core::credentials::TokenCredential as _;
use common::{Call, get, header, text};
use config_azure_emulator::{Emulator, Route};

fn world() -> Emulator {
    let emulator = Emulator::builder().store("contoso").vault("kv").in_memory();
    emulator.store("contoso").set("title", None, "Shop");
    emulator.vault("kv").set_secret("password", "s3cret");
    emulator
}

async fn bearer(emulator: &Emulator, scope: &str) -> String {
    let token = emulator.credential().get_token(&[scope], None).await;
    format!("Bearer {}", token.expect("a token").token.secret())
}

const STORE: &str = "https://contoso.azconfig.io/kv/title?api-version=2023-11-01";
const SECRET: &str = "https://kv.vault.azure.net/secrets/password?api-version=7.4";

#[tokio::test]
async fn one_credential_opens_stores_and_vaults_each_by_its_audience() {
    let emulator = world();
    for scope in [
        "https://azconfig.io/.default",
        "https://appconfig.azure.com/.default",
    ] {
        let token = bearer(&emulator, scope).await;
        let call = Call::new("GET", STORE).header("authorization", &token);
        assert_eq!(get(&emulator, &call).await.0, 200, "{scope}");
        let call = Call::new("GET", SECRET).header("authorization", &token);
        assert_eq!(get(&emulator, &call).await.0, 401, "{scope}");
    }
    let token = bearer(&emulator, "https://vault.azure.net/.default").await;
    let call = Call::new("GET", SECRET).header("authorization", &token);
    let (status, _, body) = get(&emulator, &call).await;
    assert_eq!((status, body.contains("s3cret")), (200, true));
    let call = Call::new("GET", STORE).header("authorization", &token);
    let (status, headers, body) = get(&emulator, &call).await;
    assert_eq!((status, body.as_str()), (401, ""));
    assert!(header(&headers, "www-authenticate").ends_with(
        "Bearer error=\"invalid_token\", error_description=\"Authorization token failed validation\""
    ));
    assert_eq!(emulator.credential().calls(), 3);
}

#[tokio::test]
async fn tokens_expire_by_the_emulator_s_clock_and_roles_can_be_missing() {
    let emulator = world();
    let token = bearer(&emulator, "https://azconfig.io/.default").await;
    let call = Call::new("GET", STORE).header("authorization", &token);
    emulator.store("contoso").forbid(true);
    let (status, _, body) = get(&emulator, &call).await;
    assert_eq!((status, body.as_str()), (403, ""));
    emulator.store("contoso").forbid(false);
    assert_eq!(get(&emulator, &call).await.0, 200);
    emulator
        .clock()
        .advance(std::time::Duration::from_secs(3601));
    assert_eq!(get(&emulator, &call).await.0, 401);
}

#[tokio::test]
async fn requests_are_told_apart_by_what_they_are_about() {
    let emulator = world();
    let token = bearer(&emulator, "https://vault.azure.net/.default").await;
    text(&emulator, "GET", SECRET).await;
    get(
        &emulator,
        &Call::new("GET", SECRET).header("authorization", &token),
    )
    .await;
    text(&emulator, "GET", STORE).await;
    text(&emulator, "GET", "https://contoso.azconfig.io/kv?key=a%2A").await;
    text(&emulator, "GET", "https://contoso.azconfig.io/snapshots/a").await;
    text(
        &emulator,
        "POST",
        "https://login.microsoftonline.com/tenant/oauth2/v2.0/token",
    )
    .await;
    let log = emulator.log();
    let counts = [
        Route::challenge(),
        Route::secret(),
        Route::store_item(),
        Route::store_list(),
        Route::snapshot(),
        Route::token(),
        Route::vault().status(401),
        Route::any().host("kv.vault.azure.net"),
        Route::store_list().query("key=a%2A"),
    ];
    assert_eq!(
        counts.map(|route| log.count(route)),
        [1, 1, 1, 1, 1, 1, 1, 2, 1]
    );
    log.clear();
    assert_eq!(log.count(Route::any()), 0);
}

#[tokio::test]
async fn on_sockets_a_vault_sends_local_clients_to_the_local_authority() {
    let emulator = Emulator::builder()
        .vault("kv")
        .start()
        .await
        .expect("start");
    emulator.vault("kv").set_secret("password", "s3cret");
    let client = emulator
        .client(reqwest::Client::builder())
        .build()
        .expect("client");
    let local = emulator.vault("kv").local_url().expect("a port");
    let identity = emulator.identity();
    let challenge = |url: String| {
        let request = client.get(url).send();
        async move {
            let answer = request.await.expect("answer");
            let value = answer.headers()["www-authenticate"].to_str().expect("text");
            value.to_owned()
        }
    };
    let real = challenge(SECRET.to_owned()).await;
    assert!(
        real.contains("https://login.microsoftonline.com/"),
        "{real}"
    );
    let nearby = challenge(format!("{local}/secrets/password?api-version=7.4")).await;
    let authority = identity.local_url().expect("a port");
    assert!(nearby.contains(&authority), "{nearby}");
    let token_url = format!("{authority}/{}/oauth2/v2.0/token", identity.tenant_id());
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fvault.azure.net%2F.default",
        identity.client_id(),
        identity.client_secret()
    );
    let answer = client
        .post(token_url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await;
    let answer: serde_json::Value =
        serde_json::from_str(&answer.expect("answer").text().await.expect("body")).expect("JSON");
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    let secret = client.get(format!("{local}/secrets/password?api-version=7.4"));
    let answer = secret.bearer_auth(token).send().await.expect("answer");
    assert_eq!(answer.status(), 200);
}
