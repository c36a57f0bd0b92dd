//! The variables that name a proxy. Each case is a child of its own: this binary again, with one ignored test.
//!
//! The services and the proxy are the parent's. The proxy notes what it is asked for, and leads tunnels to the services.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use config::Config;
use config_azure::{AppConfiguration, ErrorKind, StartupOptions};
use config_azure_emulator::{Emulator, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::process::{child, must_pass};
use crate::support;

const STORE: &str = "contoso.azconfig.io";
const VAULTS: [&str; 2] = ["kv-orders.vault.azure.net", "kv-shared.vault.azure.net"];
/// Where a child finds the services: `HOST=ADDRESS`, separated by commas.
const HOSTS: &str = "CONFIG_AZURE_TEST_HOSTS";
const AUTHORITY: &str = "CONFIG_AZURE_TEST_CA";

/// A proxy on loopback that writes down the first line of every request.
struct Sink {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Sink {
    async fn before(emulator: &Emulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut task = JoinSet::new();
        let (noted, emulator) = (lines.clone(), emulator.clone());
        task.spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                tunnels.spawn(tunnel(client, noted.clone(), emulator.clone()));
            }
        });
        Self {
            address,
            lines,
            _task: task,
        }
    }

    /// What was asked for, in order of the alphabet.
    fn asked(&self) -> Vec<String> {
        let mut lines = self.lines.lock().expect("no panic").clone();
        lines.sort();
        lines
    }
}

/// Serves one connection: a tunnel to one of the services, and nothing else.
async fn tunnel(mut client: TcpStream, noted: Arc<Mutex<Vec<String>>>, emulator: Emulator) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default().to_owned();
    let host = line.strip_prefix("CONNECT ");
    let host = host.and_then(|rest| rest.split(':').next());
    let address = host.and_then(|host| emulator.address(host));
    noted.lock().expect("no panic").push(line);
    let Some(address) = address else {
        let _ = client.write_all(b"HTTP/1.1 502 No\r\n\r\n").await;
        return;
    };
    let mut service = TcpStream::connect(address).await.expect("the service");
    if client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
    }
}

fn connects(hosts: &[&str]) -> Vec<String> {
    let lines = hosts
        .iter()
        .map(|host| format!("CONNECT {host}:443 HTTP/1.1"));
    lines.collect()
}

/// A child whose proxy variables are these and no others, and that knows the way to the services without a proxy, too.
async fn run(emulator: &Emulator, test: &str, variables: &[(&str, &str)]) -> Output {
    let mut command: Command = child(test);
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    for name in [
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "IDENTITY_ENDPOINT",
        "MSI_ENDPOINT",
        "REQUEST_METHOD",
    ] {
        command.env_remove(name);
    }
    let address = |host: &str| emulator.address(host).expect("a service");
    let hosts = [STORE, VAULTS[0], VAULTS[1]].map(|host| format!("{host}={}", address(host)));
    command
        .env("AZURE_TOKEN_CREDENTIALS", "prod")
        .env(HOSTS, hosts.join(","))
        .env(AUTHORITY, emulator.ca_pem())
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.expect("no panic").expect("a child")
}

/// As in production, but for the private authority, and names that lead to loopback if they are asked without a proxy.
fn builder() -> config_azure::AppConfigurationBuilder {
    let variable = |name| std::env::var(name).expect("set by the parent");
    let pem = reqwest::Certificate::from_pem(variable(AUTHORITY).as_bytes());
    let (pem, hosts) = (pem.expect("a certificate"), variable(HOSTS));
    AppConfiguration::builder()
        .endpoint(format!("https://{STORE}"))
        .default_credential()
        .http_client(move |builder| {
            let builder = builder.tls_certs_only([pem.clone()]);
            // From loopback there is no way out of this machine.
            let builder = builder.local_address(std::net::IpAddr::from([127, 0, 0, 1]));
            hosts.split(',').fold(builder, |builder, host| {
                let (host, address) = host.split_once('=').expect("HOST=ADDRESS");
                builder.resolve(host, address.parse().expect("an address"))
            })
        })
}

#[tokio::test]
async fn f67_the_variables_name_the_proxy_of_store_and_vaults() {
    let emulator = support::world().await;
    let authority = emulator.address("login.microsoftonline.com");
    let endpoint = format!("http://{}/msi/token", authority.expect("the authority"));
    let header = emulator.identity().identity_header();
    let all = [STORE, VAULTS[0], VAULTS[1]];
    for (no_proxy, proxied) in [
        (None, &all[..]),
        (Some(".azconfig.io"), &VAULTS[..]),
        (Some("vault.azure.net, example.com"), &[STORE][..]),
        (Some("*"), &[][..]),
    ] {
        let sink = Sink::before(&emulator).await;
        emulator.log().clear();
        let url = format!("http://{}", sink.address);
        let mut variables = vec![
            ("HTTPS_PROXY", url.as_str()),
            ("HTTP_PROXY", url.as_str()),
            ("IDENTITY_ENDPOINT", endpoint.as_str()),
            ("IDENTITY_HEADER", header.as_str()),
        ];
        variables.extend(no_proxy.map(|hosts| ("NO_PROXY", hosts)));
        must_pass(&run(&emulator, "proxies::child_that_loads", &variables).await);
        // Tunnels alone, each once; and the identity endpoint, which gave the tokens, was not asked through the proxy.
        assert_eq!(sink.asked(), connects(proxied), "{no_proxy:?}");
        assert_eq!(emulator.log().count(Route::store()), 1);
        assert!(emulator.log().count(Route::identity()) > 0);
    }
}

#[tokio::test]
#[ignore = "run by f67"]
async fn child_that_loads() {
    let azure = builder().load().await.expect("a load");
    let config = Config::builder()
        .add_source(azure)
        .build()
        .expect("a build");
    let password = config.get_string("db.password").expect("it");
    assert_eq!(password, "hunter2-of-the-database");
}

/// Without an identity endpoint the metadata service of the machine is asked, which is link-local; here nothing gets there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn t17_the_metadata_service_is_not_asked_through_a_proxy() {
    let emulator = support::world().await;
    let sink = Sink::before(&emulator).await;
    let url = format!("http://{}", sink.address);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let variables = [(name, url.as_str()), ("HTTPS_PROXY", url.as_str())];
        let output = run(&emulator, "proxies::child_without_an_identity", &variables).await;
        must_pass(&output);
        assert_eq!(sink.asked(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
#[ignore = "run by t17"]
async fn child_without_an_identity() {
    let startup = StartupOptions::new().deadline(support::secs(1));
    let error = builder().startup(startup).load().await;
    let error = error.expect_err("nobody gives a token");
    assert_eq!(error.kind(), ErrorKind::Credential, "{error}");
    let cause = std::error::Error::source(&error).expect("the credential's error");
    let said = cause.to_string();
    assert!(said.contains("no instance metadata service"), "{said}");
}
