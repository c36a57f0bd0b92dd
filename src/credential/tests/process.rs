//! The default chain in processes of their own, with a real environment and a real `az`.

use std::process::Command;

use config_azure_emulator::{Emulator, Route};

use super::super::{CredentialKind, DefaultAzureCredential};
use super::machine::{SCOPE, az_token, token};

/// Runs one ignored test of this file in a process of its own, with these variables and no others of Azure.
fn in_a_child(test: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("credential::tests::process::{test}"),
        "--ignored",
        "--nocapture",
    ]);
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("AZURE_") || name.contains("_ENDPOINT"))
    {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn an_app_service_is_found_in_the_environment() {
    // https, because the emulator's front for tests without sockets knows no other way to this path.
    let endpoint = "https://login.microsoftonline.com/msi/token";
    in_a_child(
        "child_app_service",
        &[
            ("IDENTITY_ENDPOINT", endpoint),
            ("IDENTITY_HEADER", "emulator-identity-header"),
        ],
    );
}

#[tokio::test(start_paused = true)]
#[ignore = "run by an_app_service_is_found_in_the_environment, with its variables"]
async fn child_app_service() {
    let emulator = Emulator::builder().in_memory();
    let credential = DefaultAzureCredential::builder()
        .transport(emulator.transport())
        .build()
        .unwrap();
    token(&credential).await.unwrap();
    assert_eq!(credential.selected(), Some(CredentialKind::ManagedIdentity));
    assert_eq!(emulator.log().count(Route::any()), 1, "no probe");
}

#[cfg(unix)]
#[test]
fn a_real_az_on_the_path_is_started() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("config-azure-az-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let az = folder.join("az");
    std::fs::write(
        &az,
        format!("#!/bin/sh\n[ \"$6\" = {SCOPE} ] && echo '{}'\n", az_token()),
    )
    .unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    in_a_child(
        "child_azure_cli",
        &[
            ("PATH", &path),
            ("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential"),
        ],
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
#[ignore = "run by a_real_az_on_the_path_is_started, with its variables"]
async fn child_azure_cli() {
    let credential = DefaultAzureCredential::new().unwrap();
    assert_eq!(token(&credential).await.unwrap(), "token of az");
    assert_eq!(credential.selected(), Some(CredentialKind::AzureCli));
}
