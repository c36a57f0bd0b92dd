//! What each setting wants to be, and where: key to path, value to node.

use std::sync::Arc;

use crate::setting::{ConfigurationSetting, ContentKind};
use crate::{Error, ErrorKind, Result};

use super::entry::{
    Content, Entry, Flag, Nulls, SecretOrigin, Shape, TreeWarning, TreeWarningKind,
};
use super::json::{JsonFault, Reader};
use super::key::JOINT;
use super::{Leaf, List, Node, Origin, Scalar};

/// Where Microsoft's schema puts feature flags.
const FLAGS: [&str; 2] = ["feature_management", "feature_flags"];

/// What one setting wants to be, and where.
pub(super) struct Claim {
    /// Its path inside the buffer of all paths.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Taken when the claim is placed.
    pub(super) node: Option<Node>,
    origin: Arc<Origin>,
}

impl Claim {
    /// For an order among claims of one path.
    pub(super) fn name(&self) -> (&str, Option<&str>) {
        (self.origin.key(), self.origin.label())
    }
}

pub(super) struct Claims<'s> {
    shape: &'s Shape,
    /// All paths, one behind the other.
    pub(super) paths: String,
    pub(super) list: Vec<Claim>,
    pub(super) warnings: Vec<TreeWarning>,
    /// Values, and the lists and tables of JSON values, so far.
    size: usize,
}

impl<'s> Claims<'s> {
    pub(super) fn new(shape: &'s Shape, expected: usize) -> Self {
        Self {
            shape,
            paths: String::with_capacity(expected * 24),
            list: Vec::with_capacity(expected),
            warnings: Vec::new(),
            size: 0,
        }
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
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
                (_, ContentKind::SecretReference) => {
                    self.warn(setting, TreeWarningKind::Unresolved);
                    return None;
                }
                (None, _) => leaf(Scalar::Null),
                (Some(_), ContentKind::Text | ContentKind::Encrypted) => leaf(Scalar::Own),
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

    pub(super) fn add_flags(&mut self, flags: &[Flag<'_>]) -> Result<()> {
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
