//! Which credential was picked, and why: `cargo run --example credentials`
//!
//! Runs `DefaultAzureCredential` on five machines that an emulator plays, and shows what it chose on each. With
//! `cargo run --example credentials -- real` it signs in on your own machine instead, and sends nothing but the request
//! for one token.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsStr;
use std::io;
use std::process::Output;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_identity::Executor;
use config_azure::credential::{CachedCredential, DefaultAzureCredential};
use config_azure_emulator::{Emulator, Fault, Route};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What a token is asked for: access to Key Vault.
const SCOPE: &str = "https://vault.azure.net/.default";

#[tokio::main]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("real") {
        let credential = DefaultAzureCredential::new()?;
        show("this machine", &credential).await;
        return Ok(());
    }
    for machine in machines() {
        let emulator = Emulator::builder().in_memory();
        let credential = machine.credential(&emulator)?;
        show(machine.name, &credential).await;
    }
    cache().await
}

/// Signs in, and says as whom, and why not otherwise.
async fn show(machine: &str, credential: &Arc<DefaultAzureCredential>) {
    println!("\n{machine}");
    let cached = CachedCredential::new(credential.clone());
    match cached.get_token(&[SCOPE], None).await {
        Ok(_) => println!("  signed in"),
        Err(error) => println!("  {}", error.to_string().replace('\n', "\n  ")),
    }
    if let Some(picked) = credential.selected() {
        println!("  picked: {picked}");
    }
    for (passed, reason) in credential.passed_over() {
        println!("    not {passed}: {reason}");
    }
}

/// A machine as a program sees it: its environment, its metadata service, its command line tools.
struct Machine {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    metadata_service: bool,
    logged_in: bool,
}

fn machines() -> [Machine; 5] {
    let principal = &[
        ("AZURE_TENANT_ID", "contoso"),
        ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-0000000000a1"),
        ("AZURE_CLIENT_SECRET", "emulator-client-secret"),
    ];
    let outdated = &[
        ("AZURE_TENANT_ID", "contoso"),
        ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-0000000000a1"),
        ("AZURE_CLIENT_SECRET", "the-one-of-last-year"),
    ];
    let machine = |name, variables, metadata_service, logged_in| Machine {
        name,
        variables,
        metadata_service,
        logged_in,
    };
    [
        machine(
            "A build server with a service principal",
            principal,
            false,
            false,
        ),
        machine(
            "The same with an outdated secret: no fallback to a person's login",
            outdated,
            true,
            true,
        ),
        machine(
            "A virtual machine with a managed identity",
            &[],
            true,
            false,
        ),
        machine("A laptop after `az login`", &[], false, true),
        machine("A laptop before it", &[], false, false),
    ]
}

impl Machine {
    fn credential(&self, emulator: &Emulator) -> Result<Arc<DefaultAzureCredential>> {
        if !self.metadata_service {
            let metadata = Route::any().host("169.254.169.254");
            emulator.faults().script(metadata, Fault::Refuse, None);
        }
        let tenant = emulator.identity().tenant_id().to_owned();
        let variables: HashMap<&str, &str> = self.variables.iter().copied().collect();
        let lookup = move |name: &str| match variables.get(name).copied() {
            Some("contoso") => Some(tenant.clone()),
            other => other.map(str::to_owned),
        };
        Ok(DefaultAzureCredential::builder()
            .environment(lookup)
            .transport(emulator.transport())
            .executor(Arc::new(Tools {
                logged_in: self.logged_in,
            }))
            .build()?)
    }
}

/// Stands in for the processes `az` and `azd`.
#[derive(Debug)]
struct Tools {
    logged_in: bool,
}

#[async_trait]
impl Executor for Tools {
    async fn run(&self, _shell: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let azd = arguments
            .iter()
            .any(|part| part.to_string_lossy().contains("azd "));
        let (code, out, err) = match (azd, self.logged_in) {
            (true, _) => (127, "", "sh: azd: not found"),
            (false, true) => (
                0,
                r#"{"accessToken":"t","expires_on":4102444800,"tokenType":"Bearer"}"#,
                "",
            ),
            (false, false) => (1, "", "ERROR: Please run 'az login' to setup account."),
        };
        Ok(Output {
            status: exit_status(code),
            stdout: out.into(),
            stderr: err.into(),
        })
    }
}

#[cfg(unix)]
fn exit_status(code: i32) -> std::process::ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(code << 8)
}

#[cfg(windows)]
fn exit_status(code: i32) -> std::process::ExitStatus {
    std::os::windows::process::ExitStatusExt::from_raw(code as u32)
}

/// One cache for this crate and for clients of the Azure SDK: a hundred callers, one request for a token.
async fn cache() -> Result<()> {
    let emulator = Emulator::builder().in_memory();
    let credential = CachedCredential::new(emulator.credential());
    let calls = (0..100).map(|_| credential.get_token(&[SCOPE], None));
    futures::future::try_join_all(calls).await?;
    println!(
        "\nA hundred callers at once, behind a CachedCredential\n  {} token was asked for",
        emulator.credential().calls()
    );
    Ok(())
}
