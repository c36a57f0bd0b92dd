//! Settings become one tree: the same settings, the same tree, in whatever order they come.

use std::sync::Arc;

use crate::setting::{ConfigurationSetting, ContentKind};
use crate::{Error, ErrorKind, Result};

use super::entry::{
    Content, Entry, Flag, Nulls, SecretOrigin, Shape, TreeWarning, TreeWarningKind,
};
use super::join::Joiner;
use super::json::{JsonFault, Reader};
use super::key::JOINT;
use super::{Leaf, List, Node, Origin, Scalar, Table, Tree};

/// Where Microsoft's schema puts feature flags.
const FLAGS: [&str; 2] = ["feature_management", "feature_flags"];

/// Builds the tree of one load. `store` is what the store is called in origins.
///
/// # Errors
/// [`ErrorKind::Conflict`] if two settings claim one path; [`ErrorKind::TooLarge`] if there are too many values.
pub(crate) fn assemble<'a>(
    store: &str,
    entries: impl IntoIterator<Item = Entry<'a>>,
    flags: &[Flag<'_>],
    shape: &Shape,
) -> Result<(Tree, Vec<TreeWarning>)> {
    let entries = entries.into_iter();
    let mut claims = Claims::new(shape, entries.size_hint().0);
    for entry in entries {
        claims.add(&entry)?;
    }
    claims.add_flags(flags)?;
    let Claims {
        paths,
        mut list,
        mut warnings,
        ..
    } = claims;
    let path_of = |claim: &Claim| &paths[claim.start..claim.end];
    list.sort_by(|a, b| {
        path_of(a)
            .cmp(path_of(b))
            .then_with(|| a.name().cmp(&b.name()))
    });
    let root = Builder {
        paths: &paths,
        joiner: Joiner::new(shape.conflict, &mut warnings),
    }
    .table(&mut list, 0)?;
    let leaves = count(&root);
    let tree = Tree {
        store: store.into(),
        selectors: Arc::clone(&shape.selectors),
        root,
        leaves,
    };
    Ok((tree, warnings))
}

/// What one setting wants to be, and where.
struct Claim {
    /// Its path inside the buffer of all paths.
    start: usize,
    end: usize,
    /// Taken when the claim is placed.
    node: Option<Node>,
    origin: Arc<Origin>,
}

impl Claim {
    fn name(&self) -> (&str, Option<&str>) {
        (self.origin.key(), self.origin.label())
    }
}

struct Claims<'s> {
    shape: &'s Shape,
    paths: String,
    list: Vec<Claim>,
    warnings: Vec<TreeWarning>,
    /// Values, and the lists and tables of JSON values, so far.
    size: usize,
}

impl<'s> Claims<'s> {
    fn new(shape: &'s Shape, expected: usize) -> Self {
        Self {
            shape,
            paths: String::with_capacity(expected * 24),
            list: Vec::with_capacity(expected),
            warnings: Vec::new(),
            size: 0,
        }
    }

    fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        let setting = &*entry.selected.setting;
        let start = self.paths.len();
        if !self.write_path(setting) {
            return Ok(());
        }
        let origin = Arc::new(Origin {
            selected: entry.selected.clone(),
            losers: entry.losers.into(),
            secret: secret_origin(&entry.content),
            redacted: matches!(entry.content, Content::Secret { .. }),
            flag: false,
        });
        match self.node(setting, &entry.content, &origin) {
            Some(node) => self.list.push(Claim {
                start,
                end: self.paths.len(),
                node: Some(node),
                origin,
            }),
            None => self.paths.truncate(start),
        }
        self.spend(1)
    }

    /// Counted as it is read: a total at the end would come after the memory is gone.
    fn spend(&mut self, size: usize) -> Result<()> {
        self.size += size;
        let most = self.shape.limits.leaves;
        if self.size > most {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("the selected settings hold more than {most} values"),
            ));
        }
        Ok(())
    }

    /// False if the setting has no place.
    fn write_path(&mut self, setting: &ConfigurationSetting) -> bool {
        if let Some(map_key) = &self.shape.map_key {
            let path = map_key(setting);
            if let Some(path) = &path {
                path.write(&mut self.paths);
            }
            return path.is_some();
        }
        match self.shape.keys.write(setting.key(), &mut self.paths) {
            Ok(renamed) => {
                if renamed {
                    self.warn(setting, TreeWarningKind::RootRenamed);
                }
                true
            }
            Err(odd) => {
                self.warn(setting, TreeWarningKind::OddKey(odd));
                false
            }
        }
    }

    /// What the setting stands for; `None` if that is nothing.
    fn node(
        &mut self,
        setting: &ConfigurationSetting,
        content: &Content<'_>,
        origin: &Arc<Origin>,
    ) -> Option<Node> {
        let leaf = |scalar| {
            Node::Leaf(Leaf {
                scalar,
                origin: Arc::clone(origin),
            })
        };
        let node = match content {
            Content::Own => match (setting.value(), setting.kind()) {
                (_, ContentKind::SecretReference | ContentKind::Encrypted) => {
                    self.warn(setting, TreeWarningKind::Unresolved);
                    return None;
                }
                (None, _) => leaf(Scalar::Null),
                (Some(_), ContentKind::Text) => leaf(Scalar::Own),
                (Some(text), _) if text.trim().is_empty() => leaf(Scalar::Own),
                (Some(text), _) => self
                    .json(setting, text, origin)
                    .unwrap_or_else(|| leaf(Scalar::Own)),
            },
            Content::Secret {
                text, parse_json, ..
            } => {
                let parsed = parse_json.then(|| self.json(setting, text.expose(), origin));
                parsed
                    .flatten()
                    .unwrap_or_else(|| leaf(Scalar::Secret(Arc::clone(text))))
            }
            Content::Key { jwk, .. } => {
                let reader = Reader::verbatim(origin, self.shape);
                let read = reader.read_value(jwk);
                self.size += reader.size();
                self.accept(setting, read)?
            }
        };
        (self.shape.nulls == Nulls::Keep || !node.is_null()).then_some(node)
    }

    fn json(
        &mut self,
        setting: &ConfigurationSetting,
        text: &str,
        origin: &Arc<Origin>,
    ) -> Option<Node> {
        let reader = Reader::new(origin, self.shape);
        let read = reader.read_text(text);
        self.size += reader.size();
        if let (Ok(_), Some(name)) = (&read, reader.duplicate()) {
            self.warn(setting, TreeWarningKind::DuplicateMember(name));
        }
        self.accept(setting, read)
    }

    fn accept(
        &mut self,
        setting: &ConfigurationSetting,
        read: Result<Node, JsonFault>,
    ) -> Option<Node> {
        let kind = match read {
            Ok(node) => return Some(node),
            Err(JsonFault::NotJson) => TreeWarningKind::InvalidJson,
            Err(JsonFault::TooLarge) => TreeWarningKind::JsonTooLarge,
        };
        self.warn(setting, kind);
        None
    }

    fn add_flags(&mut self, flags: &[Flag<'_>]) -> Result<()> {
        let mut items = Vec::with_capacity(flags.len());
        let mut list_origin = None;
        for flag in flags {
            let origin = Arc::new(Origin {
                selected: flag.selected.clone(),
                losers: Box::default(),
                secret: None,
                redacted: false,
                flag: true,
            });
            let reader = Reader::verbatim(&origin, self.shape);
            let read = reader.read_value(flag.json);
            items.extend(self.accept(&flag.selected.setting, read));
            self.spend(reader.size())?;
            list_origin.get_or_insert(origin);
        }
        let Some(origin) = list_origin else {
            return Ok(());
        };
        let start = self.paths.len();
        self.paths.push_str(FLAGS[0]);
        self.paths.push(JOINT);
        self.paths.push_str(FLAGS[1]);
        self.list.push(Claim {
            start,
            end: self.paths.len(),
            node: Some(Node::List(List {
                items,
                origin: Some(Arc::clone(&origin)),
            })),
            origin,
        });
        Ok(())
    }

    fn warn(&mut self, setting: &ConfigurationSetting, kind: TreeWarningKind) {
        self.warnings.push(TreeWarning::new(setting, kind));
    }
}

fn secret_origin(content: &Content<'_>) -> Option<SecretOrigin> {
    match content {
        Content::Own => None,
        Content::Secret { origin, .. } | Content::Key { origin, .. } => Some(origin.clone()),
    }
}

/// Turns claims in the order of their paths into nested tables.
struct Builder<'b, 'w> {
    paths: &'b str,
    joiner: Joiner<'w>,
}

impl Builder<'_, '_> {
    /// The table of claims whose paths are the same up to `depth` bytes behind their start.
    fn table(&mut self, claims: &mut [Claim], depth: usize) -> Result<Table> {
        let mut members = Vec::new();
        let mut rest = claims;
        while let Some(first) = rest.first() {
            let paths = self.paths;
            let path = &paths[first.start + depth..first.end];
            let name = path.split(JOINT).next().unwrap_or(path);
            let same = |claim: &&Claim| {
                let path = &paths[claim.start + depth..claim.end];
                path.strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(JOINT))
            };
            let group = rest.iter().take_while(same).count();
            let (group, behind) = rest.split_at_mut(group);
            if let Some(node) = self.member(group, depth + name.len())? {
                members.push((Box::from(name), node));
            }
            rest = behind;
        }
        Ok(Table(members))
    }

    /// What stands at one path, which ends `end` bytes behind the start of each claim: those that end there, and
    /// the table of those that go on.
    fn member(&mut self, group: &mut [Claim], end: usize) -> Result<Option<Node>> {
        if let [only] = group
            && only.end - only.start == end
        {
            return Ok(only.node.take());
        }
        let path = group
            .first()
            .map_or("", |claim| &self.paths[claim.start..claim.start + end]);
        let here = group.partition_point(|claim| claim.end - claim.start == end);
        let (here, below) = group.split_at_mut(here);
        let mut node = None;
        for claim in here {
            node = self.joiner.join(path, node, claim.node.take())?;
        }
        if below.is_empty() {
            return Ok(node);
        }
        let table = Node::Table(self.table(below, end + JOINT.len_utf8())?);
        let node = self.joiner.join(path, node, Some(table))?;
        Ok(node.map(list_if_contiguous))
    }
}

/// A table whose names are exactly `0`, `1`, … is a list.
fn list_if_contiguous(node: Node) -> Node {
    let Node::Table(table) = node else {
        return node;
    };
    if table.0.is_empty()
        || !table
            .0
            .iter()
            .all(|(name, _)| index(name, table.0.len()).is_some())
    {
        return Node::Table(table);
    }
    let mut items = table.0;
    items.sort_by_key(|(name, _)| index(name, usize::MAX));
    Node::List(List {
        items: items.into_iter().map(|(_, node)| node).collect(),
        origin: None,
    })
}

/// The index that a name is, below a bound: digits without a leading zero.
fn index(name: &str, bound: usize) -> Option<usize> {
    let canonical = name == "0" || !name.starts_with('0');
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    (canonical && digits)
        .then(|| name.parse().ok())
        .flatten()
        .filter(|index| *index < bound)
}

/// A list is one value.
fn count(table: &Table) -> usize {
    table.0.iter().map(|(_, node)| count_node(node)).sum()
}

fn count_node(node: &Node) -> usize {
    match node {
        Node::Leaf(_) | Node::List(_) => 1,
        Node::Table(table) => count(table),
    }
}
