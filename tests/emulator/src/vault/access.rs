//! Who may do what: the bearer challenge, and refusals that a test asks for.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode};

use super::REGION;
use super::call::{Call, Collection, Operation, Target};
use super::reply::Problem;
use crate::token::TokenProblem;

/// Why an identity may not use an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No role assignment: inner code `ForbiddenByRbac`.
    Rbac,
    /// A vault with access policies, and none that fits: `ForbiddenByPolicy`.
    AccessPolicy,
    /// The client's address is not allowed: `ForbiddenByFirewall`.
    Firewall,
}

/// The refusals in force.
#[derive(Default)]
pub(super) struct Access {
    pub(super) vault: Option<Denial>,
    /// By collection and lower-case name.
    objects: HashMap<(&'static str, String), Denial>,
    /// Claims to demand from the next request that brings a token.
    pub(super) claims: Option<String>,
}

impl Access {
    pub(super) fn deny(&mut self, path: &'static str, name: &str, denial: Denial) {
        self.objects
            .insert((path, name.to_ascii_lowercase()), denial);
    }

    pub(super) fn allow(&mut self, path: &'static str, name: &str) {
        self.objects.remove(&(path, name.to_ascii_lowercase()));
    }

    /// Comes before any look at the object: a forbidden secret that does not exist is forbidden.
    pub(super) fn check(&self, call: &Call<'_>, vault: &str, tenant: &str) -> Result<(), Problem> {
        let denied = self.vault.or_else(|| {
            let Target::Object {
                collection, name, ..
            } = call.target
            else {
                return None;
            };
            self.objects
                .get(&(object_path(collection), name.to_ascii_lowercase()))
                .copied()
        });
        match denied {
            Some(denial) => Err(denial.problem(call, vault, tenant)),
            None => Ok(()),
        }
    }
}

impl Denial {
    fn problem(self, call: &Call<'_>, vault: &str, tenant: &str) -> Problem {
        let caller = format!(
            "appid=00000000-0000-0000-0000-0000000000a1;oid=00000000-0000-0000-0000-0000000000a2;\
             iss=https://sts.windows.net/{tenant}/"
        );
        let (action, permission) = permission(call);
        match self {
            Self::Rbac => Problem::forbidden(
                "ForbiddenByRbac",
                format!(
                    "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments \
                     or role definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\n\
                     Action: 'Microsoft.KeyVault/vaults/{action}'\r\nResource: '/subscriptions/\
                     00000000-0000-0000-0000-000000000000/resourcegroups/emulator/providers/microsoft.keyvault/vaults/\
                     {vault}{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: \
                     'DeniedWithNoValidRBAC' \r\nVault: {vault};location={REGION}\r\n",
                    resource(call)
                ),
            ),
            Self::AccessPolicy => Problem::forbidden(
                "ForbiddenByPolicy",
                format!(
                    "The user, group or application '{caller}' does not have {permission} permission on key vault \
                     '{vault};location={REGION}'. For help resolving this issue, please see \
                     https://go.microsoft.com/fwlink/?linkid=2125287"
                ),
            ),
            Self::Firewall => Problem::forbidden(
                "ForbiddenByFirewall",
                format!(
                    "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\
                     \r\nCaller: {caller}\r\nVault: {vault};location={REGION}"
                ),
            ),
        }
    }
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(request: &Request<Bytes>) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// 401 for a request without a token, which is how clients ask where to get one.
pub(super) fn missing_token(challenge: String) -> Problem {
    unauthorized(
        "AKV10000: Request is missing a Bearer or PoP token.",
        challenge,
    )
}

/// 401 for a token that the vault does not accept.
pub(super) fn refused_token(problem: &TokenProblem, resource: &str, challenge: String) -> Problem {
    let message = match problem {
        TokenProblem::Audience(found) => {
            format!("AKV10022: Invalid audience. Expected {resource}, found: {found}.")
        }
        TokenProblem::Expired => "[TokenExpired] Error validating token: 'S2S12086'.".to_owned(),
        TokenProblem::NotYetValid => "Error validating token: IDX10222".to_owned(),
        TokenProblem::Malformed | TokenProblem::Signature | TokenProblem::Revoked => {
            "Error validating token: IDX10501".to_owned()
        }
    };
    unauthorized(message, challenge)
}

/// 401 of continuous access evaluation: the client is to get a token with these claims.
pub(super) fn insufficient_claims(challenge: &str, claims: &str) -> Problem {
    unauthorized(
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp",
        format!(r#"{challenge}, error="insufficient_claims", claims="{claims}""#),
    )
}

fn unauthorized(message: impl Into<String>, challenge: String) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized", message).challenge(challenge)
}

fn object_path(collection: Collection) -> &'static str {
    match collection {
        Collection::Secrets | Collection::DeletedSecrets => "secrets",
        Collection::Keys | Collection::DeletedKeys => "keys",
    }
}

fn resource(call: &Call<'_>) -> String {
    match call.target {
        Target::Collection(_) => String::new(),
        Target::Object {
            collection, name, ..
        } => format!("/{}/{name}", object_path(collection)),
    }
}

/// The data action of role-based access, and the permission of access policies, that a call needs.
fn permission(call: &Call<'_>) -> (String, String) {
    let (collection, operation) = match call.target {
        Target::Collection(collection) => (collection, None),
        Target::Object {
            collection,
            operation,
            ..
        } => (collection, operation),
    };
    let path = object_path(collection);
    let secrets = path == "secrets";
    let is_list =
        matches!(call.target, Target::Collection(_)) || operation == Some(Operation::Versions);
    let (action, policy) = match (operation, call.method) {
        _ if is_list && secrets => ("readMetadata/action", "list"),
        _ if is_list => ("read", "list"),
        (Some(Operation::Create), _) => ("create/action", "create"),
        (Some(Operation::Recover), _) => ("recover/action", "recover"),
        (Some(Operation::Backup), _) => ("backup/action", "backup"),
        (Some(Operation::Restore), _) => ("restore/action", "restore"),
        (Some(Operation::Rotate), _) => ("rotate/action", "rotate"),
        (Some(Operation::RotationPolicy), &Method::GET) => {
            ("rotationpolicies/read", "getrotationpolicy")
        }
        (Some(Operation::RotationPolicy), _) => ("rotationpolicies/write", "setrotationpolicy"),
        (Some(Operation::Encrypt), _) => ("encrypt/action", "encrypt"),
        (Some(Operation::Decrypt), _) => ("decrypt/action", "decrypt"),
        (Some(Operation::WrapKey), _) => ("wrap/action", "wrapKey"),
        (Some(Operation::UnwrapKey), _) => ("unwrap/action", "unwrapKey"),
        (Some(Operation::Sign), _) => ("sign/action", "sign"),
        (Some(Operation::Verify), _) => ("verify/action", "verify"),
        (_, &Method::PUT) if secrets => ("setSecret/action", "set"),
        (_, &Method::PUT) => ("import/action", "import"),
        (_, &Method::PATCH) => ("update/action", "update"),
        (_, &Method::DELETE)
            if matches!(
                collection,
                Collection::DeletedSecrets | Collection::DeletedKeys
            ) =>
        {
            ("purge/action", "purge")
        }
        (_, &Method::DELETE) => ("delete", "delete"),
        _ if secrets && collection == Collection::Secrets => ("getSecret/action", "get"),
        _ => ("read", "get"),
    };
    (format!("{path}/{action}"), format!("{path} {policy}"))
}
