//! The text that says where a value came from, written and read back.
//!
//! `azappconfig://contoso/orders:db:port?label=prod`, and behind it ` -> kv-orders.vault.azure.net/secrets/name` if
//! the value is a secret. Everything from the store is escaped, so that no key can look like a label or a secret,
//! or hide that it is one.

use std::fmt::Write;

use config::Value;

use super::{Node, Origin};

/// What the origin of a value of ours starts with.
const SCHEME: &str = "azappconfig://";

/// What stands between a setting and the secret it refers to. A key cannot hold it: blanks are escaped.
const ARROW: &str = " -> ";

const LABEL: &str = "?label=";

impl super::Tree {
    /// What the origins of all values of this tree begin with, and those of another store of the same name.
    pub(crate) fn origin_prefix(&self) -> String {
        prefix(&self.store)
    }

    /// True if this tree has a value at `path` that names `origin` as its own.
    pub(crate) fn gives(&self, path: &str, origin: &str) -> bool {
        let own = match self.find(path) {
            Some(Node::Leaf(leaf)) => Some(&leaf.origin),
            Some(Node::List(list)) => list.origin.as_ref(),
            Some(Node::Table(_)) | None => None,
        };
        own.is_some_and(|own| {
            let mut text = self.origin_prefix();
            write(own, &mut text);
            text == origin
        })
    }
}

/// What all origins of one store have in common.
pub(super) fn prefix(store: &str) -> String {
    let mut prefix = SCHEME.to_owned();
    escape(store, &mut prefix);
    prefix.push('/');
    prefix
}

/// Appends the part of the setting itself.
pub(super) fn write(origin: &Origin, out: &mut String) {
    escape(origin.key(), out);
    if let Some(label) = origin.label() {
        out.push_str(LABEL);
        escape(label, out);
    }
    if let (Some(secret), true) = (&origin.secret, origin.redacted) {
        out.push_str(ARROW);
        escape(&secret.identifier, out);
    }
}

/// Everything but letters, digits and harmless punctuation as `%XX`.
fn escape(text: &str, out: &mut String) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/!$'()*,;=@".contains(&b);
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for b in text.bytes() {
        if plain(b) {
            out.push(char::from(b));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{b:02X}");
        }
    }
}

/// The origin of a value, taken apart again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Located {
    /// A setting of a store.
    Setting(SettingOrigin),
    /// Another layer, by the name it gives itself: a file, `the environment`.
    Layer(String),
    /// A default, an override, or a source that does not say.
    Unknown,
}

/// The setting that a value of ours came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingOrigin {
    pub(crate) store: String,
    pub(crate) key: String,
    pub(crate) label: Option<String>,
    /// Set if the value is a secret: `kv-orders.vault.azure.net/secrets/db-password`.
    pub(crate) secret: Option<String>,
}

impl Located {
    pub(crate) fn of(value: &Value) -> Self {
        match value.origin() {
            None => Self::Unknown,
            Some(text) => match SettingOrigin::parse(text) {
                Some(origin) => Self::Setting(origin),
                None => Self::Layer(text.to_owned()),
            },
        }
    }

    /// True only for a value of ours that is no secret.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self, Self::Setting(SettingOrigin { secret: None, .. }))
    }
}

impl SettingOrigin {
    fn parse(text: &str) -> Option<Self> {
        let (setting, secret) = match text.split_once(ARROW) {
            Some((setting, secret)) => (setting, Some(secret)),
            None => (text, None),
        };
        let (setting, label) = match setting.split_once(LABEL) {
            Some((setting, label)) => (setting, Some(label)),
            None => (setting, None),
        };
        let (store, key) = setting.strip_prefix(SCHEME)?.split_once('/')?;
        Some(Self {
            store: unescape(store),
            key: unescape(key),
            label: label.map(unescape),
            secret: secret.map(unescape),
        })
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    behind
                }
                _ => {
                    bytes.push(b'%');
                    &rest[1..]
                }
            },
            _ => {
                bytes.push(*first);
                behind
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_key_passes_for_more() {
        let mut text = prefix("contoso");
        escape("a -> b?label=x%20\u{fc}/#\n", &mut text);
        assert_eq!(
            text,
            "azappconfig://contoso/a%20-%3E%20b%3Flabel=x%2520%C3%BC/%23%0A"
        );
        let origin = SettingOrigin::parse(&text).unwrap();
        assert_eq!(origin.key, "a -> b?label=x%20\u{fc}/#\n");
        assert_eq!((origin.label, origin.secret), (None, None));
    }

    #[test]
    fn other_layers_are_not_ours() {
        for text in [
            "the environment",
            "config/settings.toml",
            "azappconfig:/x/y",
            "azappconfig://x",
        ] {
            assert_eq!(SettingOrigin::parse(text), None);
            let value = Value::new(Some(&text.to_owned()), 1);
            assert_eq!(Located::of(&value), Located::Layer(text.to_owned()));
        }
        assert_eq!(Located::of(&Value::from(1)), Located::Unknown);
    }

    #[test]
    fn bad_escapes_stay_as_they_are() {
        assert_eq!(unescape("%"), "%");
        assert_eq!(unescape("%4"), "%4");
        assert_eq!(unescape("%zz%41"), "%zzA");
        assert_eq!(unescape("%FF"), "\u{fffd}");
    }
}
