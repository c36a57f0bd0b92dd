//! A service identity that is set up, but wrongly, is never replaced by whatever other identity the machine has.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use config_azure_emulator::{Emulator, Route};

use super::machine::{METADATA, Tools, World, az_token, machine, token};

const ASSERTION: &str = "header.payload.signature";

/// A file of this process that does not exist yet, removed at the end.
struct TokenFile(PathBuf);

impl TokenFile {
    fn named(name: &str) -> Self {
        let name = format!("config-azure-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // It is not there if the test failed before it was written.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A machine with these variables beside a client, a metadata service that answers, and a developer who is signed in.
fn service(tenant: &str, more: (&str, &str)) -> World {
    let identity = Emulator::builder().in_memory().identity();
    let variables = [
        ("AZURE_TENANT_ID", tenant),
        ("AZURE_CLIENT_ID", identity.client_id()),
        more,
    ];
    machine(&variables, true, Tools::with("az", 0, az_token()))
}

fn assert_nobody_else_was_asked(world: &World) {
    let metadata = world.emulator.log().count(Route::any().host(METADATA));
    assert_eq!(metadata, 0, "requests to the metadata service");
    assert_eq!(world.tools.runs.load(Ordering::Relaxed), 0, "tool runs");
    assert_eq!(world.credential.selected(), None);
}

fn tenant() -> String {
    let identity = Emulator::builder().in_memory().identity();
    identity.tenant_id().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_is_not_mounted_yet_is_waited_for() {
    let file = TokenFile::named("unmounted");
    let world = service(&tenant(), ("AZURE_FEDERATED_TOKEN_FILE", &file.path()));
    for _ in 0..2 {
        let error = token(&world.credential).await.unwrap_err();
        assert!(
            error.starts_with(
                "WorkloadIdentityCredential is set up, but failed: failed to read federated token"
            ),
            "{error}"
        );
        assert_nobody_else_was_asked(&world);
    }
    std::fs::write(&file.0, ASSERTION).unwrap();
    // Whether this assertion is accepted is the authority's business; that it is presented is ours.
    let _ = token(&world.credential).await;
    assert_eq!(world.emulator.identity().assertions(), [ASSERTION]);
    assert_nobody_else_was_asked(&world);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_none_is_an_error() {
    let file = TokenFile::named("tenant");
    std::fs::write(&file.0, ASSERTION).unwrap();
    let (path, tenant) = (file.path(), tenant());
    for tenant in [
        format!("{{{tenant}}}"),
        format!("\"{tenant}\""),
        format!("https://login.microsoftonline.com/{tenant}"),
    ] {
        for (more, member) in [
            (
                ("AZURE_FEDERATED_TOKEN_FILE", &*path),
                "WorkloadIdentityCredential",
            ),
            (
                ("AZURE_CLIENT_SECRET", "emulator-client-secret"),
                "EnvironmentCredential",
            ),
        ] {
            let world = service(&tenant, more);
            let error = token(&world.credential).await.unwrap_err();
            let lead = format!("{member} is set up, but failed: invalid tenant ID");
            assert!(error.starts_with(&lead), "{error}");
            assert_eq!(world.emulator.log().count(Route::any()), 0);
            assert_nobody_else_was_asked(&world);
        }
    }
}

/// What a pod without an annotated service account has: the file alone says nothing about who it is.
#[tokio::test(start_paused = true)]
async fn what_is_not_set_is_not_meant() {
    let variables = [("AZURE_FEDERATED_TOKEN_FILE", "/nowhere")];
    let world = machine(&variables, false, Arc::default());
    let error = token(&world.credential).await.unwrap_err();
    assert!(
        error.contains("WorkloadIdentityCredential: AZURE_CLIENT_ID is not set"),
        "{error}"
    );
}
