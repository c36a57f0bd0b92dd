//! What goes wrong inside serde, without the values that serde would quote.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::learn::Typed;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    Index(usize),
}

/// An error on its way up. One word wide; the path is put together while it rises.
pub(super) struct Fault(Box<Inner>);

struct Inner {
    kind: Kind,
    /// The number or boolean that is not what was wanted.
    number: Option<Typed>,
    /// Innermost first.
    steps: Vec<Step>,
}

/// Where a text stands in memory: which leaf it is, without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: *const u8,
    pub(super) length: usize,
}

impl Place {
    pub(super) fn of(text: &str) -> Self {
        Self {
            start: text.as_ptr(),
            length: text.len(),
        }
    }
}

pub(super) enum Kind {
    /// Another type, or a value that the type does not allow.
    Type {
        expected: String,
        found: Found,
        /// Set if the value is a text that serde still holds as it stands in the configuration.
        place: Option<Place>,
    },
    /// A number that does not fit the type.
    Range {
        expected: String,
    },
    /// A name in a table that is to be something else than text.
    Name {
        expected: &'static str,
    },
    Length {
        expected: String,
    },
    /// A list with more elements than its type takes.
    TooLong,
    MissingField(&'static str),
    DuplicateField(&'static str),
    UnknownField {
        name: Box<str>,
        expected: &'static [&'static str],
    },
    UnknownVariant {
        expected: &'static [&'static str],
    },
    /// A text that somebody's own code made. It may hold the value.
    Custom(String),
}

/// What kind of value it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Boolean,
    Integer,
    Float,
    Text,
    /// Text is right, but not this one.
    OtherText,
    List,
    Table,
    Other,
}

impl Found {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing (null)",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a fraction",
            Self::Text => "text",
            Self::OtherText => "other text",
            Self::List => "a list",
            Self::Table => "a table",
            Self::Other => "another value",
        }
    }
}

impl From<Unexpected<'_>> for Found {
    fn from(unexpected: Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Bool(_) => Self::Boolean,
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => Self::Integer,
            Unexpected::Float(_) => Self::Float,
            Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => Self::Text,
            Unexpected::Unit | Unexpected::Option => Self::Nothing,
            Unexpected::Seq => Self::List,
            Unexpected::Map => Self::Table,
            _ => Self::Other,
        }
    }
}

impl Fault {
    pub(super) fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            number: None,
            steps: Vec::new(),
        }))
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The number or boolean that serde still held when it was not what was wanted.
    pub(super) fn number(&self) -> Option<Typed> {
        self.0.number
    }

    /// Outermost first.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.0.steps.iter().rev()
    }

    /// The same fault, seen from the table around it.
    pub(super) fn below_name(mut self, name: &str) -> Self {
        self.0.steps.push(Step::Name(name.into()));
        self
    }

    /// The same fault, seen from the list around it.
    pub(super) fn below_index(mut self, index: usize) -> Self {
        self.0.steps.push(Step::Index(index));
        self
    }

    pub(super) fn expected(found: Found, expected: &dyn Expected) -> Self {
        Self::new(Kind::Type {
            expected: expected.to_string(),
            found,
            place: None,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the expected value")
    }
}

/// An application's own code may print it, and it may hold a value.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({self})")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Custom(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let place = match unexpected {
            Unexpected::Str(text) => Some(Place::of(text)),
            _ => None,
        };
        let mut fault = Self::new(Kind::Type {
            expected: expected.to_string(),
            found: unexpected.into(),
            place,
        });
        fault.0.number = Typed::found(&unexpected);
        fault
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mut fault = Self::invalid_type(unexpected, expected);
        if let Kind::Type {
            expected, found, ..
        } = &mut fault.0.kind
        {
            match found {
                Found::Integer | Found::Float => {
                    let expected = std::mem::take(expected);
                    fault.0.kind = Kind::Range { expected };
                }
                Found::Text => *found = Found::OtherText,
                _ => {}
            }
        }
        fault
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Kind::Length {
            expected: expected.to_string(),
        })
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownVariant { expected })
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownField {
            name: name.into(),
            expected,
        })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Kind::MissingField(name))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(Kind::DuplicateField(name))
    }
}
