//! Signing in with the default chain, through everything that stands between Entra ID's answer and the user.

use std::error::Error;

use config_azure::{
    AppConfiguration, AppConfigurationBuilder, ErrorKind, SecretErrorKind, StartupOptions,
};
use config_azure_emulator::{Emulator, Fault, Route};

use crate::support;

/// The variables of a service principal.
fn principal(emulator: &Emulator) -> Vec<(&'static str, String)> {
    let identity = emulator.identity();
    vec![
        ("AZURE_TENANT_ID", identity.tenant_id().to_owned()),
        ("AZURE_CLIENT_ID", identity.client_id().to_owned()),
        ("AZURE_CLIENT_SECRET", identity.client_secret().to_owned()),
    ]
}

/// A builder on a machine with these variables, which opens the store by its key and vaults by the default chain.
fn by_key(emulator: &Emulator, variables: Vec<(&'static str, String)>) -> AppConfigurationBuilder {
    let lookup = move |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    AppConfiguration::builder()
        .connection_string(emulator.store("contoso").connection_string())
        .default_credential()
        .environment(lookup)
        .transport(emulator.transport())
        .startup(StartupOptions::new().deadline(support::secs(20)))
}

/// What a start says that asks Entra ID for `audience`, on a machine with these variables.
async fn refused(
    emulator: &Emulator,
    variables: Vec<(&'static str, String)>,
    audience: Option<&str>,
) -> String {
    let lookup = move |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    let builder = AppConfiguration::builder()
        .endpoint(emulator.store("contoso").endpoint())
        .default_credential()
        .environment(lookup)
        .transport(emulator.transport())
        .startup(StartupOptions::new().deadline(support::secs(20)));
    let builder = match audience {
        Some(audience) => builder.audience(audience),
        None => builder,
    };
    let error = builder.load().await.expect_err("no such audience");
    assert_eq!(error.kind(), ErrorKind::Credential, "{error}");
    assert_eq!(error.endpoint(), Some("https://contoso.azconfig.io"));
    assert_eq!(emulator.log().count(Route::store()), 0, "nothing is sent");
    error.to_string()
}

/// Entra ID knows no resource of that name in the tenant: AADSTS500011, which says little to who has not met it.
#[tokio::test(start_paused = true)]
async fn an_audience_that_the_tenant_does_not_know_is_named_as_the_reason() {
    let wrong = Some("https://appconfig.contoso.example");
    for (managed, audience) in [(false, None), (false, wrong), (true, None), (true, wrong)] {
        let emulator = support::world_in_memory();
        if audience.is_none() {
            emulator.identity().remove_resource("https://azconfig.io");
        }
        let variables = match managed {
            true => Vec::new(),
            false => principal(&emulator),
        };
        let said = refused(&emulator, variables, audience).await;
        assert!(
            said.contains("the audience is unknown in this tenant"),
            "{managed} {audience:?}: {said}"
        );
    }
}

/// The store opens by its key, so that the vault is the first to need a token: its error says who was asked for one.
#[tokio::test(start_paused = true)]
async fn without_any_credential_a_secrets_error_lists_the_members() {
    let emulator = support::world_in_memory();
    let metadata = Route::any().host("169.254.169.254");
    emulator.faults().script(metadata, Fault::Hang, None);
    // Whoever runs this test may be signed in to `az`.
    let services = vec![("AZURE_TOKEN_CREDENTIALS", "prod".to_owned())];
    let error = by_key(&emulator, services)
        .load()
        .await
        .expect_err("a vault");
    assert_eq!(error.kind(), ErrorKind::Reference, "{error}");
    let causes = [error.source(), error.failures()[0].source()];
    for cause in causes.map(|cause| cause.expect("a reason").to_string()) {
        for part in [
            "no credential of the default chain is set up here",
            "EnvironmentCredential: AZURE_TENANT_ID is not set",
            "WorkloadIdentityCredential: AZURE_FEDERATED_TOKEN_FILE is not set",
            "ManagedIdentityCredential: no answer",
            "run `az login`",
        ] {
            assert!(cause.contains(part), "{cause}");
        }
    }
    assert_eq!(emulator.log().count(Route::vault()), 0, "nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn a_vaults_audience_that_the_tenant_does_not_know_is_named_as_the_reason() {
    let emulator = support::world_in_memory();
    emulator
        .identity()
        .remove_resource("https://vault.azure.net");
    let builder = by_key(&emulator, principal(&emulator));
    let error = builder.load().await.expect_err("no such audience");
    for failure in error.failures() {
        assert_eq!(failure.kind(), SecretErrorKind::Credential);
        let hint = failure.hint().expect("a hint");
        assert!(hint.contains("the audience is unknown in this tenant"));
    }
    let cause = error.source().expect("a reason").to_string();
    assert!(cause.contains("AADSTS500011"), "{cause}");
}
