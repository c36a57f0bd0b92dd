//! Who signs in, and why: `cargo run --example credentials`
//!
//! Walks `DefaultAzureCredential` through the environments in which a service can find itself, each of them emulated, and
//! shows which member was picked, what was said about those before it, and what the errors look like.
//!
//! `cargo run --example credentials -- here` asks for a token in your own environment instead.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output};
use std::sync::Arc;

use azure_core::base64::encode_url_safe;
use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;
use azure_identity::Executor;
use config_azure::credential::{
    CachedCredential, DefaultAzureCredential, DefaultAzureCredentialBuilder,
};
use config_azure_emulator::{Emulator, Fault, Route};
use serde_json::json;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const VAULT: &str = "https://vault.azure.net/.default";
const STORE: &str = "https://azconfig.io/.default";

#[tokio::main]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("here") {
        let credential = DefaultAzureCredential::new()?;
        sign_in(&credential).await;
        return Ok(());
    }
    let emulator = Emulator::builder().vault("kv-orders").start().await?;
    let folder = std::env::temp_dir().join(format!("config-azure-{}", std::process::id()));
    tokio::fs::create_dir_all(&folder).await?;
    let outcome = tell(&emulator, &folder.join("token")).await;
    tokio::fs::remove_dir_all(&folder).await?;
    outcome
}

async fn tell(emulator: &Emulator, token_file: &Path) -> Result<()> {
    let identity = emulator.identity();
    let principal = [
        ("AZURE_TENANT_ID", identity.tenant_id()),
        ("AZURE_CLIENT_ID", identity.client_id()),
        ("AZURE_CLIENT_SECRET", identity.client_secret()),
    ];

    heading("a service principal in environment variables");
    sign_in(&*chain(principal, tls(emulator)?)?).await;

    heading("a pod in Kubernetes, with a token file");
    tokio::fs::write(token_file, service_account_token(emulator)).await?;
    let file = token_file.to_string_lossy();
    let pod = [
        principal[0],
        principal[1],
        ("AZURE_FEDERATED_TOKEN_FILE", &*file),
    ];
    sign_in(&*chain(pod, tls(emulator)?)?).await;

    heading("a virtual machine with a managed identity");
    // Its address, 169.254.169.254, is reached through the emulator's transport in memory.
    let machine = chain([], emulator.transport())?;
    sign_in(&*machine).await;
    share(emulator, machine).await?;

    heading("a laptop after `az login`");
    let metadata = Route::any().host("169.254.169.254");
    emulator.faults().script(metadata, Fault::Refuse, None);
    let laptop = builder([], emulator.transport()).executor(Arc::new(Tools { az: true }));
    sign_in(&*laptop.build()?).await;

    heading("a laptop before it");
    sign_in(&*chain([], emulator.transport())?).await;

    heading("a service principal whose secret has run out");
    let mut expired = principal;
    expired[2].1 = "a secret of last year";
    sign_in(&*chain(expired, tls(emulator)?)?).await;

    heading("the choice narrowed by AZURE_TOKEN_CREDENTIALS=dev");
    let narrowed = [
        principal[0],
        principal[1],
        principal[2],
        ("AZURE_TOKEN_CREDENTIALS", "dev"),
    ];
    sign_in(&*chain(narrowed, tls(emulator)?)?).await;
    Ok(())
}

/// Asks for a token and says who brought it.
async fn sign_in(credential: &DefaultAzureCredential) {
    match credential.get_token(&[VAULT], None).await {
        Ok(_) => {
            let name = credential.selected().map(|kind| kind.name());
            println!("signed in by {}", name.unwrap_or("nobody"));
            for (kind, reason) in credential.passed_over() {
                println!("  passed over {}: {reason}", kind.name());
            }
        }
        Err(error) => println!("{error}"),
    }
}

/// One cache for the store and all vaults: a token per audience, however many ask.
async fn share(emulator: &Emulator, credential: Arc<DefaultAzureCredential>) -> Result<()> {
    emulator.log().clear();
    let cached = CachedCredential::new(credential);
    let asks = (0..100).map(|number| {
        let scope = if number % 2 == 0 { VAULT } else { STORE };
        let cached = cached.clone();
        async move { cached.get_token(&[scope], None).await }
    });
    for token in futures::future::join_all(asks).await {
        token?;
    }
    println!(
        "100 tokens for two audiences, cached: {} requests",
        emulator.log().count(Route::token())
    );
    Ok(())
}

/// The chain in an environment of which only these variables are set, on a machine without `az` and `azd`.
fn chain<const N: usize>(
    variables: [(&str, &str); N],
    transport: Arc<dyn HttpClient>,
) -> Result<Arc<DefaultAzureCredential>> {
    Ok(builder(variables, transport).build()?)
}

fn builder<const N: usize>(
    variables: [(&str, &str); N],
    transport: Arc<dyn HttpClient>,
) -> DefaultAzureCredentialBuilder {
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables = BTreeMap::from(variables);
    DefaultAzureCredential::builder()
        .environment(move |name| variables.get(name).cloned())
        .transport(transport)
        .executor(Arc::new(Tools { az: false }))
}

fn tls(emulator: &Emulator) -> Result<Arc<dyn HttpClient>> {
    Ok(Arc::new(
        emulator.client(reqwest::Client::builder()).build()?,
    ))
}

/// Stands in for the command line tools, so that this example never uses a login of yours.
#[derive(Debug)]
struct Tools {
    az: bool,
}

#[async_trait::async_trait]
impl Executor for Tools {
    async fn run(&self, _shell: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let command = arguments.last().map(|command| command.to_string_lossy());
        let azd = command.is_some_and(|command| command.contains("azd "));
        let (code, out, error) = match (azd, self.az) {
            (true, _) => (127, "", "azd: command not found"),
            (false, false) => (127, "", "az: command not found"),
            (false, true) => (0, AZ_TOKEN, ""),
        };
        Ok(Output {
            status: exit_status(code),
            stdout: out.into(),
            stderr: error.into(),
        })
    }
}

/// What `az account get-access-token` prints.
const AZ_TOKEN: &str =
    r#"{"accessToken": "a token", "expires_on": 4102444800, "tokenType": "Bearer"}"#;

#[cfg(unix)]
fn exit_status(code: i32) -> ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(code << 8)
}

#[cfg(windows)]
fn exit_status(code: i32) -> ExitStatus {
    std::os::windows::process::ExitStatusExt::from_raw(code.unsigned_abs())
}

/// What Kubernetes would put into the file: a token that says which service account this pod runs as.
fn service_account_token(emulator: &Emulator) -> String {
    let header = r#"{"alg":"RS256","typ":"JWT"}"#;
    let now = emulator.clock().now().unix_timestamp();
    let claims = json!({
        "iss": "https://oidc.contoso.example",
        "sub": "system:serviceaccount:orders:api",
        "aud": ["api://AzureADTokenExchange"],
        "iat": now,
        "exp": now + 3600,
    });
    [header, &claims.to_string(), "a signature"]
        .map(encode_url_safe)
        .join(".")
}

fn heading(text: &str) {
    println!("\n── {text}");
}
