//! The documents name tests as proof. Each one must be there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support;

const DOCUMENTS: [&str; 4] = [
    "docs/features.md",
    "docs/architecture.md",
    "docs/security.md",
    "README.md",
];
const CODE: [&str; 3] = ["src", "tests", "benches"];
/// The rows of the table that have no test, because there is none in the library.
const MISSING_BY_DECISION: [&str; 10] = [
    "Several connection strings",
    "Azure Front Door, anonymous",
    "Label default from environment or profile",
    "Raw bytes or file output (json, yaml, properties)",
    "Placeholder expansion `${...}`",
    "Certificate to TLS secret",
    "Legacy .NET schema",
    "Enhanced feature flags",
    "Offline / last known good on disk",
    "A copy of the last good configuration on disk, sealed",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).expect("a document")
}

/// The name of every function that follows a test attribute.
fn tests() -> BTreeSet<String> {
    let mut paths = Vec::new();
    for folder in CODE {
        support::rust_files(&root().join(folder), &mut paths);
    }
    let mut names = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(path).expect("a source file");
        let mut attributed = false;
        for line in text.lines().map(str::trim) {
            let function = line
                .strip_prefix("async ")
                .unwrap_or(line)
                .strip_prefix("fn ");
            match function.and_then(|rest| rest.split_once('(')) {
                Some((name, _)) if attributed => {
                    names.insert(name.to_owned());
                    attributed = false;
                }
                _ if line.starts_with("#[test") || line.starts_with("#[tokio::test") => {
                    attributed = true;
                }
                _ => {}
            }
        }
    }
    assert!(names.len() > 300, "the tests are not where they should be");
    names
}

/// What stands in backticks and reads like the name of a test: words joined by `_`, of which a few may lead through
/// modules, and an end that is left open (`t04_…`).
fn named(document: &str) -> Vec<String> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let plain = |text: &&str| {
        let word = text
            .rsplit("::")
            .next()
            .unwrap_or_default()
            .trim_end_matches('…');
        let numbered = word.len() >= 4 && word[1..3].bytes().all(|byte| byte.is_ascii_digit());
        (numbered || word.matches('_').count() >= 2)
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(plain).map(str::to_owned).collect()
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let tests = tests();
    for document in DOCUMENTS {
        for name in named(&read(document)) {
            let last = name.rsplit("::").next().unwrap_or_default();
            let found = match last.strip_suffix('…') {
                Some(start) => tests.iter().any(|test| test.starts_with(start)),
                None => tests.contains(last),
            };
            assert!(found, "{document} names {name}, which is not a test");
        }
    }
}

/// A threat of the list, its row in the document, and a test of its number in it.
#[test]
fn every_threat_has_its_row() {
    let list = read("tests/names/faults.tsv");
    let names = list.lines().filter_map(|line| line.split('\t').next());
    let threats: Vec<&str> = names.filter(|name| name.starts_with('t')).collect();
    assert_eq!(threats.len(), 22);
    let document = read("docs/security.md");
    for threat in threats {
        let start = format!("| {threat} | ");
        let row = document.lines().find(|line| line.starts_with(&start));
        let shown = row.is_some_and(|row| row.contains(&format!("`{threat}_")));
        assert!(shown, "{threat}");
    }
}

/// The numbered lines of the README, and the first cells of the table that has their tests.
#[test]
fn the_guarantees_are_the_same_in_both_documents() {
    let readme = read("README.md");
    let (_, behind) = readme
        .split_once("## Guarantees\n")
        .expect("the guarantees");
    let (list, _) = behind.split_once("\nRedaction ").expect("their end");
    let (_, list) = list.split_once("\n1. ").expect("the first");
    let said = format!("1. {list}").replace("\n   ", " ");
    let said: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();

    let table = read("docs/architecture.md");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let shown: Vec<&str> = rows
        .filter(|row| row.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|row| row.split(" | ").next())
        .collect();
    assert_eq!((said.len(), said), (10, shown));
}

#[test]
fn every_feature_is_shown_by_a_test_or_argued() {
    let text = read("docs/features.md");
    let tests = tests();
    let mut argued = BTreeSet::new();
    let mut rows = 0;
    for row in text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
    {
        let cells: Vec<&str> = row.split(" | ").collect();
        let feature = cells[0].trim_start_matches("| ");
        let ours = cells[1].trim_end_matches(" |");
        match (ours.strip_prefix("*yes*"), ours.strip_prefix("*no*: ")) {
            (Some(shown), _) => {
                let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
                assert!(!names.is_empty(), "{feature}: no test");
                for name in names {
                    assert!(tests.contains(name), "{feature}: {name} is not a test");
                }
            }
            (_, Some(why)) => {
                assert!(why.len() > 15, "{feature}: no reason");
                argued.insert(feature.to_owned());
            }
            _ => assert_eq!((feature, ours), ("Feature", "config-azure"), "{row}"),
        }
        rows += 1;
    }
    assert!(rows > 100, "{rows}");
    assert_eq!(argued, MISSING_BY_DECISION.map(str::to_owned).into());
}
