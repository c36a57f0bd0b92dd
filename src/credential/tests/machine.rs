//! Machines as the default chain sees them: variables, a metadata service, command line tools.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_identity::Executor;
use config_azure_emulator::{Emulator, Fault, Route};

use super::super::DefaultAzureCredential;

pub(super) const SCOPE: &str = "https://vault.azure.net/.default";
pub(super) const METADATA: &str = "169.254.169.254";

/// Answers for `az` and `azd`, as their processes would.
#[derive(Debug, Default)]
pub(super) struct Tools {
    answers: Mutex<HashMap<&'static str, (i32, String)>>,
    pub(super) runs: AtomicUsize,
}

impl Tools {
    pub(super) fn with(tool: &'static str, code: i32, text: impl Into<String>) -> Arc<Self> {
        let tools = Self::default();
        tools
            .answers
            .lock()
            .unwrap()
            .insert(tool, (code, text.into()));
        Arc::new(tools)
    }
}

#[async_trait]
impl Executor for Tools {
    async fn run(&self, _: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let command = args.last().unwrap().to_string_lossy().into_owned();
        let tool = if command.contains("azd auth") {
            "azd"
        } else {
            "az"
        };
        let answers = self.answers.lock().unwrap();
        let (code, text) = answers
            .get(tool)
            .cloned()
            .unwrap_or((127, "sh: not found".to_owned()));
        let (stdout, stderr) = if code == 0 {
            (text, String::new())
        } else {
            (String::new(), text)
        };
        Ok(Output {
            status: exit(code),
            stdout: stdout.into(),
            stderr: stderr.into(),
        })
    }
}

#[cfg(unix)]
fn exit(code: i32) -> ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(code << 8)
}

pub(super) fn az_token() -> String {
    serde_json::json!({ "accessToken": "token of az", "expires_on": 4_000_000_000_i64, "tokenType": "Bearer" }).to_string()
}

pub(super) struct World {
    pub(super) emulator: Emulator,
    pub(super) tools: Arc<Tools>,
    pub(super) credential: Arc<DefaultAzureCredential>,
}

/// A machine with these variables, no instance metadata service unless asked for, and these tools.
pub(super) fn machine(variables: &[(&str, &str)], metadata: bool, tools: Arc<Tools>) -> World {
    let emulator = Emulator::builder().in_memory();
    if !metadata {
        emulator
            .faults()
            .script(Route::any().host(METADATA), Fault::Hang, None);
    }
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let credential = DefaultAzureCredential::builder()
        .environment(move |name| variables.get(name).cloned())
        .transport(emulator.transport())
        .executor(tools.clone())
        .build()
        .unwrap();
    World {
        emulator,
        tools,
        credential,
    }
}

pub(super) async fn token(credential: &DefaultAzureCredential) -> Result<String, String> {
    let token = credential.get_token(&[SCOPE], None).await;
    let text = |error: azure_core::Error| super::super::failure::describe(&error);
    token
        .map(|token| token.token.secret().to_owned())
        .map_err(text)
}

fn principal(emulator: &Emulator, secret: &str) -> Vec<(&'static str, String)> {
    let identity = emulator.identity();
    vec![
        ("AZURE_TENANT_ID", identity.tenant_id().to_owned()),
        ("AZURE_CLIENT_ID", identity.client_id().to_owned()),
        ("AZURE_CLIENT_SECRET", secret.to_owned()),
    ]
}

pub(super) fn with_principal(secret: &str, tools: Arc<Tools>) -> World {
    let variables = principal(&Emulator::builder().in_memory(), secret);
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    machine(&variables, true, tools)
}
