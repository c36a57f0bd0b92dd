//! Takes comments out of JSON, so that one strict parser reads the rest.

/// `text` without `// …` and `/* … */`, each replaced by a blank. `None` if there is none, or one has no end.
///
/// Texts in quotes are left alone. Where the quotes do not match, the parser behind says so.
pub(super) fn strip(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find(['"', '/']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if rest.starts_with('"') {
            quoted(rest)
        } else {
            let comment = comment(rest)?;
            if comment == 0 {
                1
            } else {
                found = true;
                out.push(' ');
                rest = &rest[comment..];
                continue;
            }
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out.push_str(rest);
    found.then_some(out)
}

/// The length of the quoted text at the start, up to the end if it has no second quote.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the comment at the start, 0 if it is only a slash, `None` if it has no end.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        Some(rest.find(['\n', '\r']).unwrap_or(rest.len()))
    } else if let Some(inside) = rest.strip_prefix("/*") {
        Some(inside.find("*/")? + 4)
    } else {
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_blanks() {
        for (text, stripped) in [
            ("1 // one", "1  "),
            ("// one\n1", " \n1"),
            ("// one\r\n1", " \r\n1"),
            ("[1,/* two */2]", "[1, 2]"),
            ("/*a*//*b*/1", "  1"),
            (
                r#"{"u": "http://x/*y*/" /* z */}"#,
                r#"{"u": "http://x/*y*/"  }"#,
            ),
            (r#"["a\"//b", 1] // c"#, r#"["a\"//b", 1]  "#),
            ("/* ü */\"ü\"", " \"ü\""),
        ] {
            assert_eq!(strip(text).as_deref(), Some(stripped), "{text}");
        }
    }

    #[test]
    fn nothing_to_do() {
        for text in [
            "",
            "1",
            "1 / 2",
            "\"//\"",
            "\"",
            "1 /* open",
            "/",
            "/*/",
            "\"\\",
        ] {
            assert_eq!(strip(text), None, "{text}");
        }
    }
}
