//! Signing in with the default chain, through everything that stands between Entra ID's answer and the user.

use config_azure::{ErrorKind, StartupOptions};
use config_azure_emulator::{Emulator, Route};

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
    let builder = config_azure::AppConfiguration::builder()
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
