//! A process that has run out of what connections are made of. Each case is a process of its own: this binary again, with
//! one ignored test.

use std::io::ErrorKind::AddrNotAvailable;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::network::{ALL, HOST, Names, Network, client};
use super::shown;
use crate::error::ErrorKind;

/// Runs one ignored test of this file by `command`, to which its path and arguments are added.
fn must_pass(mut command: Command, test: &str) {
    let test = format!("store::tests::exhaustion::{test}");
    let child = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    let complaint = String::from_utf8_lossy(&child.stderr);
    assert!(
        child.status.success() && told.contains("1 passed"),
        "{told}{complaint}"
    );
}

#[test]
fn f65_out_of_descriptors_and_back() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 200 && exec \"$0\" \"$@\""]);
    must_pass(command, "out_of_descriptors");
}

#[tokio::test]
#[ignore = "run by f65 in a process with few descriptors"]
async fn out_of_descriptors() {
    let network = Network::new().await;
    let walk = network.store.load(&|_| {}).await.unwrap();
    // A client that has no connection yet, so that it needs a descriptor.
    let names = Arc::new(network.names.clone());
    let refused = client(&network.emulator, names, Duration::from_secs(2));
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < 1000, "the limit is not low");
    }
    let error = refused.load(&|_| {}).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    drop(taken);
    network.finds_nothing_new(&walk).await;
    assert_eq!(shown(&refused.load(&|_| {}).await.unwrap()), ALL);
}

/// A network of its own, as far as this machine allows that without privileges, with few ports for outgoing connections.
#[cfg(target_os = "linux")]
fn few_ports() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c"]);
    command.arg(
        "ip link set lo up && echo 40000 40063 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"",
    );
    command
}

#[cfg(target_os = "linux")]
#[test]
fn f65_out_of_ports_and_back() {
    let probe = few_ports().arg("true").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        println!("skipped: no network namespace without privileges here");
        return;
    }
    must_pass(few_ports(), "out_of_ports");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by f65 in a network with few ports"]
async fn out_of_ports() {
    let network = Network::new().await;
    let walk = network.store.load(&|_| {}).await.unwrap();
    // A client that has no connection yet, and goes to the store without a proxy, which would need ports as well.
    let store = network.emulator.address(HOST).unwrap();
    let names = Names::default();
    names.lead_to(&[store]);
    let refused = client(&network.emulator, Arc::new(names), Duration::from_secs(5));
    let mut taken = Vec::new();
    let full = loop {
        match TcpStream::connect(store).await {
            Ok(stream) => taken.push(stream),
            Err(error) => break error,
        }
        assert!(taken.len() < 1000, "the ports are not few");
    };
    assert_eq!(full.kind(), AddrNotAvailable);
    let error = refused.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.is_transient(), "{error}");
    // The connection that there is goes on.
    network.finds_nothing_new(&walk).await;
    for stream in taken {
        // Reset, so that the port is free at once.
        stream.set_zero_linger().unwrap();
    }
    assert_eq!(shown(&refused.load(&|_| {}).await.unwrap()), ALL);
}
