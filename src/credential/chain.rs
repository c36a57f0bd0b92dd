//! Walking the chain: on past what is absent, stop at what failed, stay with what worked.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use azure_core::credentials::AccessToken;
use azure_core::error::ErrorKind;

use super::failure::{ENTRA_CODE, OwnText, with_code, words};
use super::member::{CredentialKind, Kit, Unmade};
use super::probe::{Presence, managed_identity};

/// Members in their order, and the one that worked.
pub(super) struct Chain {
    kit: Kit,
    members: Vec<CredentialKind>,
    /// Whether the user named the one member, so that it is not asked whether it is there.
    named: bool,
    selected: Mutex<Option<Selected>>,
}

/// What came of the members before one worked.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    pub(super) kind: CredentialKind,
    pub(super) passed: Vec<(CredentialKind, String)>,
}

/// What came of one member.
enum Tried {
    Token(AccessToken),
    /// It is not there, or cannot be.
    Absent(String),
    /// It is there and did not work.
    Failed(String),
}

const ADVICE: &str = "On a developer's machine run `az login`; a service in Azure needs a managed identity; \
    elsewhere set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.";

impl Chain {
    pub(super) fn new(kit: Kit, members: Vec<CredentialKind>, named: bool) -> Self {
        Self {
            kit,
            members,
            named,
            selected: Mutex::default(),
        }
    }

    pub(super) fn members(&self) -> &[CredentialKind] {
        &self.members
    }

    pub(super) fn selected(&self) -> Option<Selected> {
        let selected = self.selected.lock();
        selected.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token of the member that worked before, or of the first that works.
    pub(super) async fn token(&self, scopes: &[&str]) -> azure_core::Result<AccessToken> {
        if let Some(Selected { kind, passed }) = self.selected() {
            return match self.ask(kind, scopes).await {
                Tried::Token(token) => Ok(token),
                Tried::Absent(reason) | Tried::Failed(reason) => {
                    Err(self.error(&passed, Some((kind, &reason))))
                }
            };
        }
        let mut passed = Vec::new();
        for &kind in &self.members {
            match self.first(kind, scopes).await {
                Tried::Token(token) => {
                    self.select(Selected { kind, passed });
                    return Ok(token);
                }
                Tried::Absent(reason) => passed.push((kind, reason)),
                Tried::Failed(reason) => return Err(self.error(&passed, Some((kind, &reason)))),
            }
        }
        Err(self.error(&passed, None))
    }

    /// The first time: is it there?
    async fn first(&self, kind: CredentialKind, scopes: &[&str]) -> Tried {
        if kind == CredentialKind::ManagedIdentity && !self.named {
            match managed_identity(&self.kit.environment, &*self.kit.transport).await {
                Presence::There => {}
                Presence::Absent(reason) => return Tried::Absent(reason),
                Presence::Wrong(reason) => return Tried::Failed(reason.to_owned()),
            }
        }
        match self.ask(kind, scopes).await {
            // A tool that is not installed or not logged in is as good as none: the next may be. So is a machine
            // that answers, but has no identity, if none was asked for by name.
            Tried::Failed(reason) if kind.is_developer() => Tried::Absent(reason),
            Tried::Failed(reason)
                if kind == CredentialKind::ManagedIdentity && self.is_bare(&reason) =>
            {
                Tried::Absent(reason)
            }
            tried => tried,
        }
    }

    fn is_bare(&self, reason: &str) -> bool {
        reason.contains("has not been assigned")
            && !reason.contains(ENTRA_CODE)
            && self.kit.environment.text("AZURE_CLIENT_ID").is_none()
    }

    async fn ask(&self, kind: CredentialKind, scopes: &[&str]) -> Tried {
        let member = match self.kit.make(kind) {
            Ok(member) => member,
            Err(Unmade::Missing(reason)) => return Tried::Absent(reason),
            // A kind of managed identity that is not supported is no identity here, and a tool is asked anyway. But a
            // service or a principal that is set up must not go on under another identity: it may be a mightier one.
            Err(Unmade::Wrong(reason)) => {
                return match kind {
                    CredentialKind::Environment | CredentialKind::WorkloadIdentity => {
                        Tried::Failed(reason)
                    }
                    _ => Tried::Absent(reason),
                };
            }
        };
        match member.get_token(scopes, None).await {
            Ok(token) => Tried::Token(token),
            Err(error) => Tried::Failed(reason(kind, &error)),
        }
    }

    fn select(&self, selected: Selected) {
        let mut place = self.selected.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_some() {
            return;
        }
        let passed: Vec<String> = selected
            .passed
            .iter()
            .map(|(kind, reason)| format!("{kind}: {reason}"))
            .collect();
        tracing::info!(
            credential = selected.kind.name(),
            developer_login = selected.kind.is_developer(),
            passed = passed.join("; "),
            "signed in to Azure"
        );
        *place = Some(selected);
    }

    fn error(
        &self,
        passed: &[(CredentialKind, String)],
        failed: Option<(CredentialKind, &str)>,
    ) -> azure_core::Error {
        let mut text = match failed {
            Some((kind, reason)) => format!("{kind} is set up, but failed: {reason}"),
            None => "no credential of the default chain is set up here".to_owned(),
        };
        for (kind, reason) in passed {
            // Writing to a String does not fail.
            let _ = write!(text, "\n  {kind}: {reason}");
        }
        if failed.is_none() && self.members.len() > 1 {
            text.push('\n');
            text.push_str(ADVICE);
        }
        azure_core::Error::new(ErrorKind::Credential, OwnText(text))
    }
}

/// A member's own words, without its name before and the link behind, and with the code of Entra ID.
fn reason(kind: CredentialKind, error: &azure_core::Error) -> String {
    let text = words(&error.to_string());
    let own = match kind {
        CredentialKind::Environment => "ClientSecretCredential",
        other => other.name(),
    };
    let text = text.strip_prefix(own).unwrap_or(&text).trim_start();
    let text = text.strip_prefix("authentication failed.").unwrap_or(text);
    let text = text.split("To troubleshoot, visit").next().unwrap_or(text);
    with_code(text.trim(), error)
}
