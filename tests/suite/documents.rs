//! The documents name files and folders, and link to them and to each other's sections. Each one must be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 3] = ["", "docs", "examples"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document of the repository's own, and its text without what stands in fences.
fn documents() -> Vec<(PathBuf, String)> {
    let mut documents = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path).expect("a document");
                let plain = text.split("\n```").step_by(2);
                documents.push((path, plain.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    assert!(documents.len() > 12, "{}", documents.len());
    documents
}

/// A word in backticks that reads like a file or a folder of this repository.
fn is_path(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let tops = [
        "src/",
        "tests/",
        "examples/",
        "docs/",
        "benches/",
        "fuzz/",
        ".ci/",
    ];
    let shaped = tops.iter().any(|top| word.starts_with(top))
        || word.ends_with(".rs")
        || word.ends_with(".md")
        || word.ends_with('/');
    shaped && word.chars().all(plain) && word.contains(|c: char| c.is_ascii_alphanumeric())
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut named = 0;
    for (document, text) in documents() {
        let folder = document.parent().expect("a folder");
        let words = text
            .lines()
            .flat_map(|line| line.split('`').skip(1).step_by(2));
        for path in words.filter(|word| is_path(word)) {
            // The map of the rooms speaks of what is below `src`.
            let places = [root(), folder, &root().join("src")].map(|place| place.join(path));
            let found = places.iter().any(|place| match path.ends_with('/') {
                true => place.is_dir(),
                false => place.exists(),
            });
            assert!(found, "{} names {path}", document.display());
            named += 1;
        }
    }
    assert!(
        named > 50,
        "{named}: the paths are not where they should be"
    );
}

/// The names by which the sections of a document are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let title: String = title.chars().filter(kept).collect();
        title.replace(' ', "-")
    };
    titles.map(anchor).collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut followed = 0;
    for (document, text) in documents() {
        let links = text.split("](").skip(1);
        let links = links.filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("https://")) {
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().expect("a folder").join(path),
            };
            let shown = format!("{} links to {link}", document.display());
            assert!(target.exists(), "{shown}");
            if !section.is_empty() {
                let text = std::fs::read_to_string(&target).expect("a document");
                assert!(anchors(&text).contains(section), "{shown}");
            }
            followed += 1;
        }
    }
    assert!(
        followed > 40,
        "{followed}: the links are not where they should be"
    );
}
