//! What each winning setting contributes: its own value, a secret, or nothing, by the policy of its reference.

use std::sync::Arc;

use crate::error::{Error, Result, SecretError, SecretErrorKind};
use crate::reference::{Reference, ReferenceId, References, Resolved, SecretPolicy};
use crate::setting::{Selected, Warning, WarningKind};
use crate::store::FeatureFlag;
use crate::tree::{
    Content, Entry, Flag, SecretOrigin, SecretText, Shape, Tree, TreeWarning, TreeWarningKind,
};

use super::{Candidate, Phase, Pipeline};

/// The winning settings with what they stand for, in order.
pub(super) struct Contents<'a> {
    candidate: &'a Candidate,
    items: Vec<(&'a Selected, Option<Use<'a>>)>,
}

/// A reference and what it resolved to.
struct Use<'a> {
    reference: &'a Reference,
    resolved: Arc<Resolved>,
}

/// Looks up every reference. Those that their policy does not forgive are returned together, as one error.
pub(super) fn gather<'a>(
    pipeline: &Pipeline,
    candidate: &'a Candidate,
    phase: Phase,
) -> Result<Contents<'a>> {
    let winners = candidate.walk().settings().winners();
    let mut items = Vec::with_capacity(winners.len());
    let mut failures = Vec::new();
    for (position, selected) in winners.iter().enumerate() {
        match candidate.reference(position) {
            None => items.push((selected, None)),
            Some(Ok(reference)) => match resolve(pipeline, reference, selected, phase) {
                Ok(Some(resolved)) => items.push((
                    selected,
                    Some(Use {
                        reference,
                        resolved,
                    }),
                )),
                Ok(None) => {}
                Err(error) => failures.push(error),
            },
            // There is no identifier, so there is nothing to keep: it is left out, or fails.
            Some(Err(error)) => {
                let references = pipeline.references();
                let policy = References::policy_of_tag(&selected.setting);
                if policy.or_else(|| references.decide(error)) != Some(SecretPolicy::Omit) {
                    failures.push(error.clone());
                }
            }
        }
    }
    if failures.is_empty() {
        Ok(Contents { candidate, items })
    } else {
        Err(Error::references(failures))
    }
}

/// The value to use for a reference, `None` to leave its key out.
fn resolve(
    pipeline: &Pipeline,
    reference: &Reference,
    selected: &Selected,
    phase: Phase,
) -> Result<Option<Arc<Resolved>>, SecretError> {
    let references = pipeline.references();
    let opened = references
        .held(&reference.id)
        .map(|held| references.open(reference, held))
        .transpose();
    let held = opened.as_ref().ok().cloned().flatten();
    let error = match (pipeline.failure(&reference.id), opened) {
        (None, Ok(Some(opened))) => return Ok(Some(opened)),
        (None, Ok(None)) => unread(&reference.id, selected),
        (Some(failure), _) | (None, Err(failure)) => {
            failure.to_error(&reference.id, &selected.setting, held.is_some())
        }
    };
    let default = match phase {
        Phase::Startup => SecretPolicy::Fail,
        Phase::Refresh => SecretPolicy::KeepLast,
    };
    match (
        reference
            .policy
            .or_else(|| references.decide(&error))
            .unwrap_or(default),
        held,
    ) {
        (SecretPolicy::Omit, _) => Ok(None),
        (SecretPolicy::KeepLast, Some(held)) => Ok(Some(held)),
        (SecretPolicy::KeepLast | SecretPolicy::Fail, _) => Err(error),
    }
}

/// A reference that nobody has tried to read yet. The refresh engine reads before it assembles, so this is rare.
fn unread(id: &ReferenceId, selected: &Selected) -> SecretError {
    SecretError::new(SecretErrorKind::Unreachable)
        .with_setting(selected.setting.key(), selected.setting.label().as_str())
        .with_secret(id.vault_host(), id.name(), id.version())
        .with_hint("it has not been read yet")
}

impl Contents<'_> {
    pub(super) fn into_tree(self, store: &str, shape: &Shape) -> Result<(Tree, Vec<Warning>)> {
        let settings = self.candidate.walk().settings();
        let entries = self.items.iter().map(|(selected, used)| Entry {
            selected,
            losers: settings.losers_of(selected.setting.key()),
            content: used.as_ref().map_or(Content::Own, content),
        });
        let flags: Vec<Flag<'_>> = self.candidate.walk().flags().iter().map(flag).collect();
        let (tree, warnings) = crate::tree::assemble(store, entries, &flags, shape)?;
        Ok((tree, warnings.iter().map(warning).collect()))
    }
}

fn content<'a>(used: &'a Use<'_>) -> Content<'a> {
    let Use {
        reference,
        resolved,
    } = used;
    let origin = SecretOrigin {
        identifier: identifier(&reference.id),
        version: resolved.version().map(Arc::from),
        content_type: resolved.content_type().map(Arc::from),
    };
    match &**resolved {
        Resolved::Key(key) => Content::Key {
            jwk: &key.jwk,
            origin,
        },
        _ => Content::Secret {
            text: Arc::new(Held(Arc::clone(resolved))),
            origin,
            parse_json: reference.parse_json && resolved.is_json(),
        },
    }
}

fn flag(flag: &FeatureFlag) -> Flag<'_> {
    Flag {
        selected: &flag.selected,
        json: &flag.json,
    }
}

/// `kv-orders.vault.azure.net/secrets/db-password`: without scheme and version.
fn identifier(id: &ReferenceId) -> Arc<str> {
    let collection = match id {
        ReferenceId::Secret(_) => "secrets",
        _ => "keys",
    };
    format!("{}/{collection}/{}", id.vault_host(), id.name()).into()
}

/// The secret cache's own value: the tree shares it, so that a generation copies no secret.
struct Held(Arc<Resolved>);

impl SecretText for Held {
    fn expose(&self) -> &str {
        match &*self.0 {
            Resolved::Secret(secret) => secret.value().expose_secret(),
            _ => "",
        }
    }
}

fn warning(of_tree: &TreeWarning) -> Warning {
    let kind = match of_tree.kind {
        TreeWarningKind::InvalidJson | TreeWarningKind::JsonTooLarge => WarningKind::InvalidJson,
        TreeWarningKind::OddKey(_) | TreeWarningKind::Unresolved => WarningKind::SkippedKey,
        TreeWarningKind::RootRenamed => WarningKind::RenamedKey,
        TreeWarningKind::DuplicateMember(_) => WarningKind::DuplicateMember,
        TreeWarningKind::Hidden { .. } => WarningKind::Hidden,
    };
    Warning::new(kind, of_tree.kind.to_string())
        .with_setting(&of_tree.key, of_tree.label.as_deref())
}
