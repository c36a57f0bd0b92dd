//! Faults that are those of a whole process. Each is acted out in a child: this binary again, with one ignored test.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config_azure::{ErrorKind, Live, RefreshOptions};
use config_azure_emulator::Route;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use serde::Deserialize;

use crate::support;

const MIB: usize = 1 << 20;

/// The arguments that run one ignored test of this binary.
fn arguments(test: &str) -> [&str; 4] {
    ["--exact", test, "--ignored", "--nocapture"]
}

fn this_binary() -> std::path::PathBuf {
    std::env::current_exe().expect("the path of this binary")
}

/// A process that runs one ignored test of this binary, named with its module.
pub fn child(test: &str) -> Command {
    let mut command = Command::new(this_binary());
    command.args(arguments(test));
    command
}

pub fn must_pass(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && text.contains("1 passed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(passed, "{}: {text}{complaint}", output.status);
}

#[test]
fn f81_a_blocking_load_outside_a_runtime_loads_and_refreshes() {
    // The emulator's runtime is on threads of its own.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let emulator = runtime.block_on(support::world());
    let azure = support::by_token(&emulator)
        .refresh(RefreshOptions::new().every(Duration::from_secs(1)))
        .load_blocking()
        .expect("a load");
    let source = Config::builder().add_source(azure.clone());
    let config = source.build().expect("a plain build, without a runtime");
    assert_eq!(
        config.get_string("db.host").expect("it"),
        "db.contoso.example"
    );
    let before = emulator.log().count(Route::store_list());
    emulator.store("contoso").set("db:host", None, "another");
    let mut changes = azure.changes();
    let changed = runtime.block_on(changes.next()).expect("a change");
    assert_eq!(support::paths(&changed), ["db.host"]);
    assert!(emulator.log().count(Route::store_list()) > before);
    drop((azure, changes));
}

#[tokio::test]
async fn f81_a_blocking_load_inside_a_runtime_is_a_typed_error() {
    let emulator = support::world().await;
    let error = support::by_token(&emulator)
        .load_blocking()
        .expect_err("it would block this runtime");
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert!(error.to_string().contains("load().await"), "{error}");
    let builder = support::by_token(&emulator);
    let elsewhere = tokio::task::spawn_blocking(move || builder.load_blocking());
    let error = elsewhere.await.expect("no panic").expect_err("as well");
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(emulator.log().count(Route::any()), 0);

    // A plain thread has no runtime, whatever its process has.
    let builder = support::by_token(&emulator);
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || tell.send(builder.load_blocking()));
    let azure = told.await.expect("no panic").expect("a load");
    // Both ways of building work here, because nothing is asked of the network.
    Config::builder()
        .add_source(azure.clone())
        .build()
        .expect("a sync build");
    Config::builder()
        .add_async_source(azure)
        .build()
        .await
        .expect("an async build");
}

/// The child's side of a conversation, line by line.
struct Talk {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn with(test: &str) -> Self {
        let mut command = child(test);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a child");
        Self {
            input: process.stdin.take().expect("its input"),
            output: BufReader::new(process.stdout.take().expect("its output")),
            process,
        }
    }

    /// The rest of the next line that begins so.
    fn hear(&mut self, start: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.output.read_line(&mut line).expect("its output");
            assert!(read > 0, "the child has ended");
            if let Some(rest) = line.trim_end().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status();
        assert!(killed.expect("kill").success());
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// With `CONFIG_AZURE_STOP=60` the process stands still for the whole minute.
#[test]
fn f83_a_process_that_stood_still_catches_up_with_one_check() {
    let stop = std::env::var("CONFIG_AZURE_STOP").ok();
    let stop = stop.map_or(5, |text| text.parse().expect("seconds"));
    let mut child = Talk::with("process::child_that_is_stopped");
    child.hear("ready");
    child.signal("-STOP");
    // This is the fault itself, not a wait for something.
    std::thread::sleep(Duration::from_secs(stop));
    child.signal("-CONT");
    writeln!(child.input, "continued").expect("its input");
    let checks: usize = child.hear("checks ").parse().expect("a number");
    println!(
        "stopped for {stop} s at an interval of 1 s: {checks} checks until the change was there"
    );
    // One may have been under way before the change, and one had begun when the process stopped.
    assert!(checks <= 3, "{checks} checks");
    assert_eq!(child.hear("saw "), "db.host");
}

#[tokio::test]
#[ignore = "run by f83"]
async fn child_that_is_stopped() {
    let emulator = support::world().await;
    let often = RefreshOptions::new().every(Duration::from_secs(1));
    let azure = support::by_token(&emulator).refresh(often).load().await;
    let azure = azure.expect("a load");
    let mut changes = azure.changes();
    emulator.log().wait_for(Route::store_list(), 2).await;
    println!("\nready");
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    wait.await.expect("no panic").expect("a line").expect("it");
    emulator.log().clear();
    emulator.store("contoso").set("db:host", None, "another");
    let changed = changes.next().await.expect("a change");
    println!("checks {}", emulator.log().count(Route::store_list()));
    println!("saw {}", support::paths(&changed).join(" "));
}

#[test]
fn f84_a_mebibyte_is_loaded_over_tls_within_64() {
    let prlimit = Path::new("/usr/bin/prlimit");
    if !prlimit.exists() {
        println!("skipped: there is no {}", prlimit.display());
        return;
    }
    let output = Command::new(prlimit)
        .arg(format!("--data={}", 64 * MIB))
        .arg(this_binary())
        .args(arguments("process::child_with_little_memory"))
        .output()
        .expect("prlimit");
    must_pass(&output);
}

/// The services in the same process, so that the client has less than the limit.
#[tokio::test]
#[ignore = "run by f84"]
async fn child_with_little_memory() {
    #[derive(Deserialize)]
    struct Settings {
        texts: std::collections::BTreeMap<String, String>,
    }
    let emulator = support::world().await;
    let text = "t".repeat(8 * 1024);
    for n in 0..128 {
        let key = format!("texts:t{n}");
        emulator.store("contoso").set(&key, None, &text);
    }
    let azure = support::by_token(&emulator).load().await.expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let mut live: Live<Settings> = azure.live(layers).await.expect("a live value");
    let size: usize = live.load().texts.values().map(String::len).sum();
    assert_eq!(size, MIB);
    emulator.store("contoso").set("texts:t0", None, "another");
    assert!(azure.refresh().await.expect("a check").is_updated());
    let now = live.changed().await.expect("a value");
    assert_eq!(now.texts["t0"], "another");
}

/// Which provider of cryptography an application installs for its own TLS is none of our business, nor the other way round.
#[test]
fn f87_a_foreign_crypto_provider_does_not_matter() {
    for installed in [
        "process::child_without_a_provider",
        "process::child_with_its_own_provider",
    ] {
        must_pass(&child(installed).output().expect("a child"));
    }
}

#[tokio::test]
#[ignore = "run by f87"]
async fn child_without_a_provider() {
    load_and_refresh().await;
    let default = CryptoProvider::get_default();
    assert!(default.is_none(), "a library installs none");
}

#[tokio::test]
#[ignore = "run by f87"]
async fn child_with_its_own_provider() {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    assert_eq!(provider.cipher_suites.len(), 1);
    provider.install_default().expect("the first one");
    let installed = Arc::clone(CryptoProvider::get_default().expect("it"));
    load_and_refresh().await;
    let still = CryptoProvider::get_default().expect("it");
    assert!(Arc::ptr_eq(still, &installed), "it is not replaced");
}

async fn load_and_refresh() {
    let emulator = support::world().await;
    let azure = support::by_token(&emulator).load().await.expect("a load");
    emulator.store("contoso").set("db:host", None, "another");
    assert!(azure.refresh().await.expect("a check").is_updated());
}
