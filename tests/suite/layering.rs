//! The `use crate::` lines of `src` against the table in `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support;

const GROUND: [&str; 7] = [
    "json",
    "error",
    "secret",
    "time",
    "environment",
    "telemetry",
    "task",
];
const MOST_LINES: usize = 450;

/// Room → the rooms it may use; `None` for "everything".
fn table(document: &str) -> BTreeMap<String, Option<BTreeSet<String>>> {
    let (_, rest) = document
        .split_once("<!-- layering -->")
        .expect("the table's start");
    let (table, _) = rest
        .split_once("<!-- /layering -->")
        .expect("the table's end");
    let names = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    table
        .lines()
        .filter(|line| line.contains('`'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            let room = names(cells[1]).pop_first().expect("a room");
            (
                room,
                (cells[2].trim() != "everything").then(|| names(cells[2])),
            )
        })
        .collect()
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    support::rust_files(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 10, "the sources are not where they should be");
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file");
            (
                path.strip_prefix(&root).expect("below src").to_owned(),
                text,
            )
        })
        .collect()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        matches!(
            part.as_os_str().to_str(),
            Some("tests" | "tests.rs" | "testing" | "testing.rs")
        )
    })
}

/// The first path segment, without `.rs`: the room.
fn room(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .expect("a component")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms named by `crate::` paths in the code above the file's own test module, comments left out.
fn used(text: &str) -> BTreeSet<String> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| name.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

#[test]
fn rooms_import_only_what_the_architecture_allows() {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md"))
            .expect("docs/architecture.md");
    let table = table(&document);
    let mut wrong = Vec::new();
    for (path, text) in all_sources() {
        let room = room(&path);
        if room == "lib" || is_test(&path) {
            continue;
        }
        if GROUND.contains(&room.as_str()) {
            continue;
        }
        let Some(allowed) = table.get(&room) else {
            wrong.push(format!("{room}: not in the table"));
            continue;
        };
        let Some(allowed) = allowed else { continue };
        for name in used(&text) {
            if name != room && !GROUND.contains(&name.as_str()) && !allowed.contains(&name) {
                wrong.push(format!("{}: uses crate::{name}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "against docs/architecture.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_room_is_a_pile() {
    let long: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {MOST_LINES} lines:\n{}",
        long.join("\n")
    );
}
