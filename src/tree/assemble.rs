//! Settings become one tree: the same settings, the same tree, in whatever order they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Result;

use super::claims::{Claim, Claims};
use super::entry::{Entry, Flag, Shape, TreeWarning};
use super::key::JOINT;
use super::settle::Settler;
use super::{List, Node, Table, Tree};

/// Builds the tree of one load. `store` is what the store is called in origins.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if two settings claim one path;
/// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) if there are too many values.
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
    // Settings come in the order of their keys, which is nearly the order of their paths: the sort has little to do.
    list.sort_by(|a, b| {
        path_of(a)
            .cmp(path_of(b))
            .then_with(|| a.name().cmp(&b.name()))
    });
    let root = Builder {
        paths: &paths,
        settler: Settler::new(shape.conflict, &mut warnings),
    }
    .table(&mut list, 0)?;
    let tree = Tree {
        store: store.into(),
        selectors: Arc::clone(&shape.selectors),
        leaves: count(&root),
        root,
    };
    Ok((tree, warnings))
}

/// Turns claims in the order of their paths into nested tables.
struct Builder<'b, 'w> {
    paths: &'b str,
    settler: Settler<'w>,
}

impl<'b> Builder<'b, '_> {
    /// The table of claims whose paths are the same up to `depth` bytes behind their start.
    fn table(&mut self, claims: &mut [Claim], depth: usize) -> Result<Table> {
        // Most tables are small, and all of them stay as long as the generation does.
        let mut members = Vec::with_capacity(if claims.len() == 1 { 1 } else { 0 });
        let mut rest = claims;
        while let Some((name, group, behind)) = self.next_group(rest, depth) {
            let node = self.member(name, group, depth + name.len(), Vec::new())?;
            members.extend(node.map(|node| (Box::from(name), node)));
            rest = behind;
        }
        members.shrink_to_fit();
        Ok(Table::new(members, None))
    }

    /// The same where JSON objects stand on the path of the table: their members claim names as keys do.
    fn mixed(&mut self, claims: &mut [Claim], depth: usize, objects: Vec<Table>) -> Result<Table> {
        let mut names: BTreeMap<Box<str>, (&mut [Claim], Vec<Node>)> = BTreeMap::new();
        let mut rest = claims;
        while let Some((name, group, behind)) = self.next_group(rest, depth) {
            names.insert(name.into(), (group, Vec::new()));
            rest = behind;
        }
        let origin = objects.iter().find_map(|object| object.origin.clone());
        for (name, node) in objects.into_iter().flat_map(|object| object.members) {
            names.entry(name).or_default().1.push(node);
        }
        let mut members = Vec::with_capacity(names.len());
        for (name, (group, nodes)) in names {
            let node = self.member(&name, group, depth + name.len(), nodes)?;
            members.extend(node.map(|node| (name, node)));
        }
        Ok(Table::new(members, origin))
    }

    /// The claims at the start that have the same name at this depth, and those behind them.
    fn next_group<'c>(
        &self,
        claims: &'c mut [Claim],
        depth: usize,
    ) -> Option<(&'b str, &'c mut [Claim], &'c mut [Claim])> {
        let paths = self.paths;
        let first = claims.first()?;
        let path = &paths[first.start + depth..first.end];
        let name = path.split(JOINT).next().unwrap_or(path);
        let same = |claim: &&Claim| {
            let path = &paths[claim.start + depth..claim.end];
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(JOINT))
        };
        let length = claims.iter().take_while(same).count();
        let (group, behind) = claims.split_at_mut(length);
        Some((name, group, behind))
    }

    /// What stands at one path: the claims that end there, `end` bytes behind their start, the members of JSON
    /// objects, and the table of the claims that go on.
    fn member(
        &mut self,
        name: &str,
        group: &mut [Claim],
        end: usize,
        nodes: Vec<Node>,
    ) -> Result<Option<Node>> {
        if let ([only], true) = (&mut *group, nodes.is_empty())
            && only.end - only.start == end
        {
            return Ok(only.node.take());
        }
        let here = group.partition_point(|claim| claim.end - claim.start == end);
        let (here, below) = group.split_at_mut(here);
        let (mut values, mut objects) = (Vec::new(), Vec::new());
        let claimed = here.iter_mut().filter_map(|claim| claim.node.take());
        for node in claimed.chain(nodes) {
            match node {
                Node::Table(object) => objects.push(object),
                value => values.push(value),
            }
        }
        let is_keyed = !below.is_empty();
        self.settler.enter(name);
        let below_end = end + JOINT.len_utf8();
        let table = match (is_keyed, objects.len()) {
            (false, 0 | 1) => objects.pop(),
            (true, 0) => Some(self.table(below, below_end)?),
            _ => Some(self.mixed(below, below_end, objects)?),
        };
        let node = self.settler.settle(values, table)?;
        self.settler.leave();
        Ok(if is_keyed {
            node.map(list_if_contiguous)
        } else {
            node
        })
    }
}

/// A table whose names are exactly `0`, `1`, … is a list.
fn list_if_contiguous(node: Node) -> Node {
    let Node::Table(table) = node else {
        return node;
    };
    let is_index = |name: &str| index(name, table.members.len()).is_some();
    if table.is_empty() || !table.members.iter().all(|(name, _)| is_index(name)) {
        return Node::Table(table);
    }
    let mut items = table.members;
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
    let nodes = table.members.iter().map(|(_, node)| node);
    nodes.map(count_node).sum()
}

fn count_node(node: &Node) -> usize {
    match node {
        Node::Leaf(_) | Node::List(_) => 1,
        Node::Table(table) => count(table),
    }
}
