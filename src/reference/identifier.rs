//! Object identifiers of Key Vault: `https://{vault}/{collection}/{name}[/{version}]` (provider-spec 3.5).
//!
//! A text is taken apart strictly and printed back from its parts, so that nothing but what was checked can
//! ever reach a request line. Whether the host may be asked is not decided here but by the vault policy.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use url::Host;

use crate::error::{Error, ErrorKind, Result};

/// Names and versions hold at most this many letters, digits and hyphens.
const LONGEST_NAME: usize = 127;

/// Which kind of object an identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Collection {
    Secrets,
    Keys,
    Certificates,
}

impl Collection {
    fn of(text: &str) -> Option<Self> {
        [Self::Secrets, Self::Keys, Self::Certificates]
            .into_iter()
            .find(|collection| text.eq_ignore_ascii_case(collection.as_str()))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Keys => "keys",
            Self::Certificates => "certificates",
        }
    }
}

/// What is wrong with a text that should be an identifier: fixed words, because the text may be a secret
/// that was pasted in the wrong place.
pub(crate) type Flaw = &'static str;

/// The parts of an identifier. The host is kept in lower case, the name and the version as they were written.
#[derive(Clone)]
pub(crate) struct ObjectId {
    vault_url: Box<str>,
    name: Box<str>,
    version: Option<Box<str>>,
}

const SCHEME: &str = "https://";
/// The port of that scheme, which goes without saying.
const DEFAULT_PORT: &str = "443";

impl ObjectId {
    /// Takes a text apart. Refuses everything that is not exactly an identifier.
    pub(crate) fn parse(text: &str) -> Result<(Collection, Self), Flaw> {
        let rest = match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => &text[SCHEME.len()..],
            _ => return Err("an identifier starts with https://"),
        };
        let (authority, path) = rest
            .split_once('/')
            .ok_or("an identifier needs a path: /secrets/{name}")?;
        let vault_url = vault_url(authority)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = path.split('/');
        let collection = segments
            .next()
            .and_then(Collection::of)
            .ok_or("the path of an identifier starts with /secrets/, /keys/ or /certificates/")?;
        let name = segments
            .next()
            .ok_or("the identifier names a collection, but no object in it")?;
        let version = segments.next();
        if segments.next().is_some() {
            return Err("the identifier goes on after the version");
        }
        if !is_name(name) || !version.is_none_or(is_name) {
            return Err("names and versions are 1 to 127 letters, digits and hyphens");
        }
        let id = Self {
            vault_url,
            name: name.into(),
            version: version.map(Into::into),
        };
        Ok((collection, id))
    }

    fn new(vault: &str, name: &str, version: Option<&str>) -> Result<Self, Flaw> {
        let authority = match vault.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => &vault[SCHEME.len()..],
            _ => return Err("the URL of a vault starts with https://"),
        };
        let vault_url = vault_url(authority.strip_suffix('/').unwrap_or(authority))?;
        if !is_name(name) || !version.is_none_or(is_name) {
            return Err("names and versions are 1 to 127 letters, digits and hyphens");
        }
        Ok(Self {
            vault_url,
            name: name.into(),
            version: version.map(Into::into),
        })
    }

    pub(crate) fn vault_url(&self) -> &str {
        &self.vault_url
    }

    /// The host, with the port if there is one, in lower case.
    pub(crate) fn vault_host(&self) -> &str {
        &self.vault_url[SCHEME.len()..]
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What equality, order and hash look at, in lower case.
    fn identity(&self) -> impl Iterator<Item = u8> {
        let version = self.version.as_deref().unwrap_or_default();
        [self.vault_host(), "/", &self.name, "/", version]
            .into_iter()
            .flat_map(|part| part.bytes())
            .map(|byte| byte.to_ascii_lowercase())
    }

    fn write(&self, collection: Collection, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collection = collection.as_str();
        write!(f, "{}/{collection}/{}", self.vault_url, self.name)?;
        match &self.version {
            Some(version) => write!(f, "/{version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.vault_url, self.name, self.version)
    }
}

impl PartialEq for ObjectId {
    fn eq(&self, other: &Self) -> bool {
        self.identity().eq(other.identity())
    }
}

impl Eq for ObjectId {}

impl Ord for ObjectId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(other.identity())
    }
}

impl PartialOrd for ObjectId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ObjectId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.identity() {
            state.write_u8(byte);
        }
    }
}

/// `https://` and the authority in lower case without the port 443, if the authority is a plain host name with at most a port.
fn vault_url(authority: &str) -> Result<Box<str>, Flaw> {
    let authority = authority.to_ascii_lowercase();
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority.as_str(), None),
    };
    if let Some(port) = port {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        if !digits || port.parse::<u16>().is_err() {
            return Err("the port of an identifier is a number from 1 to 65535");
        }
    }
    if host.len() > 253 || !host.split('.').all(is_host_label) || !is_read_alike(host) {
        return Err("an identifier has a plain host name: no user, no brackets, no trailing dot");
    }
    Ok(match port {
        Some(port) if port != DEFAULT_PORT => format!("{SCHEME}{host}:{port}"),
        _ => format!("{SCHEME}{host}"),
    }
    .into())
}

/// Whether requests go to the host that is written there: `2` would be the address 0.0.0.2, and `xn--` alone is no name.
fn is_read_alike(host: &str) -> bool {
    Host::parse(host).is_ok_and(|read| read.to_string() == host)
}

fn is_host_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What this crate's own rooms may do with an identifier that references can name.
macro_rules! inner_parts {
    ($type:ident) => {
        impl $type {
            pub(crate) fn from_parts(id: ObjectId) -> Self {
                Self(id)
            }

            pub(crate) fn parts(&self) -> &ObjectId {
                &self.0
            }
        }
    };
}

inner_parts!(SecretIdentifier);
inner_parts!(KeyIdentifier);

#[cfg(test)]
impl CertificateIdentifier {
    pub(crate) fn from_parts(id: ObjectId) -> Self {
        Self(id)
    }
}

/// Writes the three public identifiers, which differ in their collection alone.
macro_rules! identifier {
    ($(#[$doc:meta])* $type:ident, $collection:expr, $flaw:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(ObjectId);

        impl $type {
            /// Reads an identifier.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidOption`] says what is wrong, without repeating the text.
            pub fn parse(text: &str) -> Result<Self> {
                match ObjectId::parse(text) {
                    Ok((collection, id)) if collection == $collection => Ok(Self(id)),
                    Ok(_) => Err(Error::new(ErrorKind::InvalidOption, $flaw)),
                    Err(flaw) => Err(Error::new(ErrorKind::InvalidOption, flaw)),
                }
            }

            /// Puts an identifier together from the URL of its vault, its name and its version.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidOption`] if a part is not what it should be.
            pub fn new(vault_url: &str, name: &str, version: Option<&str>) -> Result<Self> {
                ObjectId::new(vault_url, name, version)
                    .map(Self)
                    .map_err(|flaw| Error::new(ErrorKind::InvalidOption, flaw))
            }

            /// The vault: `https://`, the host in lower case and the port if there is one other than 443. No trailing slash.
            #[must_use]
            pub fn vault_url(&self) -> &str {
                self.0.vault_url()
            }

            /// The vault's host in lower case, with the port if there is one other than 443.
            #[must_use]
            pub fn vault_host(&self) -> &str {
                self.0.vault_host()
            }

            /// The object's name, as it was written.
            #[must_use]
            pub fn name(&self) -> &str {
                self.0.name()
            }

            /// The version, if the identifier names one; without it the newest is meant.
            #[must_use]
            pub fn version(&self) -> Option<&str> {
                self.0.version()
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write($collection, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }
    };
}

identifier! {
    /// The identifier of a secret in Key Vault, with or without a version.
    ///
    /// Reading is strict: `https`, a plain host name with at most a port, the collection `secrets` in any case,
    /// a name and at most a version of 1 to 127 letters, digits and hyphens, and one optional trailing slash. A
    /// user name, a query, a fragment or an escape is refused. Identifiers compare without regard to case, as
    /// the service does. Which hosts are asked is another question, see
    /// [`KeyVaultOptions::allow_vault`](crate::KeyVaultOptions::allow_vault).
    ///
    /// ```
    /// use config_azure::SecretIdentifier;
    ///
    /// let id = SecretIdentifier::parse("https://kv-orders.vault.azure.net/secrets/db-password/")?;
    /// assert_eq!(id.vault_url(), "https://kv-orders.vault.azure.net");
    /// assert_eq!(id.name(), "db-password");
    /// assert_eq!(id.version(), None);
    /// assert_eq!(id.to_string(), "https://kv-orders.vault.azure.net/secrets/db-password");
    /// # Ok::<(), config_azure::Error>(())
    /// ```
    SecretIdentifier, Collection::Secrets, "the identifier is not that of a secret: its path starts with /secrets/"
}

identifier! {
    /// The identifier of a key in Key Vault or a managed HSM, with or without a version. See [`SecretIdentifier`].
    ///
    /// ```
    /// use config_azure::KeyIdentifier;
    ///
    /// let id: KeyIdentifier = "https://kv-orders.vault.azure.net/keys/signing/1a2b".parse()?;
    /// assert_eq!((id.name(), id.version()), ("signing", Some("1a2b")));
    /// # Ok::<(), config_azure::Error>(())
    /// ```
    KeyIdentifier, Collection::Keys, "the identifier is not that of a key: its path starts with /keys/"
}

identifier! {
    /// The identifier of a certificate in Key Vault, with or without a version. See [`SecretIdentifier`].
    ///
    /// A certificate's text (PEM or PKCS#12) is kept in the secret of the same name and version.
    ///
    /// ```
    /// use config_azure::CertificateIdentifier;
    ///
    /// let id = CertificateIdentifier::parse("https://kv-web.vault.azure.net/certificates/site")?;
    /// assert_eq!(id.secret().to_string(), "https://kv-web.vault.azure.net/secrets/site");
    /// # Ok::<(), config_azure::Error>(())
    /// ```
    CertificateIdentifier, Collection::Certificates, "the identifier is not that of a certificate: its path starts with /certificates/"
}

impl CertificateIdentifier {
    /// The secret that holds the certificate's text.
    #[must_use]
    pub fn secret(&self) -> SecretIdentifier {
        SecretIdentifier(self.0.clone())
    }
}
