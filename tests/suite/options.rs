//! `docs/options.md` lists every option of the builders and every variable, and none that is not there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support;

/// Each section of the document that is named after a type, and what its rows are.
const TYPES: [(&str, Item); 9] = [
    ("AppConfigurationBuilder", Item::Method),
    ("SettingSelector", Item::Method),
    ("KeyVaultOptions", Item::Method),
    ("VaultOptions", Item::Method),
    ("RefreshOptions", Item::Method),
    ("StartupOptions", Item::Method),
    ("LiveBuilder", Item::Method),
    ("AppConfigurationOptions", Item::Field),
    ("SelectorOptions", Item::Field),
];

/// Public methods that are no option: they make or end a builder.
const NO_OPTIONS: [&str; 5] = ["new", "build", "load", "load_blocking", "start"];

#[derive(Clone, Copy)]
enum Item {
    Method,
    Field,
}

impl Item {
    /// How a block of the type begins, and a line in it that declares one.
    fn shape(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Method => ("impl", &["pub fn ", "pub async fn "]),
            Self::Field => ("pub struct", &["pub "]),
        }
    }
}

/// The code of the library without its tests.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    support::rust_files(&root, &mut paths);
    let is_test = |path: &Path| {
        let below = path.strip_prefix(&root).expect("below src");
        below.components().any(|part| part.as_os_str() == "tests")
    };
    let code = paths.into_iter().filter(|path| !is_test(path));
    let text = |path| std::fs::read_to_string(path).expect("a source file");
    let own = |text: String| {
        text.split("#[cfg(test)]\nmod tests {")
            .next()
            .map(str::to_owned)
    };
    code.map(text).filter_map(own).collect()
}

/// What stands between `<!-- name -->` and the next `<!-- / -->`, without the head of its table.
fn rows(name: &str) -> Vec<String> {
    let document = include_str!("../../docs/options.md");
    let (_, behind) = document
        .split_once(&format!("<!-- {name} -->\n"))
        .unwrap_or_else(|| panic!("no section for {name}"));
    let (table, _) = behind.split_once("<!-- / -->").expect("an end");
    table.lines().skip(2).map(str::to_owned).collect()
}

/// The names in backticks in the first cell of each row, without what stands in parentheses.
fn listed(name: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for row in rows(name) {
        let cell = row
            .trim_start_matches("| ")
            .split(" | ")
            .next()
            .unwrap_or_default()
            .to_owned();
        for quoted in cell.split('`').skip(1).step_by(2) {
            let plain = quoted.split('(').next().unwrap_or_default();
            assert!(
                names.insert(plain.to_owned()),
                "{name}: {plain} stands there twice"
            );
        }
    }
    names
}

/// The public methods or fields of a type.
fn declared(name: &str, item: Item, sources: &[String]) -> BTreeSet<String> {
    let (block, declarations) = item.shape();
    let mut names = BTreeSet::new();
    for source in sources {
        let mut inside = false;
        for line in source.lines() {
            if line.starts_with(block) && !line.contains(" for ") {
                inside = line
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == name);
            } else if line == "}" {
                inside = false;
            }
            let line = line.trim();
            let rest = declarations
                .iter()
                .find_map(|start| line.strip_prefix(start));
            let word = rest.and_then(|rest| rest.split(['(', '<', ':']).next());
            names.extend(word.filter(|_| inside).map(str::to_owned));
        }
    }
    names.retain(|name| !NO_OPTIONS.contains(&name.as_str()) && !name.starts_with("struct "));
    names
}

#[test]
fn the_document_lists_every_option_and_no_other() {
    let sources = sources();
    let mut all = 0;
    for (name, item) in TYPES {
        let declared = declared(name, item, &sources);
        assert_eq!(listed(name), declared, "{name}");
        all += declared.len();
    }
    assert!(all > 90, "{all}: the options are not where they should be");
}

/// Texts in the code that read like the name of a variable of Azure's tools.
#[test]
fn the_document_lists_every_variable_that_is_read() {
    let listed = listed("environment");
    let name = |text: &&str| {
        let known = ["AZURE_", "IDENTITY_", "MSI_"];
        known.iter().any(|start| text.starts_with(start))
            && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let sources = sources();
    let read: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(name)
        .collect();
    assert!(read.len() > 10, "{read:?}");
    for name in read {
        assert!(listed.contains(name), "{name} is read and not listed");
    }
}
