//! What the fuzz targets reach of this room.

use std::sync::Arc;

use super::{Content, Entry, KeyRules, Nulls, Shape};
use crate::setting::{ConfigurationSetting, Selected};
use crate::{Conflict, KeyCase, Result};

/// The rules of a tree, as an application would choose them.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Prefixes to take off the keys.
    pub prefixes: Vec<String>,
    /// What separates the names in a key.
    pub separators: Vec<String>,
    /// How the names are written.
    pub case: KeyCase,
    /// What happens if a value and a table claim one path.
    pub conflict: Conflict,
    /// Whether nulls stay.
    pub keep_nulls: bool,
}

/// The settings as one tree: the tree for the `config` crate, and what had to be worked round.
///
/// # Errors
/// Those of a load.
pub fn assemble(
    settings: &[ConfigurationSetting],
    rules: &Rules,
) -> Result<(config::Map<String, config::Value>, Vec<String>)> {
    let boxed = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
    let shape = Shape {
        keys: KeyRules::new(boxed(&rules.prefixes), boxed(&rules.separators), rules.case)?,
        conflict: rules.conflict,
        nulls: if rules.keep_nulls {
            Nulls::Keep
        } else {
            Nulls::Absent
        },
        ..Shape::default()
    };
    let selected: Vec<Selected> = settings
        .iter()
        .map(|setting| Selected {
            setting: Arc::new(setting.clone()),
            selector: 0,
            snapshot: None,
        })
        .collect();
    let entries = selected.iter().map(|selected| Entry {
        selected,
        losers: &[],
        content: Content::Own,
    });
    let (tree, warnings) = super::assemble("fuzz", entries, &[], &shape)?;
    let warnings = warnings.iter().map(ToString::to_string).collect();
    Ok((tree.to_map(), warnings))
}
