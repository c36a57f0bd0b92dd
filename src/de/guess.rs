//! What texts inside an untagged enum stand for, where serde says only that no variant fits.
//!
//! Every text that is written exactly as a number or as `true` or `false` is a candidate; candidates of one name that are
//! equally deep go together. First all of them are handed over as what they are written as, but no secret: a password
//! of digits is still a password. If that does not fit either, other choices follow, name by name.

use config::Value;

use crate::tree::{Located, SettingOrigin};

use super::learn::{Typed, canonical, leaves};

/// Up to so many names every choice is tried; of more, only those that differ in one name from all or from none.
const EVERY_CHOICE: usize = 6;
/// The names that take part in choices. Those beyond are handed over as what they are written as.
const NAMES: usize = 30;

/// The candidates of one enum.
pub(super) struct Guess {
    /// Where the enum is read.
    around: *const Value,
    names: Vec<Name>,
    /// The choices that are left, the next one last. A bit says that the candidates of a name stay text.
    choices: Vec<u64>,
}

/// The candidates of one name.
struct Name {
    is_secret: bool,
    candidates: Vec<(*const Value, Typed)>,
}

impl Guess {
    /// `is_free` says of a text that no other guess is about it.
    pub(super) fn new(around: &Value, is_free: impl Fn(*const Value) -> bool) -> Self {
        let mut found: Vec<((usize, &str, bool), *const Value, Typed)> = Vec::new();
        leaves(around, 0, "", &mut |leaf| {
            let address = std::ptr::from_ref(leaf.value);
            if let Some(typed) = canonical(leaf.text).filter(|_| is_free(address)) {
                let group = (leaf.depth, leaf.name, is_secret(leaf.value));
                found.push((group, address, typed));
            }
        });
        // The order of a table is not the same every time, and the outcome shall be.
        found.sort_by_key(|(group, ..)| *group);
        let groups = found.chunk_by(|(one, ..), (other, ..)| one == other);
        let names: Vec<Name> = groups
            .map(|group| Name {
                is_secret: group[0].0.2,
                candidates: group.iter().map(|(_, at, typed)| (*at, *typed)).collect(),
            })
            .collect();
        Self {
            around: std::ptr::from_ref(around),
            choices: choices(&names),
            names,
        }
    }

    pub(super) fn is_about(&self, around: &Value) -> bool {
        std::ptr::eq(self.around, around)
    }

    pub(super) fn holds(&self, address: *const Value) -> bool {
        let mut candidates = self.names.iter().flat_map(|name| &name.candidates);
        candidates.any(|(at, _)| *at == address)
    }

    /// Keeps a text as text from now on.
    pub(super) fn leave_out(&mut self, address: *const Value) {
        for name in &mut self.names {
            name.candidates.retain(|(at, _)| *at != address);
        }
    }

    /// The next choice: each candidate with what it is to be handed over as, `None` for text. `None` if none is left.
    pub(super) fn next(&mut self) -> Option<impl Iterator<Item = (*const Value, Option<Typed>)>> {
        let choice = self.choices.pop()?;
        let named = self.names.iter().enumerate();
        Some(named.flat_map(move |(at, name)| {
            let is_text = at < NAMES && choice & (1 << at) != 0;
            let candidates = name.candidates.iter();
            candidates.map(move |(at, typed)| (*at, (!is_text).then_some(*typed)))
        }))
    }
}

/// All choices, the best one last. All text is none: that was tried.
fn choices(names: &[Name]) -> Vec<u64> {
    let names = &names[..names.len().min(NAMES)];
    let bits = || (0..names.len()).map(|at| 1_u64 << at);
    let all = bits().sum::<u64>();
    let secret = |choice: u64| {
        let of = bits().zip(names).filter(|(_, name)| name.is_secret);
        of.map(|(bit, _)| bit & choice).sum::<u64>()
    };
    let secrets = secret(all);
    let mut choices: Vec<u64> = if names.len() <= EVERY_CHOICE {
        (0..=all).collect()
    } else {
        let one = bits().map(|bit| secrets ^ bit);
        let but_one = bits().map(|bit| all ^ bit);
        std::iter::once(secrets).chain(one).chain(but_one).collect()
    };
    choices.retain(|choice| *choice != all);
    // As few secrets as numbers, then as few others as text, as can be.
    choices.sort_by_key(|choice| (secret(*choice).count_ones(), !choice.count_ones(), !choice));
    choices.dedup();
    choices
}

fn is_secret(value: &Value) -> bool {
    matches!(
        Located::of(value),
        Located::Setting(SettingOrigin {
            secret: Some(_),
            ..
        })
    )
}
