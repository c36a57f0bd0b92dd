//! Which value a fault is about.

use config::{Value, ValueKind};

use crate::error::printable;
use crate::tree::Located;

use super::fault::{Fault, Kind, Place, Step};

/// The value that a fault is about, and how to get there.
pub(super) struct Spot<'v> {
    pub(super) value: &'v Value,
    pub(super) path: String,
    /// False if the path leads to something that is not there.
    exists: bool,
}

impl<'v> Spot<'v> {
    pub(super) fn of(root: &'v Value, fault: &Fault) -> Self {
        let mut spot = Self {
            value: descend(root, fault.steps()),
            path: String::new(),
            exists: true,
        };
        fault.steps().for_each(|step| spot.enter(step));
        match fault.kind() {
            Kind::Type {
                place: Some(place), ..
            } => spot.go_to_text(*place),
            Kind::MissingField(name) => {
                spot.enter(&Step::Name((*name).into()));
                spot.exists = false;
            }
            Kind::UnknownField { name, .. } => {
                let step = Step::Name(name.clone());
                spot.enter(&step);
                spot.value = descend(spot.value, [&step]);
            }
            _ => {}
        }
        spot
    }

    fn enter(&mut self, step: &Step) {
        match step {
            Step::Name(name) => {
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(&printable(name));
            }
            Step::Index(index) => {
                self.path.push('[');
                self.path.push_str(&index.to_string());
                self.path.push(']');
            }
        }
    }

    /// serde's buffer forgets the path; the text itself is still the one that stands below here.
    fn go_to_text(&mut self, place: Place) {
        let mut steps = Vec::new();
        if let Some(value) = find_text(self.value, place, &mut steps) {
            self.value = value;
            steps.iter().rev().for_each(|step| self.enter(step));
        }
    }

    /// Where the value came from. A table that stands where a value is wanted came from the first setting in it;
    /// of any other table it is known only if everything in it came from one place.
    pub(super) fn located(&self, kind: &Kind) -> Located {
        let mut places = Vec::new();
        if self.exists {
            origins(self.value, &mut places);
        }
        let first = match (places.as_slice(), kind) {
            ([first, ..], Kind::Type { .. }) => first,
            ([first, rest @ ..], _)
                if rest.iter().all(|other| other.origin() == first.origin()) =>
            {
                first
            }
            _ => return Located::Unknown,
        };
        Located::of(first)
    }
}

/// The value at the end of a path, or as far as it goes.
pub(super) fn descend<'v, 's>(
    root: &'v Value,
    steps: impl IntoIterator<Item = &'s Step>,
) -> &'v Value {
    let mut value = root;
    for step in steps {
        let next = match (&value.kind, step) {
            (ValueKind::Table(table), Step::Name(name)) => table.get(&**name),
            (ValueKind::Table(table), Step::Index(index)) => table.get(index.to_string().as_str()),
            (ValueKind::Array(items), Step::Index(index)) => items.get(*index),
            (ValueKind::Array(items), Step::Name(name)) => name
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => break,
        }
    }
    value
}

/// `steps` innermost first.
fn find_text<'v>(value: &'v Value, place: Place, steps: &mut Vec<Step>) -> Option<&'v Value> {
    match &value.kind {
        ValueKind::String(text) if !text.is_empty() && Place::of(text) == place => Some(value),
        ValueKind::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let found = find_text(item, place, steps)?;
            steps.push(Step::Index(index));
            Some(found)
        }),
        ValueKind::Table(table) => table.iter().find_map(|(name, value)| {
            let found = find_text(value, place, steps)?;
            steps.push(Step::Name(name.as_str().into()));
            Some(found)
        }),
        _ => None,
    }
}

/// The values that have an origin, outermost first and in the order of their names.
fn origins<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match &value.kind {
        _ if value.origin().is_some() => out.push(value),
        ValueKind::Array(items) => items.iter().for_each(|item| origins(item, out)),
        ValueKind::Table(table) => {
            let mut members: Vec<_> = table.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members
                .into_iter()
                .for_each(|(_, value)| origins(value, out));
        }
        _ => {}
    }
}
