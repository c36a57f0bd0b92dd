//! Which vaults may be asked. Decided from the parts of an identifier, before any client exists.

use crate::error::{Error, Result};

use super::identifier::{Collection, Flaw, ObjectId};

/// A cloud's DNS suffix for vaults or managed HSMs.
#[derive(Debug, Clone)]
struct Suffix {
    host: Box<str>,
    keys_only: bool,
}

/// A vault that the application named: by its host, or by host and port.
type Host = Box<str>;

/// What is known about a vault that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// The audience that tokens for this vault are for, such as `https://vault.azure.net`. Fixed by the cloud
    /// or the application, never by what the vault answers.
    pub(crate) audience: Box<str>,
    /// True for a host outside the known clouds that the application named: its challenge names an audience
    /// that cannot be derived from its host.
    pub(crate) exact: bool,
}

const PUBLIC_AUDIENCE: &str = "https://vault.azure.net";
const PUBLIC_SUFFIXES: [&str; 2] = ["vault.azure.net", "managedhsm.azure.net"];

/// The vault policy of one configuration.
#[derive(Debug, Clone)]
pub(crate) struct VaultPolicy {
    suffixes: Vec<Suffix>,
    /// If not empty, only these.
    allowed: Vec<Host>,
    /// Vaults with options of their own: allowed, without shutting out the others.
    named: Vec<Host>,
}

const NOT_ALLOWED: &str = "the vault is not in the list given to KeyVaultOptions::allow_vault";
const UNKNOWN_SUFFIX: &str = "the host does not end in a suffix of Azure Key Vault; \
    KeyVaultOptions::allow_vault or allow_suffix can admit it";
const PORT: &str =
    "a port is admitted only by naming the whole origin in KeyVaultOptions::allow_vault";
const VAULT_NAME: &str = "a vault's name is 3 to 24 letters, digits and single hyphens";
const KEYS_ONLY: &str = "a managed HSM holds keys, but no secrets";

impl VaultPolicy {
    pub(crate) fn new() -> Self {
        let suffix = |host: &str, keys_only| Suffix {
            host: host.into(),
            keys_only,
        };
        Self {
            suffixes: vec![
                suffix("vault.azure.net", false),
                suffix("vault.usgovcloudapi.net", false),
                suffix("vault.azure.cn", false),
                suffix("managedhsm.azure.net", true),
                suffix("managedhsm.usgovcloudapi.net", true),
                suffix("managedhsm.azure.cn", true),
            ],
            allowed: Vec::new(),
            named: Vec::new(),
        }
    }

    /// Admits hosts of one label before `suffix` (a private cloud).
    pub(crate) fn allow_suffix(&mut self, suffix: &str) -> Result<()> {
        let host = suffix.strip_prefix('.').unwrap_or(suffix);
        if authority(host).as_deref() != Some(&*host.to_ascii_lowercase())
            || host.contains(':')
            || !host.contains('.')
        {
            return Err(Error::option(
                "allow_suffix takes a DNS suffix of two labels or more, such as 'vault.contoso.example'",
            ));
        }
        self.suffixes.push(Suffix {
            host: host.to_ascii_lowercase().into(),
            keys_only: false,
        });
        Ok(())
    }

    /// Shuts out every vault that is not named by a call of this.
    pub(crate) fn allow_vault(&mut self, vault: &str) -> Result<()> {
        self.allowed.extend(hosts_of(vault)?);
        Ok(())
    }

    /// Admits a vault, without shutting out the others.
    pub(crate) fn name_vault(&mut self, vault: &str) -> Result<()> {
        self.named.extend(hosts_of(vault)?);
        Ok(())
    }

    /// Decides whether the vault of an identifier may be asked for this kind of object.
    pub(crate) fn check(&self, collection: Collection, id: &ObjectId) -> Result<Admitted, Flaw> {
        let host = id.vault_host();
        let listed = self.allowed.iter().any(|allowed| **allowed == *host);
        let named = listed || self.named.iter().any(|named| **named == *host);
        if !self.allowed.is_empty() && !named {
            return Err(NOT_ALLOWED);
        }
        match self.cloud(host) {
            Some((_, suffix)) if suffix.keys_only && collection != Collection::Keys => {
                Err(KEYS_ONLY)
            }
            Some((name, suffix)) if is_vault_name(name) => Ok(Admitted {
                audience: format!("https://{}", suffix.host).into(),
                exact: false,
            }),
            Some(_) => Err(VAULT_NAME),
            None if named => Ok(Admitted {
                audience: PUBLIC_AUDIENCE.into(),
                exact: true,
            }),
            None if host.contains(':') => Err(PORT),
            None => Err(UNKNOWN_SUFFIX),
        }
    }

    /// Splits a host into the vault's name and its cloud's suffix.
    fn cloud<'a>(&self, host: &'a str) -> Option<(&'a str, &Suffix)> {
        let (name, domain) = host.split_once('.')?;
        let suffix = self
            .suffixes
            .iter()
            .find(|suffix| *suffix.host == *domain)?;
        Some((name, suffix))
    }
}

/// The hosts that a vault named by the application can have: a bare name is a vault of the public cloud.
pub(super) fn hosts_of(vault: &str) -> Result<Vec<Host>> {
    let flaw = || {
        Error::option(
            "a vault is given as its name, its host, or an https origin such as 'https://localhost:8443'",
        )
    };
    let origin = vault
        .get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let text = if origin { &vault[8..] } else { vault };
    let host =
        authority(text.strip_suffix('/').filter(|_| origin).unwrap_or(text)).ok_or_else(flaw)?;
    if origin {
        return Ok(vec![host]);
    }
    if host.contains(':') {
        return Err(flaw());
    }
    if host.contains('.') {
        return Ok(vec![host]);
    }
    if !is_vault_name(&host) {
        return Err(flaw());
    }
    Ok(PUBLIC_SUFFIXES
        .iter()
        .map(|suffix| format!("{host}.{suffix}").into())
        .collect())
}

/// A host with an optional port, in lower case, if it is one that an identifier can have.
fn authority(text: &str) -> Option<Host> {
    let (_, id) = ObjectId::parse(&format!("https://{text}/secrets/x")).ok()?;
    Some(id.vault_host().into())
}

fn is_vault_name(name: &str) -> bool {
    // The host's labels were checked before: letters, digits, inner hyphens. Punycode has two hyphens.
    (3..=24).contains(&name.len()) && !name.contains("--") && !name.contains(':')
}
