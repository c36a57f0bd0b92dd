//! Which hosts may be asked.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use url::{Host, Url};

use super::Refusal;

/// What a host is to us; it decides the bounds of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// An App Configuration store or one of its replicas.
    Store,
    /// A Key Vault.
    Vault,
    /// An Entra authority or a managed identity endpoint.
    Identity,
}

/// Scheme, host and port: who a credential may be sent to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    https: bool,
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// The origin of an http or https URL; `None` for any other scheme.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            https,
            host: url.host_str()?.into(),
            port: url.port_or_known_default()?,
        })
    }

    /// `https://HOST`, or `https://HOST:PORT` for a vault that is listed as an exact origin.
    #[cfg(test)]
    pub(crate) fn https(authority: &str) -> Self {
        let split = authority.rsplit_once(':');
        let ported = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = ported.unwrap_or((authority, 443));
        Self {
            https: true,
            host: host.to_ascii_lowercase().into(),
            port,
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// The set of origins that may be asked. Clones share it: hosts are added when a replica was verified or a
/// vault passed its policy, and go again with whoever asks them.
#[derive(Clone, Default)]
pub(crate) struct HostPolicy(Arc<RwLock<HashMap<Origin, Allowed>>>);

/// What is known of an origin that may be asked.
struct Allowed {
    kind: HostKind,
    /// As long as the policy itself.
    for_good: bool,
    /// As long as there are any.
    permits: usize,
}

/// Lets requests to an origin pass for as long as it is held.
#[must_use]
pub(crate) struct Permit {
    policy: HostPolicy,
    origin: Origin,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut origins = self.policy.origins();
        if let Some(allowed) = origins.get_mut(&self.origin) {
            allowed.permits = allowed.permits.saturating_sub(1);
            if allowed.permits == 0 && !allowed.for_good {
                origins.remove(&self.origin);
            }
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({:?})", self.origin)
    }
}

impl HostPolicy {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets requests to an origin pass from now on.
    pub(crate) fn allow(&self, origin: Origin, kind: HostKind) {
        self.admit(origin, kind, |allowed| allowed.for_good = true);
    }

    /// Lets requests to an origin pass until the permit, and every other one for it, is dropped.
    pub(crate) fn permit(&self, origin: Origin, kind: HostKind) -> Permit {
        self.admit(origin.clone(), kind, |allowed| allowed.permits += 1);
        Permit {
            policy: self.clone(),
            origin,
        }
    }

    fn admit(&self, origin: Origin, kind: HostKind, how: impl FnOnce(&mut Allowed)) {
        let mut origins = self.origins();
        let allowed = origins.entry(origin).or_insert(Allowed {
            kind,
            for_good: false,
            permits: 0,
        });
        allowed.kind = kind;
        how(allowed);
    }

    fn origins(&self) -> RwLockWriteGuard<'_, HashMap<Origin, Allowed>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may be sent. Plain http is for loopback and link-local hosts alone (an emulator, a
    /// managed identity endpoint), and never carries a bearer token.
    pub(super) fn check(&self, url: &Url, bearer: bool) -> Result<HostKind, Refusal> {
        let origin = Origin::of(url).ok_or(Refusal::Insecure)?;
        if !origin.https && (bearer || !is_local(url)) {
            return Err(Refusal::Insecure);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::ForeignHost);
        }
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&origin)
            .map(|allowed| allowed.kind)
            .ok_or(Refusal::ForeignHost)
    }
}

impl fmt::Debug for HostPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(known.keys()).finish()
    }
}

/// True for `localhost`, loopback and link-local addresses.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
        None => false,
    }
}

/// True for `localhost` and loopback addresses: this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_vault_listed_with_its_port_passes_on_that_port_alone() {
        for (host, origin) in [
            ("localhost:8443", "https://localhost:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
        ] {
            let policy = HostPolicy::new();
            policy.allow(Origin::https(host), HostKind::Vault);
            assert_eq!(policy.check(&url(origin), true), Ok(HostKind::Vault));
            let default = origin.trim_end_matches(":8443");
            assert_eq!(policy.check(&url(default), true), Err(Refusal::ForeignHost));
        }
        assert_eq!(
            Origin::https("[::1]"),
            Origin::of(&url("https://[::1]")).unwrap()
        );
    }

    #[test]
    fn an_origin_passes_as_long_as_a_permit_is_held() {
        let policy = HostPolicy::new();
        let vault = || Origin::https("kv-orders.vault.azure.net");
        let passes = || {
            let url = url("https://kv-orders.vault.azure.net/secrets/a");
            policy.check(&url, true).is_ok()
        };
        assert!(!passes());
        let one = policy.permit(vault(), HostKind::Vault);
        let other = policy.permit(vault(), HostKind::Vault);
        drop(one);
        assert!(passes());
        drop(other);
        assert!(!passes());
        assert_eq!(format!("{policy:?}"), "{}");
        // What is allowed for good stays.
        policy.allow(vault(), HostKind::Vault);
        drop(policy.permit(vault(), HostKind::Vault));
        assert!(passes());
    }

    #[test]
    fn only_exact_origins_pass() {
        let policy = HostPolicy::new();
        policy.allow(Origin::https("Contoso.azconfig.io"), HostKind::Store);
        let ask = |text: &str| policy.check(&url(text), true);
        assert_eq!(
            ask("https://contoso.azconfig.io/kv?label=%00"),
            Ok(HostKind::Store)
        );
        assert_eq!(
            ask("https://contoso.azconfig.io:443/kv"),
            Ok(HostKind::Store)
        );
        for foreign in [
            "https://contoso.azconfig.io:444/kv",
            "https://contoso.azconfig.io./kv",
            "https://x.contoso.azconfig.io/kv",
            "https://user@contoso.azconfig.io/kv",
            "https://contoso.azconfig.io.evil.example/kv",
        ] {
            assert_eq!(ask(foreign), Err(Refusal::ForeignHost), "{foreign}");
        }
        assert_eq!(ask("http://contoso.azconfig.io/kv"), Err(Refusal::Insecure));
        assert_eq!(ask("ftp://contoso.azconfig.io/kv"), Err(Refusal::Insecure));
    }

    #[test]
    fn plain_http_is_local_and_without_a_token() {
        let policy = HostPolicy::new();
        for origin in [
            "http://localhost:8483",
            "http://169.254.169.254",
            "http://example.com",
        ] {
            policy.allow(Origin::of(&url(origin)).unwrap(), HostKind::Identity);
        }
        assert_eq!(
            policy.check(&url("http://localhost:8483/kv"), true),
            Err(Refusal::Insecure)
        );
        assert_eq!(
            policy.check(&url("http://localhost:8483/kv"), false),
            Ok(HostKind::Identity)
        );
        assert_eq!(
            policy.check(&url("http://169.254.169.254/metadata"), false),
            Ok(HostKind::Identity)
        );
        assert_eq!(
            policy.check(&url("http://example.com/"), false),
            Err(Refusal::Insecure)
        );
    }
}
