//! The words of a name, for [`KeyCase::Snake`](super::KeyCase::Snake).

use std::iter::repeat_n;

/// True if the name is lower snake case already, so that there is nothing to do.
pub(super) fn is_snake(name: &str) -> bool {
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
    c.is_uppercase() && c.to_lowercase().next() != Some(c)
}

pub(super) fn write_snake(name: &str, out: &mut String) {
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
        out.extend(c.to_lowercase());
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
}
