//! The service's filter grammar (provider-spec 1.4), checked before anything is sent.

use crate::error::{Error, Result, printable};

const LONGEST: usize = 256;
const MOST_KEYS: usize = 5;

/// Checks a key filter. The server would refuse most of these with a bare 400, and read some as "everything".
pub(super) fn check_key_filter(filter: &str) -> Result<()> {
    check_text("key filter", filter)?;
    if filter.is_empty() {
        return Err(refused(
            "key filter",
            filter,
            "is empty; use all() for everything",
        ));
    }
    if filter == "*" {
        return Ok(());
    }
    let elements = split_list(filter);
    if elements.len() > MOST_KEYS {
        return Err(refused("key filter", filter, "names more than five keys"));
    }
    let lone = elements.len() == 1;
    for element in &elements {
        check_element(element, lone).map_err(|why| refused("key filter", filter, why))?;
    }
    Ok(())
}

fn check_element(element: &str, wildcard: bool) -> Result<(), &'static str> {
    if element.is_empty() {
        return Err("has an empty element");
    }
    let mut rest = element.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.next().is_none() => return Err("ends in a lone backslash"),
            '*' if !wildcard => return Err("has a wildcard inside a list"),
            '*' if !rest.as_str().is_empty() => {
                return Err("has a wildcard that is not at the end");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks a label, which must be one literal label.
pub(super) fn check_label(label: &str) -> Result<()> {
    check_text("label", label)?;
    if label.contains(['*', ',']) {
        let why = "must be one label without wildcard or list; give several to labels()";
        return Err(refused("label", label, why));
    }
    Ok(())
}

/// Checks a snapshot's name. It stands in a path, where the service refuses `%25` and where `.` and `..` get lost
/// (provider-spec 1.1).
pub(super) fn check_snapshot_name(name: &str) -> Result<()> {
    const WHAT: &str = "snapshot name";
    check_text(WHAT, name)?;
    if name.trim().is_empty() {
        return Err(refused(WHAT, name, "is empty"));
    }
    if name.contains('%') {
        return Err(refused(WHAT, name, "holds a '%', which no path can carry"));
    }
    if matches!(name, "." | "..") {
        return Err(refused(WHAT, name, "is one that no path can carry"));
    }
    Ok(())
}

/// Length and characters that the service would refuse.
pub(super) fn check_text(what: &str, text: &str) -> Result<()> {
    if text.chars().count() > LONGEST {
        return Err(refused(what, text, "is longer than 256 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(refused(what, text, "holds a control character"));
    }
    Ok(())
}

pub(super) fn refused(what: &str, text: &str, why: &str) -> Error {
    Error::option(format!("the {what} '{}' {why}", printable(text)))
}

/// Splits at commas that are not escaped.
fn split_list(filter: &str) -> Vec<&str> {
    let mut elements = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in filter.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                elements.push(&filter[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    elements.push(&filter[start..]);
    elements
}

/// The filter that matches a text literally.
pub(super) fn literal(text: &str) -> String {
    escape(text, &['*', ',', '\\'])
}

/// One tag as the service's tag filter, matching literally. `None` is the null value.
pub(super) fn tag_filter(name: &str, value: Option<&str>) -> String {
    let reserved = ['*', ',', '\\', '='];
    let value = value.map_or_else(|| "\0".to_owned(), |value| escape(value, &reserved));
    format!("{}={value}", escape(name, &reserved))
}

fn escape(text: &str, reserved: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if reserved.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A key filter with a prefix before each of its elements.
pub(super) fn prefixed(prefix: &str, filter: &str) -> String {
    let elements: Vec<String> = split_list(filter)
        .into_iter()
        .map(|element| format!("{prefix}{element}"))
        .collect();
    elements.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_filters() {
        for fine in [
            "*",
            "a",
            "orders:*",
            "a,b,c,d,e",
            r"a\,b",
            r"a\*",
            r"a\\*",
            r"a\*b*",
            "ü 漢",
        ] {
            assert!(check_key_filter(fine).is_ok(), "{fine}");
        }
        let long = "k".repeat(257);
        for bad in [
            "",
            "*a",
            "a*b",
            "**",
            "a,b*",
            "*,a",
            "a,,b",
            "a,",
            "a,b,c,d,e,f",
            r"a\",
            "a\nb",
            &long,
        ] {
            assert!(check_key_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_are_literal() {
        for fine in ["", "prod", r"a\b", "a b"] {
            assert!(check_label(fine).is_ok(), "{fine}");
        }
        for bad in ["*", "prod*", "a,b", "\0", "a\tb"] {
            assert!(check_label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn snapshot_names() {
        for fine in ["a", "release 42", "a/b", "...", ".a", "ü*,\\"] {
            assert!(check_snapshot_name(fine).is_ok(), "{fine}");
        }
        for bad in ["", " ", "100%", "%2e", ".", "..", "a\nb", &"n".repeat(257)] {
            assert!(check_snapshot_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(literal(r"a*b,c\d"), r"a\*b\,c\\d");
        assert_eq!(tag_filter("a=b", Some("c,d")), r"a\=b=c\,d");
        assert_eq!(tag_filter("a", Some("")), "a=");
        assert_eq!(tag_filter("a", None), "a=\0");
        assert_eq!(prefixed("p/", r"a\,b,c*"), r"p/a\,b,p/c*");
    }
}
