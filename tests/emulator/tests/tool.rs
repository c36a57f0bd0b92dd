//! The command, started as a user would start it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The running command. Closing its input ends it.
struct Tool {
    child: Child,
    report: Value,
}

impl Tool {
    fn start(arguments: &[&str]) -> Self {
        Self::try_start(arguments).expect("the command prints a line")
    }

    /// None if the command ends before it has told where it listens.
    fn try_start(arguments: &[&str]) -> Option<Self> {
        let mut child = command(arguments)
            .args(["--json", "--stop-on-eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("the output is piped");
        let read = BufReader::new(output).read_line(&mut line);
        if read.expect("its output") == 0 {
            child.wait().expect("the command ends");
            return None;
        }
        let report = serde_json::from_str(&line).expect("the line is JSON");
        Some(Self { child, report })
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("the command ends");
        assert!(status.success());
    }

    fn text(&self, path: &str) -> &str {
        let value = self.report.pointer(path).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("the report has no {path}: {}", self.report))
    }

    /// A client that trusts nothing but the file that the report names.
    fn client(&self) -> reqwest::Client {
        let pem = std::fs::read(self.text("/ca_file")).expect("the certificate was written");
        let certificate = reqwest::Certificate::from_pem(&pem).expect("a certificate");
        reqwest::Client::builder()
            .tls_certs_only([certificate])
            .build()
            .expect("a client")
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_config-azure-emulator"));
    command.args(arguments);
    command
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for files");
    folder
}

fn path(folder: &std::path::Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

async fn read(client: &reqwest::Client, url: &str, token: &str) -> Value {
    let request = client.get(url).bearer_auth(token);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    parse(&answer.text().await.expect("a body"))
}

#[tokio::test]
async fn a_world_of_files_is_served_on_ports_of_loopback_and_exported_again() {
    let folder = folder("serve");
    let reference =
        json!({"uri": "https://kv-orders.vault.azure.net/secrets/db-password"}).to_string();
    let content_type = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";
    let settings = json!({"items": [
        {"key": "orders:title", "value": "Shop", "label": null, "content_type": null, "tags": {}},
        {"key": "orders:password", "value": reference, "label": "prod", "content_type": content_type, "tags": {}},
    ]});
    let secrets = json!({"kv-orders": {
        "secrets": {
            "db-password": ["old", {"value": "new", "contentType": "text/plain", "exp": "2099-01-01T00:00:00Z"}],
            "off": {"value": "x", "enabled": false},
        },
        "keys": {"sign": {"kty": "EC", "crv": "P-384"}},
    }});
    std::fs::write(folder.join("settings.json"), settings.to_string()).expect("a file");
    std::fs::write(folder.join("vaults.json"), secrets.to_string()).expect("a file");
    let tool = Tool::start(&[
        "--store",
        "contoso",
        "--anonymous",
        "--local-references",
        "--seed",
        &path(&folder, "settings.json"),
        "--vault-seed",
        &path(&folder, "vaults.json"),
        "--export",
        &path(&folder, "exported.json"),
        "--ca-file",
        &path(&folder, "ca.pem"),
        "--env-file",
        &path(&folder, "env"),
    ]);
    let client = tool.client();

    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fvault.azure.net%2F.default",
        tool.text("/client_id"),
        tool.text("/client_secret")
    );
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        tool.text("/authority"),
        tool.text("/tenant_id")
    );
    let answer = client.post(url).body(form).send().await.expect("an answer");
    let token = parse(&answer.text().await.expect("a body"));
    let token = token["access_token"].as_str().expect("a token");

    let endpoint = tool.text("/stores/0/endpoint");
    assert!(tool.text("/stores/0/connection_string").contains(endpoint));
    let setting = read(
        &client,
        &format!("{endpoint}/kv/orders:password?label=prod&api-version=1.0"),
        token,
    )
    .await;
    let reference = parse(setting["value"].as_str().expect("a reference"));
    let uri = reference["uri"].as_str().expect("a uri");
    assert_eq!(
        uri,
        format!("{}/secrets/db-password", tool.text("/vaults/0/url"))
    );
    let secret = read(&client, &format!("{uri}?api-version=7.5"), token).await;
    assert_eq!(
        (&secret["value"], &secret["contentType"]),
        (&json!("new"), &json!("text/plain"))
    );
    let key = read(
        &client,
        &format!("{}/keys/sign?api-version=7.5", tool.text("/vaults/0/url")),
        token,
    )
    .await;
    assert_eq!(key["key"]["crv"], "P-384");

    let environment = std::fs::read_to_string(folder.join("env")).expect("the file was written");
    let line = format!("AZURE_AUTHORITY_HOST=\"{}\"", tool.text("/authority"));
    assert!(
        environment.lines().any(|found| found == line),
        "{environment}"
    );

    tool.stop();
    let exported =
        std::fs::read_to_string(folder.join("exported.json")).expect("the file was written");
    let exported = parse(&exported);
    let items = exported["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    for item in items {
        let key = &item["key"];
        let seeded = settings["items"]
            .as_array()
            .expect("items")
            .iter()
            .find(|seed| seed["key"] == *key);
        assert_eq!(
            Some(&item["value"]),
            seeded.map(|seed| &seed["value"]),
            "{key}"
        );
    }
}

/// Taken together, so that no two are the same.
fn three_free_ports() -> [u16; 3] {
    let taken = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let port = |listener: &std::net::TcpListener| listener.local_addr().expect("an address").port();
    taken.each_ref().map(port)
}

#[test]
fn ports_can_be_chosen() {
    let folder = folder("ports");
    let ca_file = path(&folder, "ca.pem");
    // Somebody else may take a port before the command has it; then there are others.
    let started = (0..5).find_map(|_| {
        let [store, vault, authority] = three_free_ports();
        let tool = Tool::try_start(&[
            "--store",
            &format!("contoso:{store}"),
            "--vault",
            &format!("kv:{vault}"),
            "--identity-port",
            &authority.to_string(),
            "--ca-file",
            &ca_file,
        ]);
        tool.map(|tool| (tool, store, vault, authority))
    });
    let (tool, store, vault, authority) = started.expect("the command starts");
    assert_eq!(
        tool.text("/stores/0/endpoint"),
        format!("https://localhost:{store}")
    );
    assert_eq!(
        tool.text("/vaults/0/url"),
        format!("https://localhost:{vault}")
    );
    assert_eq!(
        tool.text("/authority"),
        format!("https://localhost:{authority}")
    );
    tool.stop();
}

#[test]
fn mistakes_are_told_and_end_the_command() {
    let folder = folder("mistakes");
    std::fs::write(folder.join("bad.json"), "{").expect("a file");
    let bad = path(&folder, "bad.json");
    let missing = path(&folder, "missing.json");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--nonsense"], 2, "there is no option --nonsense"),
        (&["--page-size", "x"], 2, "--page-size wants a number"),
        (&["--seed", &missing], 1, "cannot read"),
        (
            &["--seed", &bad],
            1,
            "not a file of the appconfig/kvset profile",
        ),
        (&["--vault-seed", &bad], 1, "cannot understand"),
    ];
    for (arguments, code, words) in cases {
        let output = command(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the command ends");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?} {complaint}"
        );
        assert!(complaint.contains(words), "{complaint}");
    }
    let help = command(&["--help"]).output().expect("the command ends");
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("--vault-seed FILE"));
}
