//! From a key of the store to a path of names.

use std::fmt;
use std::str::FromStr;

use crate::error::printable;
use crate::{Error, Result};

use super::case::KeyCase;

/// Joins the names of a path while it is built. No name holds it: control characters are refused.
pub(super) const JOINT: char = '\0';

/// The most names in one key.
const MOST_NAMES: usize = 32;

/// The most bytes in one key; the service itself stops at 10,000 characters.
const MOST_BYTES: usize = 40_000;

/// A path into the configuration: one or more names, such as `db` and `host` for `db.host`.
///
/// What [`AppConfigurationBuilder::map_key`](crate::AppConfigurationBuilder::map_key) returns. Its names are taken as they are, without [`KeyCase`].
///
/// ```
/// use config_azure::KeyPath;
///
/// let path = KeyPath::new(["db", "host"])?;
/// assert_eq!(path, "db.host".parse()?);
/// assert_eq!(path.to_string(), "db.host");
/// assert!(KeyPath::new(["db", ""]).is_err());
/// # Ok::<(), config_azure::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<Box<str>>);

impl KeyPath {
    /// A path of these names, outermost first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if there is no name or more than 32, if one
    /// is empty or holds a control character, or if the first holds `.`, `[` or `]`, which the `config` crate
    /// would read as a path of its own.
    pub fn new<S: Into<Box<str>>>(names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        let odd = if names.is_empty() {
            Some(OddKey::Empty)
        } else if names.len() > MOST_NAMES {
            Some(OddKey::TooDeep)
        } else {
            names.iter().find_map(|name| odd_name(name))
        };
        if let Some(odd) = odd {
            return Err(Error::option(format!("not a key path: {odd}")));
        }
        if names[0].contains(is_path_syntax) {
            return Err(Error::option(format!(
                "not a key path: its first name, '{}', holds '.', '[' or ']'",
                printable(&names[0])
            )));
        }
        Ok(Self(names))
    }

    /// The names, outermost first.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    pub(super) fn write(&self, out: &mut String) {
        for (at, name) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(JOINT);
            }
            out.push_str(name);
        }
    }
}

impl FromStr for KeyPath {
    type Err = Error;

    /// Splits at every `.`.
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text.split('.'))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPath({self})")
    }
}

/// Why a key has no place in a tree. Such a setting is left out and reported, and the load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OddKey {
    /// Nothing is left of it behind the trimmed prefix.
    Empty,
    /// Two separators in a row, or one at the end.
    EmptyName,
    /// A name without a letter, a digit or an underscore.
    OnlyPunctuation,
    ControlCharacter,
    TooDeep,
    TooLong,
}

impl fmt::Display for OddKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "there is no name in it",
            Self::EmptyName => "a name in it is empty",
            Self::OnlyPunctuation => "a name in it has no letter and no digit",
            Self::ControlCharacter => "it holds a control character",
            Self::TooDeep => "it has more than 32 names",
            Self::TooLong => "it is longer than 40,000 bytes",
        })
    }
}

/// The rules that turn a key into a path.
#[derive(Debug, Clone)]
pub(crate) struct KeyRules {
    prefixes: Vec<Box<str>>,
    separators: Vec<Box<str>>,
    pub(crate) case: KeyCase,
}

impl Default for KeyRules {
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            separators: vec![":".into()],
            case: KeyCase::default(),
        }
    }
}

impl KeyRules {
    /// Prefixes and separators in any order: the longest that fits is used.
    pub(crate) fn new(
        mut prefixes: Vec<Box<str>>,
        mut separators: Vec<Box<str>>,
        case: KeyCase,
    ) -> Result<Self> {
        if separators.is_empty() || separators.iter().any(|separator| separator.is_empty()) {
            return Err(Error::option(
                "separators: at least one is needed, and none may be empty",
            ));
        }
        for list in [&mut prefixes, &mut separators] {
            list.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            list.dedup();
        }
        Ok(Self {
            prefixes,
            separators,
            case,
        })
    }

    /// Appends the path of `key`, its names joined by [`JOINT`]. True if the first name had to be changed so that
    /// `config` does not read it as a path.
    pub(super) fn write(&self, key: &str, out: &mut String) -> Result<bool, OddKey> {
        let start = out.len();
        let done = self.write_names(key, out, start);
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    fn write_names(&self, key: &str, out: &mut String, start: usize) -> Result<bool, OddKey> {
        if key.len() > MOST_BYTES {
            return Err(OddKey::TooLong);
        }
        if key.chars().any(char::is_control) {
            return Err(OddKey::ControlCharacter);
        }
        let mut rest = self.behind_separator(self.trim(key));
        if rest.is_empty() {
            return Err(OddKey::Empty);
        }
        let mut renamed = false;
        for at in 0..=MOST_NAMES {
            if at == MOST_NAMES {
                return Err(OddKey::TooDeep);
            }
            let (name, next) = self.split(rest);
            if name.is_empty() {
                return Err(OddKey::EmptyName);
            }
            let written = out.len();
            self.case.write(name, out);
            if out.len() == written {
                return Err(OddKey::OnlyPunctuation);
            }
            renamed |= at == 0 && self.case != KeyCase::Snake && make_root_safe(out, start);
            match next {
                Some(next) => rest = next,
                None => break,
            }
            out.push(JOINT);
        }
        Ok(renamed)
    }

    fn trim<'k>(&self, key: &'k str) -> &'k str {
        self.prefixes
            .iter()
            .find_map(|prefix| key.strip_prefix(&**prefix))
            .unwrap_or(key)
    }

    /// One leading separator means nothing: `/app/db`, or what is left of `orders:db` behind `orders`.
    fn behind_separator<'k>(&self, key: &'k str) -> &'k str {
        self.separators
            .iter()
            .find_map(|separator| key.strip_prefix(&**separator))
            .unwrap_or(key)
    }

    fn split<'k>(&self, rest: &'k str) -> (&'k str, Option<&'k str>) {
        if let [only] = self.separators.as_slice() {
            let parts = match only.as_bytes() {
                // One character, as nearly always, needs no searcher.
                [byte] => rest.split_once(char::from(*byte)),
                _ => rest.split_once(&**only),
            };
            return match parts {
                Some((name, next)) => (name, Some(next)),
                None => (rest, None),
            };
        }
        let first = self
            .separators
            .iter()
            .filter_map(|separator| Some((rest.find(&**separator)?, separator.len())))
            .min_by_key(|(at, length)| (*at, usize::MAX - length));
        match first {
            Some((at, length)) => (&rest[..at], Some(&rest[at + length..])),
            None => (rest, None),
        }
    }
}

/// `config` reads `.` and `[` in the names at the top as its own path syntax, in one of its two builders.
fn is_path_syntax(c: char) -> bool {
    matches!(c, '.' | '[' | ']')
}

fn make_root_safe(out: &mut String, start: usize) -> bool {
    if !out[start..].contains(is_path_syntax) {
        return false;
    }
    let safe = out[start..].replace(is_path_syntax, "_");
    out.truncate(start);
    out.push_str(&safe);
    true
}

fn odd_name(name: &str) -> Option<OddKey> {
    if name.is_empty() {
        Some(OddKey::EmptyName)
    } else if name.chars().any(char::is_control) {
        Some(OddKey::ControlCharacter)
    } else if name.len() > MOST_BYTES {
        Some(OddKey::TooLong)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(rules: &KeyRules, key: &str) -> Result<String, OddKey> {
        let mut out = String::new();
        rules
            .write(key, &mut out)
            .map(|_| out.replace(JOINT, " > "))
    }

    fn rules(prefixes: &[&str], separators: &[&str], case: KeyCase) -> KeyRules {
        let list = |items: &[&str]| items.iter().map(|item| Box::from(*item)).collect();
        KeyRules::new(list(prefixes), list(separators), case).unwrap()
    }

    #[test]
    fn the_longest_prefix_is_trimmed_once() {
        let rules = rules(&["orders:", "orders:db:"], &[":"], KeyCase::Snake);
        assert_eq!(path(&rules, "orders:db:Host"), Ok("host".into()));
        assert_eq!(path(&rules, "orders:orders:x"), Ok("orders > x".into()));
        assert_eq!(path(&rules, "Orders:x"), Ok("orders > x".into()));
        assert_eq!(path(&rules, "orders:"), Err(OddKey::Empty));
    }

    #[test]
    fn a_leading_separator_means_nothing() {
        let rules = rules(&["orders"], &[":", "/"], KeyCase::Snake);
        assert_eq!(path(&rules, "orders:db"), Ok("db".into()));
        assert_eq!(path(&rules, "/app/db"), Ok("app > db".into()));
        assert_eq!(path(&rules, "//app"), Err(OddKey::EmptyName));
    }

    #[test]
    fn of_separators_the_first_and_then_the_longest() {
        let rules = rules(&[], &["_", "__", ":"], KeyCase::Preserve);
        assert_eq!(path(&rules, "a__b_c:d"), Ok("a > b > c > d".into()));
    }

    #[test]
    fn f70_odd_keys_are_named() {
        let rules = KeyRules::default();
        for (key, odd) in [
            ("", OddKey::Empty),
            (":", OddKey::Empty),
            ("a::b", OddKey::EmptyName),
            ("a:", OddKey::EmptyName),
            ("a:*", OddKey::OnlyPunctuation),
            (".", OddKey::OnlyPunctuation),
            ("..", OddKey::OnlyPunctuation),
            ("a\0b", OddKey::ControlCharacter),
            ("a\r\nb", OddKey::ControlCharacter),
            (&"a:".repeat(33), OddKey::TooDeep),
            (&"a".repeat(40_001), OddKey::TooLong),
        ] {
            assert_eq!(path(&rules, key), Err(odd), "{key:?}");
        }
        let deepest = ["a"; 32].join(":");
        assert!(path(&rules, &deepest).is_ok());
    }

    #[test]
    fn the_first_name_is_never_path_syntax() {
        let preserve = rules(&[], &[":"], KeyCase::Preserve);
        assert_eq!(
            path(&preserve, "a.b[9999999]:c.d[0]"),
            Ok("a_b_9999999_ > c.d[0]".into())
        );
        assert_eq!(
            path(&KeyRules::default(), "a.b[9999999]:c.d"),
            Ok("a_b_9999999 > c_d".into())
        );
        assert!(preserve.write("a.b", &mut String::new()).unwrap());
        assert!(!preserve.write("a:b.c", &mut String::new()).unwrap());
    }

    #[test]
    fn a_key_path_is_checked() {
        assert!(KeyPath::new(Vec::<String>::new()).is_err());
        assert!(KeyPath::new(["a.b"]).is_err());
        assert!(KeyPath::new(["a", "b.c"]).is_ok());
        assert!(KeyPath::new(["a"; 33]).is_err());
        assert!("a..b".parse::<KeyPath>().is_err());
    }
}
