//! The default chain: on past what is absent, stop at what fails, stay with what worked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use config_azure_emulator::identity::TokenFailure;
use config_azure_emulator::{Emulator, Fault, Route};
use tokio::time::Instant;

use super::super::{CachedCredential, CredentialKind, DefaultAzureCredential};
use super::machine::{METADATA, SCOPE, Tools, az_token, machine, token, with_principal};
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_service_principal_goes_first() {
    let world = with_principal("emulator-client-secret", Tools::with("az", 0, az_token()));
    let signed = token(&world.credential).await.unwrap();
    assert_ne!(signed, "token of az");
    assert_eq!(
        world.credential.selected(),
        Some(CredentialKind::Environment)
    );
    assert_eq!(world.credential.passed_over(), []);
    assert_eq!(world.emulator.log().count(Route::token()), 1);
    assert_eq!(
        world.emulator.log().count(Route::any()),
        1,
        "nothing else was tried"
    );
    assert_eq!(world.tools.runs.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_principal_is_not_replaced_by_a_developer() {
    let world = with_principal("wrong", Tools::with("az", 0, az_token()));
    let error = token(&world.credential).await.unwrap_err();
    assert!(
        error.contains("EnvironmentCredential is set up, but failed"),
        "{error}"
    );
    assert!(error.contains("AADSTS7000215"), "{error}");
    assert!(
        !error.contains("wrong\"") && !error.contains("az login"),
        "{error}"
    );
    assert_eq!(world.credential.selected(), None);
    assert_eq!(world.tools.runs.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_workload_identity_presents_its_token_file() {
    let assertion = "header.payload.signature";
    let file = std::env::temp_dir().join(format!("config-azure-federated-{}", std::process::id()));
    std::fs::write(&file, assertion).unwrap();
    let identity = Emulator::builder().in_memory().identity();
    let variables = [
        ("AZURE_TENANT_ID", identity.tenant_id().to_owned()),
        ("AZURE_CLIENT_ID", identity.client_id().to_owned()),
        (
            "AZURE_FEDERATED_TOKEN_FILE",
            file.to_string_lossy().into_owned(),
        ),
    ];
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let world = machine(&variables, true, Arc::default());
    // Whether this assertion is accepted is the authority's business; that it is presented is ours.
    let _ = token(&world.credential).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(world.emulator.identity().assertions(), [assertion]);
    assert_eq!(world.emulator.log().count(Route::any().host(METADATA)), 0);
}

#[tokio::test(start_paused = true)]
async fn a_virtual_machine_is_found_by_its_metadata_service() {
    let world = machine(&[], true, Tools::with("az", 0, az_token()));
    let signed = token(&world.credential).await.unwrap();
    assert_ne!(signed, "token of az");
    assert_eq!(
        world.credential.selected(),
        Some(CredentialKind::ManagedIdentity)
    );
    let passed = world.credential.passed_over();
    assert_eq!(
        passed[0],
        (
            CredentialKind::Environment,
            "AZURE_TENANT_ID is not set".to_owned()
        )
    );
    assert_eq!(
        passed[1],
        (
            CredentialKind::WorkloadIdentity,
            "AZURE_FEDERATED_TOKEN_FILE is not set".to_owned()
        )
    );
    assert_eq!(
        world.emulator.log().count(Route::any().host(METADATA)),
        2,
        "the probe and the token"
    );
    // It stays with what worked, also when that fails.
    world
        .emulator
        .identity()
        .fail_managed(TokenFailure::status(400), 1);
    assert!(
        token(&world.credential)
            .await
            .unwrap_err()
            .contains("ManagedIdentityCredential is set up, but failed")
    );
    token(&world.credential).await.unwrap();
    assert_eq!(
        world.emulator.log().count(Route::any().host(METADATA)),
        4,
        "no second probe"
    );
    assert_eq!(world.tools.runs.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_assigned_identity_is_named_by_its_client_id() {
    let id = "00000000-0000-0000-0000-0000000000ff";
    let world = machine(
        &[("AZURE_CLIENT_ID", id)],
        true,
        Tools::with("az", 0, az_token()),
    );
    let error = token(&world.credential).await.unwrap_err();
    assert!(error.contains("not been assigned"), "{error}");
    world.emulator.identity().add_user_assigned(id);
    token(&world.credential).await.unwrap();
    let entries = world
        .emulator
        .log()
        .matching(Route::token().query(format!("client_id={id}")));
    assert_eq!(entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_an_identity_is_as_good_as_none() {
    let world = machine(&[], true, Tools::with("az", 0, az_token()));
    world.emulator.identity().system_assigned(false);
    assert_eq!(token(&world.credential).await.unwrap(), "token of az");
    assert_eq!(world.credential.selected(), Some(CredentialKind::AzureCli));
}

#[tokio::test(start_paused = true)]
async fn a_laptop_has_its_answer_within_a_second() {
    let world = machine(&[], false, Tools::with("az", 0, az_token()));
    let start = Instant::now();
    assert_eq!(token(&world.credential).await.unwrap(), "token of az");
    assert!(
        start.elapsed() <= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    let azd = serde_json::json!({ "token": "token of azd", "expiresOn": "2096-10-02T07:06:40Z" })
        .to_string();
    let world = machine(&[], false, Tools::with("azd", 0, azd));
    assert_eq!(token(&world.credential).await.unwrap(), "token of azd");
    assert_eq!(
        world.credential.selected(),
        Some(CredentialKind::AzureDeveloperCli)
    );
    assert!(
        world
            .credential
            .passed_over()
            .iter()
            .any(|(_, reason)| reason == "az not found on PATH")
    );
}

#[tokio::test(start_paused = true)]
async fn with_nothing_at_all_the_error_says_what_to_do() {
    let tools = Tools::with("az", 1, "ERROR: Please run 'az login' to setup account.");
    let world = machine(&[], false, tools);
    let cached = CachedCredential::new(world.credential.clone());
    let error = cached
        .get_token(&[SCOPE], None)
        .await
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "no credential of the default chain is set up here",
            "  EnvironmentCredential: AZURE_TENANT_ID is not set",
            "  WorkloadIdentityCredential: AZURE_FEDERATED_TOKEN_FILE is not set",
            "  ManagedIdentityCredential: no answer from an instance metadata service in 1 second",
            "  AzureCliCredential: ERROR: Please run 'az login' to setup account.",
            "  AzureDeveloperCliCredential: azd not found on PATH",
            "On a developer's machine run `az login`; a service in Azure needs a managed identity; elsewhere set \
             AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn another_clouds_metadata_service_is_not_ours() {
    for status in [200, 401, 403, 404] {
        let world = machine(&[], true, Tools::with("az", 0, az_token()));
        world.emulator.faults().script(
            Route::any().host(METADATA),
            Fault::Answer(Fault::status(status)),
            None,
        );
        assert_eq!(
            token(&world.credential).await.unwrap(),
            "token of az",
            "{status}"
        );
    }
}

#[test]
fn the_variable_narrows_the_choice() {
    use CredentialKind::{
        AzureCli, AzureDeveloperCli, Environment, ManagedIdentity, WorkloadIdentity,
    };
    let table: [(&str, &[CredentialKind]); 6] = [
        ("prod", &[Environment, WorkloadIdentity, ManagedIdentity]),
        ("DEV", &[AzureCli, AzureDeveloperCli]),
        ("managedidentitycredential", &[ManagedIdentity]),
        (" AzureCliCredential ", &[AzureCli]),
        ("WorkloadIdentityCredential", &[WorkloadIdentity]),
        ("", &CredentialKind::ALL),
    ];
    for (text, members) in table {
        assert_eq!(made(text).unwrap().chain.members(), members, "{text}");
    }
    for wrong in [
        "production",
        "AzureCli",
        "dev,prod",
        "DefaultAzureCredential",
    ] {
        assert_eq!(
            made(wrong).unwrap_err().kind(),
            ErrorKind::InvalidOption,
            "{wrong}"
        );
    }
}

fn made(choice: &str) -> crate::Result<Arc<DefaultAzureCredential>> {
    let choice = choice.to_owned();
    DefaultAzureCredential::builder()
        .environment(move |name| (name == "AZURE_TOKEN_CREDENTIALS").then(|| choice.clone()))
        .transport(Emulator::builder().in_memory().transport())
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_named_member_is_not_probed_for() {
    let emulator = Emulator::builder().in_memory();
    let credential = DefaultAzureCredential::builder()
        .environment(|name| {
            (name == "AZURE_TOKEN_CREDENTIALS").then(|| "ManagedIdentityCredential".to_owned())
        })
        .transport(emulator.transport())
        .build()
        .unwrap();
    token(&credential).await.unwrap();
    assert_eq!(emulator.log().count(Route::any()), 1);
}

#[tokio::test(start_paused = true)]
async fn an_identity_endpoint_elsewhere_is_never_asked_without_tls() {
    for endpoint in [
        "http://evil.example/msi/token",
        "http://10.0.0.1/msi/token",
        "ftp://localhost/",
        "localhost",
    ] {
        let world = machine(
            &[("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", "h")],
            true,
            Tools::with("az", 0, az_token()),
        );
        let error = token(&world.credential).await.unwrap_err();
        assert!(error.contains("IDENTITY_ENDPOINT"), "{error}");
        assert_eq!(world.emulator.log().count(Route::any()), 0);
        assert_eq!(world.tools.runs.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn an_authority_is_https_and_may_lack_its_scheme() {
    let at = |host: &'static str| {
        DefaultAzureCredential::builder()
            .environment(move |name| (name == "AZURE_AUTHORITY_HOST").then(|| host.to_owned()))
            .transport(Emulator::builder().in_memory().transport())
            .build()
            .map(|_| ())
    };
    at("login.microsoftonline.us").unwrap();
    at("https://login.chinacloudapi.cn/").unwrap();
    assert_eq!(
        at("http://login.microsoftonline.com").unwrap_err().kind(),
        ErrorKind::InvalidOption
    );
    assert_eq!(at("https://").unwrap_err().kind(), ErrorKind::InvalidOption);
}

#[test]
fn one_event_says_who_signed_in_and_why() {
    let (events, guard) = crate::testing::events::capture("config_azure=info");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = machine(&[], false, Tools::with("az", 0, az_token()));
        for _ in 0..3 {
            token(&world.credential).await.unwrap();
        }
    });
    drop(guard);
    assert_eq!(events.count(), 1, "{}", events.text());
    let event = events.text();
    for part in [
        "AzureCliCredential",
        "developer_login=true",
        "AZURE_TENANT_ID is not set",
    ] {
        assert!(event.contains(part), "{event}");
    }
    assert!(!event.contains("token of az"));
}

/// The library's error for it says only that no identity is assigned; the reason is in the answer's body.
#[tokio::test(start_paused = true)]
async fn an_audience_that_is_unknown_is_not_taken_for_a_machine_without_identity() {
    let world = machine(&[], true, Tools::with("az", 0, az_token()));
    world
        .emulator
        .identity()
        .remove_resource("https://vault.azure.net");
    let error = token(&world.credential).await.unwrap_err();
    assert!(error.contains("AADSTS500011"), "{error}");
    assert_eq!(world.tools.runs.load(Ordering::Relaxed), 0);
}
