//! Which requests a count or a fault is about.

use http::Method;

use crate::log::Entry;

/// The kind of service behind a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostKind {
    /// An App Configuration store or a replica of one.
    Store,
    /// A key vault.
    Vault,
    /// A token authority or a managed identity endpoint.
    Identity,
    /// A host that no client should ever talk to, registered to see whether one does.
    Other,
}

/// What a request is about, told by its host and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `/kv`: a list of settings, whatever the filter.
    StoreList,
    /// `/kv/{key}`.
    StoreItem,
    /// `/snapshots`, `/snapshots/{name}` and `/operations`.
    Snapshot,
    /// `/revisions`, `/keys`, `/labels`, `/locks/{key}`.
    StoreOther,
    /// `/secrets/{name}[/{version}]` of a vault, with a token.
    Secret,
    /// `/keys/{name}[/{version}]` of a vault, with a token.
    Key,
    /// A request to a vault without a token, which draws the 401 challenge.
    Challenge,
    /// A token request, of any grant.
    Token,
    /// OpenID and instance discovery.
    Discovery,
    /// Anything else.
    Other,
}

impl Resource {
    pub(crate) fn of(kind: HostKind, path: &str, authorized: bool) -> Self {
        let below = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
        };
        match kind {
            HostKind::Store if below("/kv") => Self::StoreItem,
            HostKind::Store => match path.split('/').nth(1) {
                Some("kv") => Self::StoreList,
                Some("snapshots" | "operations") => Self::Snapshot,
                Some("revisions" | "keys" | "labels" | "locks") => Self::StoreOther,
                _ => Self::Other,
            },
            HostKind::Vault if !authorized => Self::Challenge,
            HostKind::Vault if below("/secrets") => Self::Secret,
            HostKind::Vault if below("/keys") => Self::Key,
            HostKind::Identity if path.ends_with("/token") => Self::Token,
            HostKind::Identity if path.contains("/.well-known/") => Self::Discovery,
            HostKind::Identity if path.contains("/discovery/") => Self::Discovery,
            HostKind::Vault | HostKind::Identity | HostKind::Other => Self::Other,
        }
    }
}

/// A matcher of requests. Every condition that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Route {
    kind: Option<HostKind>,
    resource: Option<Resource>,
    host: Option<String>,
    method: Option<Method>,
    path: Option<String>,
    query: Option<String>,
    conditional: Option<bool>,
    status: Option<u16>,
}

impl Route {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every request to a host of this kind.
    pub fn kind(kind: HostKind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// Requests for this resource.
    pub fn resource(resource: Resource) -> Self {
        Self {
            resource: Some(resource),
            ..Self::default()
        }
    }

    /// Every request to a store.
    pub fn store() -> Self {
        Self::kind(HostKind::Store)
    }

    /// Every request to a vault, challenges included.
    pub fn vault() -> Self {
        Self::kind(HostKind::Vault)
    }

    /// Every request to an authority.
    pub fn identity() -> Self {
        Self::kind(HostKind::Identity)
    }

    /// Pages of settings: `/kv`.
    pub fn store_list() -> Self {
        Self::resource(Resource::StoreList)
    }

    /// Single settings: `/kv/{key}`.
    pub fn store_item() -> Self {
        Self::resource(Resource::StoreItem)
    }

    /// Snapshots and their creation status.
    pub fn snapshot() -> Self {
        Self::resource(Resource::Snapshot)
    }

    /// Authorized reads and writes of secrets.
    pub fn secret() -> Self {
        Self::resource(Resource::Secret)
    }

    /// Authorized reads and writes of keys.
    pub fn key() -> Self {
        Self::resource(Resource::Key)
    }

    /// Requests to a vault without a token.
    pub fn challenge() -> Self {
        Self::resource(Resource::Challenge)
    }

    /// Token requests.
    pub fn token() -> Self {
        Self::resource(Resource::Token)
    }

    /// Only requests to this host: the real name of the service, whatever name the client used.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into().to_ascii_lowercase());
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only requests with exactly this path, as it stood on the request line.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Only requests whose query contains this text.
    #[must_use]
    pub fn query(mut self, part: impl Into<String>) -> Self {
        self.query = Some(part.into());
        self
    }

    /// Only requests with (or without) `If-Match` or `If-None-Match`.
    #[must_use]
    pub fn conditional(mut self, conditional: bool) -> Self {
        self.conditional = Some(conditional);
        self
    }

    /// Only requests that were answered with this status. Not for faults: they are chosen before the answer.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn names_a_status(&self) -> bool {
        self.status.is_some()
    }

    /// Whether `entry` is one of these requests.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.kind)
            && self.resource.is_none_or(|wanted| wanted == entry.resource)
            && self.host.as_ref().is_none_or(|host| *host == entry.host)
            && self.method.as_ref().is_none_or(|m| *m == entry.method)
            && self.path.as_ref().is_none_or(|path| *path == entry.path)
            && self
                .query
                .as_ref()
                .is_none_or(|part| entry.query.contains(part))
            && self.conditional.is_none_or(|c| c == entry.conditional)
            && self.status.is_none_or(|s| Some(s) == entry.status)
    }
}
