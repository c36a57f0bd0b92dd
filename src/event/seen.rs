//! Which events were received before. Event Grid delivers each at least once, and again for a day if it gets no answer.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

/// So many of the newest are known.
const MOST: usize = 1_024;

/// The newest events, by what they are and all they say: a sender that uses an identifier twice loses nothing.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    pub(super) fn number(&self, event: &impl Hash) -> u64 {
        self.hasher.hash_one(event)
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.known.contains(&number)
    }

    pub(super) fn remember(&mut self, number: u64) {
        if !self.known.insert(number) {
            return;
        }
        self.order.push_back(number);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_known_and_the_rest_takes_no_room() {
        let mut seen = Seen::default();
        let numbers: Vec<u64> = (0..MOST as u64 + 1).map(|n| seen.number(&n)).collect();
        for number in &numbers {
            assert!(!seen.contains(*number));
            seen.remember(*number);
            seen.remember(*number);
        }
        assert!(!seen.contains(numbers[0]), "the oldest made room");
        assert!(numbers[1..].iter().all(|number| seen.contains(*number)));
        assert_eq!((seen.known.len(), seen.order.len()), (MOST, MOST));
    }
}
