//! How an [`Error`] reads, and how names from outside are made safe to repeat.

use std::fmt;

use super::Error;

impl fmt::Display for Error {
    /// The message, the names behind it, and each failed reference on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "\n  ")
    }
}

/// An error as one line, for a log.
pub(crate) struct OneLine<'a>(&'a Error);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, "; ")
    }
}

impl Error {
    /// The same text on one line.
    pub(crate) fn one_line(&self) -> OneLine<'_> {
        OneLine(self)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, between: &str) -> fmt::Result {
        let context = &self.0.context;
        if let Some(path) = &context.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.0.message)?;
        let mut names = Names::new(f);
        if context.key.is_some() && !context.named {
            names.add("key", context.key.as_deref())?;
            names.add("label", context.label.as_deref())?;
        }
        names.add("endpoint", context.endpoint.as_deref())?;
        names.add(
            "status",
            context.status.map(|status| status.to_string()).as_deref(),
        )?;
        names.add("code", context.code.as_deref())?;
        names.add("request id", context.request_id.as_deref())?;
        names.close()?;
        for failure in &self.0.failures {
            write!(f, "{between}{failure}")?;
        }
        Ok(())
    }
}

/// Writes ` (key 'a', label 'b')` behind a message, and nothing if there are no names.
struct Names<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    open: bool,
}

impl<'a, 'f> Names<'a, 'f> {
    fn new(f: &'a mut fmt::Formatter<'f>) -> Self {
        Self { f, open: false }
    }

    fn add(&mut self, name: &str, value: Option<&str>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let lead = if self.open { ", " } else { " (" };
        self.open = true;
        write!(self.f, "{lead}{name} '{value}'")
    }

    fn close(self) -> fmt::Result {
        if self.open {
            self.f.write_str(")")
        } else {
            Ok(())
        }
    }
}

/// A name from outside, made safe for one line of a log: no control or direction characters, at most 128.
pub(crate) fn printable(name: &str) -> String {
    const MOST: usize = 128;
    let mut out: String = name
        .chars()
        .take(MOST)
        .map(|c| if is_plain(c) { c } else { '\u{fffd}' })
        .collect();
    if name.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'))
}

/// An error code from outside: letters, digits and `.`, `_`, `-`, at most 64 of them.
pub(crate) fn word(code: &str) -> String {
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, SecretError, SecretErrorKind};

    #[test]
    fn names_stand_behind_the_message() {
        let error = Error::new(ErrorKind::Forbidden, "the identity may not read this store")
            .with_setting("orders:db", Some("prod"))
            .with_endpoint("https://contoso.azconfig.io")
            .with_status(403);
        assert_eq!(
            error.to_string(),
            "the identity may not read this store (key 'orders:db', label 'prod', \
             endpoint 'https://contoso.azconfig.io', status '403')"
        );
    }

    #[test]
    fn t14_names_from_outside_cannot_break_a_line() {
        assert_eq!(
            printable("a\r\nb\u{1b}[31m\u{202e}c"),
            "a\u{fffd}\u{fffd}b\u{fffd}[31m\u{fffd}c"
        );
        assert_eq!(printable(&"k".repeat(10_000)).chars().count(), 129);
        assert_eq!(word("Forbidden\r\nSet-Cookie: x"), "ForbiddenSet-Cookiex");
    }

    #[test]
    fn t14_a_log_gets_one_line() {
        let failure = |key| SecretError::new(SecretErrorKind::NotFound).with_setting(key, None);
        let error = Error::references(vec![failure("a\nb"), failure("c")]);
        assert_eq!(error.to_string().lines().count(), 3);
        let line = error.one_line().to_string();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("; c: "), "{line}");
    }
}
