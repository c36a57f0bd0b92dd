//! The shape the application sees: nested tables, every value with its origin.

mod assemble;
mod case;
mod claims;
mod comments;
mod compare;
mod diff;
mod entry;
mod explain;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod json;
mod key;
mod locate;
mod render;
mod settle;
mod value;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

pub(crate) use assemble::assemble;
pub use case::KeyCase;
pub use diff::{Cause, Change, ChangeSet};
pub use entry::Conflict;
pub(crate) use entry::{
    Content, Entry, Flag, Nulls, SecretOrigin, SecretText, Shape, TreeWarning, TreeWarningKind,
};
pub use explain::{Contender, Explanation};
pub use key::KeyPath;
pub(crate) use key::KeyRules;
pub(crate) use locate::{Located, SettingOrigin};

use crate::setting::Selected;

/// The settings of one load as nested tables. Cheap to share, never changed.
#[derive(Default)]
pub(crate) struct Tree {
    /// What the store is called in origins: the first label of its host.
    store: Arc<str>,
    selectors: Arc<[Box<str>]>,
    root: Table,
    leaves: usize,
}

#[derive(Debug, Clone, Default)]
struct Table {
    /// In the order of the bytes of their names, each once.
    members: Vec<(Box<str>, Node)>,
    /// The setting that is an empty table; of any other the members say where they came from.
    origin: Option<Arc<Origin>>,
}

#[derive(Debug, Clone)]
enum Node {
    Table(Table),
    List(List),
    Leaf(Leaf),
}

#[derive(Debug, Clone)]
struct List {
    items: Vec<Node>,
    /// The setting that is the whole list; `None` if its elements are settings of their own.
    origin: Option<Arc<Origin>>,
}

#[derive(Debug, Clone)]
struct Leaf {
    scalar: Scalar,
    origin: Arc<Origin>,
}

/// One value. Texts are shared with whoever holds them already, so that a new generation copies none.
#[derive(Clone)]
enum Scalar {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    /// A text inside a JSON value.
    Text(Arc<str>),
    /// The value of the origin's setting.
    Own,
    Secret(Arc<dyn SecretText>),
}

/// Where a value came from; one for all the values of a setting.
#[derive(Debug)]
struct Origin {
    selected: Selected,
    losers: Box<[Selected]>,
    secret: Option<SecretOrigin>,
    /// The value must not be shown: a secret, as opposed to a public key.
    redacted: bool,
    flag: bool,
}

impl Origin {
    fn key(&self) -> &str {
        self.selected.setting.key()
    }

    fn label(&self) -> Option<&str> {
        self.selected.setting.label().as_str()
    }
}

impl Leaf {
    /// The text of a leaf that is one.
    fn text(&self) -> Option<&str> {
        match &self.scalar {
            Scalar::Own => Some(self.origin.selected.setting.value().unwrap_or_default()),
            Scalar::Text(text) => Some(text),
            Scalar::Secret(text) => Some(text.expose()),
            _ => None,
        }
    }
}

impl Node {
    fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Leaf(Leaf {
                scalar: Scalar::Null,
                ..
            })
        )
    }

    /// The id of a feature flag.
    fn flag_id(&self) -> &str {
        match self {
            Self::Table(table) => match table.get("id") {
                Some(Self::Leaf(leaf)) => leaf.text().unwrap_or_default(),
                _ => "",
            },
            _ => "",
        }
    }
}

impl List {
    /// True for the list of feature flags.
    fn is_flags(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.flag)
    }

    /// What is behind `.id` or `.id.name` in a list of flags. An id may hold dots, and begin like another.
    fn find_flag(&self, rest: &str) -> Option<&Node> {
        let rest = rest.strip_prefix('.').filter(|_| self.is_flags())?;
        let mut flags = self.items.iter();
        flags.find_map(|flag| find_behind(flag, rest.strip_prefix(flag.flag_id())?))
    }
}

impl Table {
    /// `origin` speaks for it if it has no member to do so.
    fn new(members: Vec<(Box<str>, Node)>, origin: Option<Arc<Origin>>) -> Self {
        let origin = origin.filter(|_| members.is_empty());
        Self { members, origin }
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn get(&self, name: &str) -> Option<&Node> {
        let named = |(own, _): &(Box<str>, Node)| (**own).cmp(name);
        let at = self.members.binary_search_by(named).ok()?;
        Some(&self.members[at].1)
    }
}

impl Tree {
    /// How many values there are. A list is one.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves
    }

    /// The node at a path such as `db.hosts[0]`. Names that hold dots themselves are found too; a feature flag is found by
    /// its place and by its id.
    fn find(&self, path: &str) -> Option<&Node> {
        find_in_table(&self.root, path)
    }

    /// Every value with its path, in the order of the paths. Lists count as one value.
    fn walk<'t>(&'t self, visit: &mut dyn FnMut(&str, &'t Node)) {
        walk(&self.root, &mut String::new(), visit);
    }
}

fn find_in_table<'t>(table: &'t Table, path: &str) -> Option<&'t Node> {
    let ends = path
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '['))
        .map(|(at, _)| at)
        .chain([path.len()]);
    ends.into_iter()
        .find_map(|end| find_behind(table.get(&path[..end])?, &path[end..]))
}

/// `rest` is empty, or goes on with `.name` or `[index]`.
fn find_behind<'t>(node: &'t Node, rest: &str) -> Option<&'t Node> {
    match node {
        _ if rest.is_empty() => Some(node),
        Node::Table(table) => find_in_table(table, rest.strip_prefix('.')?),
        Node::List(list) => {
            if let Some(found) = list.find_flag(rest) {
                return Some(found);
            }
            let (index, rest) = match rest.strip_prefix('[') {
                Some(rest) => rest.split_once(']')?,
                None => {
                    let rest = rest.strip_prefix('.')?;
                    rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()))
                }
            };
            find_behind(list.items.get(index.parse::<usize>().ok()?)?, rest)
        }
        Node::Leaf(_) => None,
    }
}

fn walk<'t>(table: &'t Table, path: &mut String, visit: &mut dyn FnMut(&str, &'t Node)) {
    let above = path.len();
    for (name, node) in &table.members {
        if above > 0 {
            path.push('.');
        }
        path.push_str(name);
        match node {
            Node::Table(table) if !table.is_empty() => walk(table, path, visit),
            _ => visit(path, node),
        }
        path.truncate(above);
    }
}

impl fmt::Debug for Tree {
    /// Counts only. `Display` shows the values, with secrets redacted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("store", &self.store)
            .field("leaves", &self.leaves)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::I64(_) | Self::U64(_) => "integer",
            Self::F64(_) => "float",
            Self::Text(_) | Self::Own => "text",
            Self::Secret(_) => "secret",
        })
    }
}
