//! Looks for pieces of planted secrets in whatever a program shows.
//!
//! Uses the standard library alone, so that the tests outside of the library can include this file too.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Secrets that were planted, in every spelling in which they could come to light.
pub(crate) struct Canaries {
    /// No piece of a secret of this many bytes may be seen.
    window: usize,
    /// Every window of every spelling, and whose it is.
    windows: HashMap<Box<[u8]>, String>,
    /// Spellings that are searched as they are, because their windows could stand anywhere.
    lists: Vec<(String, String)>,
}

impl Default for Canaries {
    fn default() -> Self {
        Self::with_window(8)
    }
}

impl Canaries {
    /// Looks for pieces of this many bytes.
    pub(crate) fn with_window(window: usize) -> Self {
        Self {
            window,
            windows: HashMap::new(),
            lists: Vec::new(),
        }
    }

    /// A secret text that occurs nowhere by chance. The same seed gives the same text.
    pub(crate) fn text(seed: u64) -> String {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            STANDARD[(state >> 32) as usize % 62] as char
        };
        let word: String = (0..32).map(|_| next()).collect();
        // What JSON, URLs and shells would escape.
        format!("{}\"/+ {}\\&%{}", &word[..12], &word[12..24], &word[24..])
    }

    /// Looks for this secret from now on.
    pub(crate) fn plant(&mut self, name: &str, secret: &str) {
        assert!(
            secret.len() >= 2 * self.window,
            "'{name}' is too short to be looked for"
        );
        let bytes = secret.as_bytes();
        let mut spellings = vec![bytes.to_vec(), escaped(secret).into_bytes()];
        for every in [false, true] {
            spellings.push(percent(bytes, every, true).into_bytes());
            spellings.push(percent(bytes, every, false).into_bytes());
        }
        spellings.push(hex(bytes, false).into_bytes());
        spellings.push(hex(bytes, true).into_bytes());
        for alphabet in [STANDARD, URL_SAFE] {
            // Three ways in which a secret can lie in the groups of three bytes.
            spellings.extend((0..3).map(|skip| base64(&bytes[skip..], alphabet).into_bytes()));
        }
        for spelling in spellings {
            for window in spelling.windows(self.window) {
                self.windows
                    .entry(window.into())
                    .or_insert_with(|| name.to_owned());
            }
        }
        for bytes in bytes.windows(self.window) {
            let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
            self.lists.push((list.join(", "), name.to_owned()));
        }
    }

    /// The names of the secrets of which a piece is in there.
    pub(crate) fn seen_in(&self, shown: &str) -> Vec<&str> {
        let windows = shown.as_bytes().windows(self.window);
        let mut seen: Vec<&str> = windows
            .filter_map(|window| self.windows.get(window).map(String::as_str))
            .collect();
        if shown.contains(", ") {
            let lists = self.lists.iter().filter(|(list, _)| shown.contains(list));
            seen.extend(lists.map(|(_, name)| &**name));
        }
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// Fails if a piece of a secret is in a text.
    pub(crate) fn assert_not_in(&self, what: &str, shown: &str) {
        let seen = self.seen_in(shown);
        assert!(seen.is_empty(), "{what} shows {}", seen.join(", "));
    }

    /// Fails if a value's `Debug` shows a piece of a secret.
    pub(crate) fn assert_hidden(&self, what: &str, value: &(impl Debug + ?Sized)) {
        self.assert_not_in(what, &format!("{value:?} {value:#?}"));
    }

    /// Fails if an error shows a piece of a secret, in any of its forms and down its chain of causes.
    pub(crate) fn assert_silent(&self, what: &str, error: &(dyn std::error::Error + 'static)) {
        let mut next = Some(error);
        while let Some(cause) = next {
            self.assert_not_in(what, &format!("{cause} {cause:#} {cause:?} {cause:#?}"));
            next = cause.source();
        }
    }
}

/// As JSON and `Debug` of a text write it.
fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

fn percent(bytes: &[u8], every: bool, upper: bool) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        if !every && byte.is_ascii_alphanumeric() {
            out.push(*byte as char);
        } else if upper {
            write!(out, "%{byte:02X}").expect("a String takes all");
        } else {
            write!(out, "%{byte:02x}").expect("a String takes all");
        }
        out
    })
}

fn hex(bytes: &[u8], upper: bool) -> String {
    let lower: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if upper { lower.to_uppercase() } else { lower }
}

/// Base64 of the whole groups of three bytes, so that what follows does not matter.
fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let groups = bytes.chunks_exact(3);
    groups
        .flat_map(|group| {
            let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
            [18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize] as char)
        })
        .collect()
}

#[test]
fn t07_the_scan_finds_every_spelling() {
    let secret = Canaries::text(7);
    let mut canaries = Canaries::default();
    canaries.plant("it", &secret);
    let piece = &secret[3..16];
    let shown = [
        secret.clone(),
        format!("...{piece}..."),
        format!("{secret:?}"),
        base64(format!("x{secret}").as_bytes(), STANDARD),
        base64(format!("xy{secret}").as_bytes(), URL_SAFE),
        hex(piece.as_bytes(), true),
        percent(secret.as_bytes(), false, true),
        percent(piece.as_bytes(), true, false),
        format!("{:?}", secret.as_bytes()),
    ];
    for text in shown {
        assert_eq!(canaries.seen_in(&text), ["it"], "{text}");
    }
    assert!(canaries.seen_in(&secret[..7]).is_empty());
    assert!(canaries.seen_in(&Canaries::text(8)).is_empty());
    assert!(
        canaries
            .seen_in("a perfectly harmless line of a log, 1, 2, 3, 4, 5, 6, 7, 8")
            .is_empty()
    );
}
