//! Sync tokens: what makes a read see the writes that this process already knows of (provider-spec 1.9).

use std::sync::{Mutex, PoisonError};

const MOST_TOKENS: usize = 16;
/// Of a header that comes in, and of the one that goes out: a server refuses requests with larger ones (431), and then
/// all of them, for nothing else would make the header shorter.
const LONGEST_HEADER: usize = 4096;

/// The tokens of one endpoint, the one that was taken longest ago first. A response without tokens changes nothing; a
/// malformed token is ignored; what does not fit beside newer ones is forgotten.
#[derive(Debug, Default)]
pub(crate) struct SyncTokens(Mutex<Vec<Token>>);

#[derive(Debug)]
struct Token {
    id: Box<str>,
    value: Box<str>,
    number: u64,
}

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
            let at_hand = known.iter().position(|token| *token.id == *id);
            if at_hand.is_some_and(|at| known[at].number >= number) {
                continue;
            }
            if let Some(at) = at_hand {
                known.remove(at);
            }
            known.push(Token {
                id: id.into(),
                value: value.into(),
                number,
            });
            taken = true;
        }
        let too_many = excess(&known);
        known.drain(..too_many);
        taken
    }

    /// The request header, if there is anything to send.
    pub(crate) fn header(&self) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens: Vec<String> = known
            .iter()
            .map(|token| format!("{}={}", token.id, token.value))
            .collect();
        (!tokens.is_empty()).then(|| tokens.join(","))
    }
}

/// How many of the oldest tokens have no room.
fn excess(tokens: &[Token]) -> usize {
    let mut length = 0;
    let fits = |token: &&Token| {
        // With `=` and a comma.
        length += token.id.len() + token.value.len() + 2;
        length <= LONGEST_HEADER + 1
    };
    let kept = tokens.iter().rev().take(MOST_TOKENS).take_while(fits);
    tokens.len() - kept.count()
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
    }

    #[test]
    fn f21_the_oldest_go_when_there_are_too_many() {
        let tokens = SyncTokens::default();
        for number in 0..100 {
            tokens.merge(&format!("id{number}=v;sn={number}"));
            // In use all the time, so never the oldest.
            tokens.merge(&format!("used=v{number};sn={number}"));
        }
        let expected: Vec<String> = (85..100).map(|number| format!("id{number}=v")).collect();
        assert_eq!(
            tokens.header().unwrap(),
            format!("{},used=v99", expected.join(","))
        );
    }

    #[test]
    fn f21_the_header_that_goes_out_is_bounded_too() {
        let tokens = SyncTokens::default();
        let merge = |id: &str, length: usize| {
            let value = "y".repeat(length);
            assert!(tokens.merge(&format!("{id}={value};sn=1")), "{id}");
            tokens.header().unwrap()
        };
        for id in ["a", "b", "c", "d"] {
            merge(id, 1_000);
        }
        // 4 * 1,002 and three commas; of what is left, exactly all.
        assert_eq!(merge("e", LONGEST_HEADER - 4_011 - 3).len(), LONGEST_HEADER);
        let header = merge("f", 1);
        assert!(header.starts_with("b=y") && header.ends_with(",f=y"));
        let header = merge("g", LONGEST_HEADER - "g=;sn=1".len());
        assert!(header.starts_with("f=y,g=y") && header.len() <= LONGEST_HEADER);
    }
}
