//! T9: how many copies of a secret there are in this process, and that none is left of an old one.
//!
//! The measuring process never holds the searched text in one piece: it knows it letter by letter. The services run in
//! a process of their own.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use config_azure_emulator::Emulator;
use reqwest::ClientBuilder;

use super::*;
use crate::time::SystemClock;

const HOST: &str = "kv-orders.vault.azure.net";
const LENGTH: usize = 64;
/// Beyond our own copy: one in the buffer of TLS until the next record comes, and one in the read buffer of HTTP/2 until
/// some 16 KB of further answers have passed through the connection. Neither crate wipes them, and neither can be
/// reached from here.
const BUFFERS: usize = 2;

/// One letter of the secret with this number.
fn letter(secret: u64, at: usize) -> u8 {
    let mut state = secret
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(at as u64 + 1);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[(state >> 33) as usize % 62]
}

fn is_secret(secret: u64, text: &str) -> bool {
    text.len() == LENGTH
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte == letter(secret, at))
}

/// How often the middle 24 bytes of a secret stand in this process's memory.
fn copies(secret: u64) -> usize {
    const MIDDLE: std::ops::Range<usize> = 20..44;
    let memory = File::open("/proc/self/mem").unwrap();
    let mut buffer = vec![0; 1 << 20];
    let own = buffer.as_ptr() as usize..buffer.as_ptr() as usize + buffer.len();
    let mut found = 0;
    for (start, end) in regions() {
        let mut at = start;
        while at < end {
            let want = buffer.len().min(end - at);
            let Ok(read) = memory.read_at(&mut buffer[..want], at as u64) else {
                break;
            };
            let here =
                buffer[..read]
                    .windows(MIDDLE.len())
                    .enumerate()
                    .filter(|(offset, window)| {
                        !own.contains(&(at + offset))
                            && window
                                .iter()
                                .zip(MIDDLE)
                                .all(|(byte, index)| *byte == letter(secret, index))
                    });
            found += here.count();
            if at + read >= end || read < want {
                break;
            }
            // The next piece begins where a match could have been cut.
            at += read - MIDDLE.len() + 1;
        }
        buffer.fill(0);
    }
    found
}

/// The writable parts of this process's address space.
fn regions() -> Vec<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let regions = maps.lines().filter(|line| line.contains(" rw"));
    let address = |text: &str| usize::from_str_radix(text, 16).unwrap();
    regions
        .filter_map(|line| line.split(' ').next()?.split_once('-'))
        .map(|(start, end)| (address(start), address(end)))
        .collect()
}

fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("reference::tests::memory::{test}"),
        "--ignored",
        "--nocapture",
    ]);
    command
}

#[test]
fn t09_an_old_secret_leaves_the_memory() {
    let output = child("child_measures").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!(
        "{}",
        text.lines()
            .find(|line| line.contains("copies"))
            .unwrap_or_default()
    );
}

/// The services, in a process of their own: told which secret to hold, line by line.
struct Services {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Services {
    fn start() -> Self {
        let mut process = child("child_services")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (
            process.stdin.take().unwrap(),
            BufReader::new(process.stdout.take().unwrap()),
        );
        Self {
            process,
            input,
            output,
        }
    }

    /// The rest of the next line that begins so.
    fn line(&mut self, start: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "the services ended"
            );
            if let Some(rest) = line.trim_end().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    fn hold(&mut self, secret: u64) {
        writeln!(self.input, "{secret}").unwrap();
        self.line("holding");
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "run by child_measures"]
fn child_services() {
    let emulator = Emulator::builder()
        .vault("kv-orders")
        .start_blocking()
        .unwrap();
    println!("\nca {}", emulator.ca_pem().replace('\n', "|"));
    println!("port {}", emulator.address(HOST).unwrap().port());
    let (token, _) = emulator.issuer().issue(
        "https://vault.azure.net",
        std::time::Duration::from_secs(3600),
        emulator.clock().now(),
    );
    println!("token {token}");
    for line in std::io::stdin().lines() {
        let secret = line.unwrap().parse().unwrap();
        let text: Vec<u8> = (0..LENGTH).map(|at| letter(secret, at)).collect();
        emulator
            .vault("kv-orders")
            .set_secret("db", String::from_utf8(text).unwrap());
        println!("holding");
    }
}

#[derive(Debug)]
struct Fixed(String);

#[async_trait::async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        let end =
            azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1);
        Ok(azure_core::credentials::AccessToken::new(
            self.0.clone(),
            end,
        ))
    }
}

#[test]
#[ignore = "run by t09_an_old_secret_leaves_the_memory"]
fn child_measures() {
    let mut services = Services::start();
    let ca = services.line("ca ").replace('|', "\n");
    let port: u16 = services.line("port ").parse().unwrap();
    let token = services.line("token ");
    let hook: HttpHook = Arc::new(move |builder: ClientBuilder| {
        let ca = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
        builder
            .tls_certs_only([ca])
            .resolve(HOST, ([127, 0, 0, 1], port).into())
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let hosts = HostPolicy::new();
        let guard = Guard::new(reqwest_transport(Some(&hook)).unwrap(), hosts.clone(), Limits::default());
        let permit = move |origin| hosts.permit(origin, HostKind::Vault);
        let credential: Arc<dyn TokenCredential> = Arc::new(Fixed(token));
        let references = References::new(KeyVaultOptions::new(), Some(credential), guard, permit, Arc::new(SystemClock)).unwrap();
        let id = secret_id(&format!("https://{HOST}/secrets/db"));
        services.hold(0);
        let held = references.read(&id).await.unwrap();
        assert!(is_secret(0, text(&held)));
        let live = copies(0);
        drop(held);
        let mut last = 0;
        let mut rotate = async |times: u64, services: &mut Services| {
            for _ in 0..times {
                last += 1;
                services.hold(last);
                assert!(is_secret(last, text(&references.read(&id).await.unwrap())));
            }
            copies(0)
        };
        let once = rotate(1, &mut services).await;
        let twenty = rotate(19, &mut services).await;
        let many = rotate(180, &mut services).await;
        println!("\ncopies of a secret: {live} while it is held; of an old one {once} after one rotation, {twenty} after 20, {many} after 200");
        assert!((1..=1 + BUFFERS).contains(&live), "{live} copies are alive");
        assert!(once <= BUFFERS && twenty <= BUFFERS, "{once} copies after one rotation, {twenty} after 20");
        assert_eq!(many, 0, "copies after 200 rotations");
    });
}
