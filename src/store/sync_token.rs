//! Sync tokens: what makes a read see the writes that this process already knows of (provider-spec 1.9).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

const MOST_TOKENS: usize = 16;
const LONGEST_HEADER: usize = 4096;

/// The tokens of one endpoint. A response without tokens changes nothing; a malformed token is ignored.
#[derive(Debug, Default)]
pub(crate) struct SyncTokens(Mutex<BTreeMap<Box<str>, Token>>);

/// A token's value and its sequence number.
type Token = (Box<str>, u64);

impl SyncTokens {
    /// Takes over the tokens of a header or an event, each only if its sequence number is greater than the one
    /// at hand. True if any was taken.
    pub(crate) fn merge(&self, header: &str) -> bool {
        if header.len() > LONGEST_HEADER {
            return false;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = false;
        for (id, value, number) in header.split(',').filter_map(token) {
            let newer = known.get(id).is_none_or(|(_, at_hand)| number > *at_hand);
            let room = known.len() < MOST_TOKENS || known.contains_key(id);
            if newer && room {
                known.insert(id.into(), (value.into(), number));
                taken = true;
            }
        }
        taken
    }

    /// The request header, if there is anything to send.
    pub(crate) fn header(&self) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens: Vec<String> = known
            .iter()
            .map(|(id, (value, _))| format!("{id}={value}"))
            .collect();
        (!tokens.is_empty()).then(|| tokens.join(","))
    }
}

/// `<id>=<value>;sn=<number>`; the value may end in `=`.
fn token(text: &str) -> Option<(&str, &str, u64)> {
    let mut parts = text.trim().split(';');
    let (id, value) = parts.next()?.split_once('=')?;
    let number = parts.find_map(|part| part.trim().strip_prefix("sn=")?.parse().ok())?;
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    (plain(id) && plain(value)).then_some((id, value, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f21_newest_sequence_wins_and_nothing_is_forgotten() {
        let tokens = SyncTokens::default();
        assert_eq!(tokens.header(), None);
        assert!(tokens.merge("zAJw6V16=NToxOSM0MDAyMTg4NQ==;sn=40021885"));
        assert_eq!(tokens.header().unwrap(), "zAJw6V16=NToxOSM0MDAyMTg4NQ==");
        assert!(!tokens.merge("zAJw6V16=old;sn=40021884, zAJw6V16=same;sn=40021885"));
        assert!(!tokens.merge(""));
        assert!(tokens.merge("b=two;sn=1, zAJw6V16=NTox==;sn=40021886"));
        assert_eq!(tokens.header().unwrap(), "b=two,zAJw6V16=NTox==");
    }

    #[test]
    fn f21_malformed_and_huge_ignored() {
        let tokens = SyncTokens::default();
        for bad in [
            "x",
            "x=y",
            "x=y;sn=",
            "x=y;sn=-1",
            "=y;sn=1",
            "x=;sn=1",
            "a b=c;sn=1",
            "x=a\rb;sn=1",
        ] {
            assert!(!tokens.merge(bad), "{bad:?}");
        }
        assert!(!tokens.merge(&format!("x={};sn=1", "y".repeat(5000))));
        for number in 0..100 {
            tokens.merge(&format!("id{number}=v;sn={number}"));
        }
        assert_eq!(tokens.header().unwrap().split(',').count(), MOST_TOKENS);
    }
}
