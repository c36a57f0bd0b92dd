//! `docs/troubleshooting.md` has a row for every kind of error and warning, and for none that is not there.

use std::collections::BTreeSet;

const ENUMS: [(&str, &str); 3] = [
    ("ErrorKind", include_str!("../../src/error.rs")),
    ("SecretErrorKind", include_str!("../../src/error/secret.rs")),
    ("WarningKind", include_str!("../../src/setting/warning.rs")),
];

/// The variants of an enum: the lines of its body that are neither documentation nor attributes.
fn variants<'a>(name: &str, source: &'a str) -> BTreeSet<&'a str> {
    let (_, behind) = source
        .split_once(&format!("pub enum {name} {{\n"))
        .expect("the enum");
    let (body, _) = behind.split_once("\n}").expect("its end");
    let lines = body.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.trim_end_matches(','))
        .collect()
}

#[test]
fn every_kind_has_a_row() {
    let document = include_str!("../../docs/troubleshooting.md");
    for (name, source) in ENUMS {
        let (_, behind) = document
            .split_once(&format!("<!-- {name} -->\n"))
            .expect("a section");
        let (table, _) = behind.split_once("<!-- / -->").expect("an end");
        let rows = table.lines().skip(2);
        let listed: BTreeSet<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        let variants = variants(name, source);
        assert!(variants.len() > 6, "{name}: {variants:?}");
        assert_eq!(listed, variants, "{name}");
    }
}
