//! How one name is spelled.

use std::borrow::Cow;
use std::iter::repeat_n;

/// How the names in a key become the names of fields. The members of a JSON value stay as they are written,
/// as they do in a file.
///
/// ```
/// use config_azure::KeyCase;
///
/// assert_eq!(KeyCase::Snake.convert("DBHost"), "db_host");
/// assert_eq!(KeyCase::Lower.convert("DBHost"), "dbhost");
/// assert_eq!(KeyCase::Preserve.convert("DBHost"), "DBHost");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyCase {
    /// Words in lower case with `_` between them, as Rust fields are written, and as `Environment` of the
    /// `config` crate yields them. `DbHost`, `dbHost`, `db-host`, `DB.Host` and `db_host` are all `db_host`.
    ///
    /// A word ends before an upper-case letter that follows a lower-case letter (`apiKey` is `api_key`), and
    /// before the last upper-case letter of a run that goes on in lower case (`HTTPServer` is `http_server`);
    /// digits belong to the word before them (`Sha256Sum` is `sha256_sum`, `OAuth2` is `o_auth2`). A run of
    /// blanks and ASCII punctuation becomes one `_`, or nothing at either end; a run of `_` alone stays as
    /// it is. So every name that is lower snake case already stays the same.
    #[default]
    Snake,
    /// Every letter in lower case, nothing else: `DbHost` is `dbhost`.
    Lower,
    /// As it stands in the store. Fields then need `#[serde(rename)]` or `rename_all`, and `Environment`, which
    /// always lower-cases, lines up only with keys that are lower case already.
    Preserve,
}

impl KeyCase {
    /// What one name of a key becomes.
    ///
    /// ```
    /// use config_azure::KeyCase;
    ///
    /// for name in ["MaxPoolSize", "maxPoolSize", "max-pool-size", "MAX_POOL_SIZE", "Max Pool Size"] {
    ///     assert_eq!(KeyCase::Snake.convert(name), "max_pool_size");
    /// }
    /// ```
    #[must_use]
    pub fn convert(self, name: &str) -> Cow<'_, str> {
        let mut out = String::new();
        match self {
            Self::Preserve => return Cow::Borrowed(name),
            Self::Snake if is_snake(name) => return Cow::Borrowed(name),
            _ => self.write(name, &mut out),
        }
        Cow::Owned(out)
    }

    /// Appends what `name` becomes.
    pub(super) fn write(self, name: &str, out: &mut String) {
        match self {
            Self::Snake if is_snake(name) => out.push_str(name),
            Self::Snake => write_snake(name, out),
            Self::Lower => name.chars().for_each(|c| push_lower(c, out)),
            Self::Preserve => out.push_str(name),
        }
    }
}

/// True if the name is lower snake case already, so that there is nothing to do.
fn is_snake(name: &str) -> bool {
    name.bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// What came before a letter.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Lower,
    Upper,
}

/// Characters between words that have not been written yet.
#[derive(Default)]
struct Gap {
    underscores: usize,
    others: bool,
}

impl Gap {
    fn is_empty(&self) -> bool {
        self.underscores == 0 && !self.others
    }

    /// Underscores alone are part of the name; anything else is one underscore between two words.
    fn write(&mut self, at_end: bool, out: &mut String) {
        if !self.others {
            out.extend(repeat_n('_', self.underscores));
        } else if !at_end {
            out.push('_');
        }
        *self = Self::default();
    }
}

/// Upper case, with a lower case to go to: mathematical letters have none.
fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_uppercase();
    }
    c.is_uppercase() && c.to_lowercase().next() != Some(c)
}

/// Nearly every key is ASCII, for which the tables of Unicode are a detour that shows in every rebuild.
fn push_lower(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
    } else {
        out.extend(c.to_lowercase());
    }
}

fn write_snake(name: &str, out: &mut String) {
    let start = out.len();
    let mut before = Before::Nothing;
    let mut gap = Gap::default();
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '_' {
            gap.underscores += 1;
            continue;
        }
        if c.is_ascii_punctuation() || c.is_whitespace() {
            gap.others = true;
            continue;
        }
        if !gap.is_empty() {
            gap.write(out.len() == start, out);
            before = Before::Nothing;
        } else if is_upper(c) {
            let word_goes_on = chars.peek().is_some_and(|next| next.is_lowercase());
            if before == Before::Lower || (before == Before::Upper && word_goes_on) {
                out.push('_');
            }
        }
        if is_upper(c) {
            before = Before::Upper;
        } else if c.is_lowercase() {
            before = Before::Lower;
        }
        push_lower(c, out);
    }
    gap.write(true, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snake(name: &str) -> String {
        let mut out = String::new();
        write_snake(name, &mut out);
        out
    }

    #[test]
    fn words() {
        for (name, expected) in [
            ("DbHost", "db_host"),
            ("DBHost", "db_host"),
            ("dbHost", "db_host"),
            ("db-host", "db_host"),
            ("Db Host", "db_host"),
            ("DB.Host", "db_host"),
            ("DB_HOST", "db_host"),
            ("api_key", "api_key"),
            ("ApiKey", "api_key"),
            ("APIKey", "api_key"),
            ("apiKEY", "api_key"),
            ("HTTPServer2", "http_server2"),
            ("Sha256Sum", "sha256_sum"),
            ("SHA256Sum", "sha256_sum"),
            ("OAuth2", "o_auth2"),
            ("a1B", "a1_b"),
            ("X1Y", "x1y"),
            ("x", "x"),
            ("X", "x"),
            ("0", "0"),
            ("__a__b__", "__a__b__"),
            ("_Private", "_private"),
            ("a - _b", "a_b"),
            ("-a-", "a"),
            (" a ", "a"),
            ("/app/x/", "app_x"),
            ("Microsoft.AspNetCore", "microsoft_asp_net_core"),
            ("k=v", "k_v"),
            ("p%2Fq", "p_2fq"),
            ("Größe", "größe"),
            ("ÜberGröße", "über_größe"),
            ("u\u{308}ber", "u\u{308}ber"),
            ("日本", "日本"),
            ("...", ""),
            ("", ""),
        ] {
            assert_eq!(snake(name), expected, "{name:?}");
        }
    }

    #[test]
    fn what_is_snake_stays() {
        for name in ["", "_", "a", "a_b", "__a_1", "sha256_sum"] {
            assert!(is_snake(name));
            assert_eq!(snake(name), name);
        }
    }

    #[test]
    fn the_table_in_the_documentation_is_true() {
        let page = include_str!("../../docs/keys.md");
        let cells = |line: &str| -> Vec<String> {
            let cells = line.trim_matches('|').split('|').skip(1);
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        };
        let line = |start: &str| cells(page.lines().find(|line| line.starts_with(start)).unwrap());
        let names = line("| `KeyCase` |");
        assert_eq!(names.len(), 5);
        for (start, case) in [
            ("| `Snake` (default) |", KeyCase::Snake),
            ("| `Lower` |", KeyCase::Lower),
            ("| `Preserve` |", KeyCase::Preserve),
        ] {
            let converted: Vec<_> = names.iter().map(|name| case.convert(name)).collect();
            assert_eq!(converted, line(start), "{case:?}");
        }
    }
}
