//! What the dependencies must and must not be. `cargo deny` checks the same and more, where it is installed.

use std::collections::BTreeMap;

/// The version from which a dependency has a fix that this library leans on.
const FLOORS: [(&str, [u32; 3]); 4] = [
    ("arc-swap", [1, 9, 1]),
    ("azure_security_keyvault_secrets", [1, 0, 1]),
    ("idna", [1, 0, 3]),
    ("url", [2, 5, 4]),
];
/// A second TLS stack or crypto provider.
/// Not `ring`: it stands in the lock file for a feature that nobody turns on. `.ci/steps/40-tree.sh` looks for it in
/// the resolved tree.
const BANNED: [&str; 3] = ["native-tls", "openssl", "openssl-sys"];

fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every version of every package in `Cargo.lock`.
fn locked() -> BTreeMap<String, Vec<[u32; 3]>> {
    let mut packages: BTreeMap<String, Vec<[u32; 3]>> = BTreeMap::new();
    let text = file("Cargo.lock");
    for package in text.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.strip_prefix(" = "))
                .expect("a field")
                .trim_matches('"')
        };
        let numbers = field("version").split(['.', '-', '+']).take(3);
        let numbers: Vec<u32> = numbers
            .map(|part| part.parse().expect("a number"))
            .collect();
        let version = numbers.try_into().expect("three numbers");
        packages
            .entry(field("name").to_owned())
            .or_default()
            .push(version);
    }
    packages
}

#[test]
fn t22_dependencies_are_above_their_floors_and_none_is_banned() {
    let locked = locked();
    assert!(locked.len() > 100, "Cargo.lock was not read");
    let deny = file("deny.toml");
    for (name, floor) in FLOORS {
        for version in &locked[name] {
            assert!(*version >= floor, "{name} {version:?} is below {floor:?}");
        }
        let [major, minor, patch] = floor;
        let rule = format!("\"{name}:<{major}.{minor}.{patch}\"");
        assert!(deny.contains(&rule), "deny.toml lacks {rule}");
    }
    for name in BANNED {
        assert!(!locked.contains_key(name), "{name} is in the tree");
        assert!(
            deny.contains(&format!("crate = \"{name}\"")),
            "deny.toml does not ban {name}"
        );
    }
    assert!(file("src/lib.rs").contains("#![forbid(unsafe_code)]"));
}
