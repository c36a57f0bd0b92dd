//! The credential that finds itself a way to sign in.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::HttpClient;
use azure_identity::Executor;
use url::Url;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::transport::{Guard, HostKind, HostPolicy, Limits, Origin, reqwest_transport};

use super::chain::Chain;
use super::member::{CredentialKind, Kit, authority, identity_endpoint};
use super::probe::INSTANCE_METADATA;

/// Signs in with what the environment offers: a service principal in environment variables, a Kubernetes workload
/// identity, a managed identity, the Azure CLI or the Azure Developer CLI, in this order.
///
/// - A member that is not set up here is passed over; one that is set up but fails ends the search, so that a
///   broken production login is never replaced by a developer's own, nor by the identity of the machine. That is so
///   also if a token file is not mounted yet or a tenant is malformed. The next call tries anew.
/// - Whether there is a managed identity is found out within a second.
/// - The member that worked is used from then on. One `info` event says which, and why not the others.
/// - `AZURE_TOKEN_CREDENTIALS` narrows the choice: `prod` (the first three), `dev` (the last two), or the name of
///   one member, such as `ManagedIdentityCredential`. Case does not matter; anything else is an error.
/// - `AZURE_CLIENT_ID` names a user-assigned managed identity, `AZURE_AUTHORITY_HOST` another cloud's authority.
///
/// It keeps no tokens. Builders put it behind a [`CachedCredential`](super::CachedCredential); do the same to share
/// it with clients of the Azure SDK.
///
/// ```
/// use config_azure::credential::{CachedCredential, DefaultAzureCredential};
///
/// let credential = CachedCredential::new(DefaultAzureCredential::new()?);
/// # Ok::<(), config_azure::Error>(())
/// ```
pub struct DefaultAzureCredential {
    pub(super) chain: Chain,
}

impl DefaultAzureCredential {
    /// The chain for this process, on an HTTP client of its own. No I/O.
    ///
    /// # Errors
    ///
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if `AZURE_TOKEN_CREDENTIALS` or `AZURE_AUTHORITY_HOST` is
    /// not valid, or if the HTTP client cannot be made.
    pub fn new() -> Result<Arc<Self>> {
        Self::builder().build()
    }

    /// The chain for a builder that has an environment and a guarded transport already.
    pub(crate) fn of(
        environment: Environment,
        transport: Arc<dyn HttpClient>,
    ) -> Result<Arc<Self>> {
        let builder = Self::builder().transport(transport);
        DefaultAzureCredentialBuilder {
            environment,
            ..builder
        }
        .build()
    }

    /// A chain to be adapted: another environment or transport for tests, fewer members for production.
    pub fn builder() -> DefaultAzureCredentialBuilder {
        DefaultAzureCredentialBuilder {
            environment: Environment::process(),
            transport: None,
            executor: None,
            only: None,
        }
    }

    /// The member that worked, once one did.
    #[must_use]
    pub fn selected(&self) -> Option<CredentialKind> {
        self.chain.selected().map(|selected| selected.kind)
    }

    /// The members before the one that worked, each with the reason why it did not count. Empty until one worked.
    #[must_use]
    pub fn passed_over(&self) -> Vec<(CredentialKind, String)> {
        let selected = self.chain.selected();
        selected.map(|selected| selected.passed).unwrap_or_default()
    }
}

#[async_trait]
impl TokenCredential for DefaultAzureCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.chain.token(scopes).await
    }
}

impl fmt::Debug for DefaultAzureCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultAzureCredential")
            .field("members", &self.chain.members())
            .field("selected", &self.selected())
            .finish_non_exhaustive()
    }
}

/// Builds a [`DefaultAzureCredential`].
///
/// ```
/// use config_azure::credential::{CredentialKind, DefaultAzureCredential};
///
/// let credential = DefaultAzureCredential::builder()
///     .members([CredentialKind::WorkloadIdentity, CredentialKind::AzureCli])
///     .build()?;
/// assert_eq!(credential.selected(), None);
/// # Ok::<(), config_azure::Error>(())
/// ```
#[must_use]
pub struct DefaultAzureCredentialBuilder {
    environment: Environment,
    transport: Option<Arc<dyn HttpClient>>,
    executor: Option<Arc<dyn Executor>>,
    only: Option<Vec<CredentialKind>>,
}

impl DefaultAzureCredentialBuilder {
    /// Looks environment variables up with this function instead of in the process.
    ///
    /// One thing is out of its reach: which kind of managed identity endpoint is asked, and the `IDENTITY_HEADER`
    /// sent to it, are read from the process by `azure_identity`.
    pub fn environment(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Environment::new(lookup);
        self
    }

    /// Sends all requests through this client.
    pub fn transport(mut self, transport: Arc<dyn HttpClient>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Starts `az` and `azd` with this executor.
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// Tries these members, in their fixed order, whatever `AZURE_TOKEN_CREDENTIALS` says.
    pub fn members(mut self, members: impl IntoIterator<Item = CredentialKind>) -> Self {
        self.only = Some(members.into_iter().collect());
        self
    }

    /// Puts the chain together. No I/O.
    ///
    /// # Errors
    ///
    /// As [`DefaultAzureCredential::new`].
    pub fn build(self) -> Result<Arc<DefaultAzureCredential>> {
        let members = match self.only {
            Some(only) => CredentialKind::ALL
                .into_iter()
                .filter(|kind| only.contains(kind))
                .collect(),
            None => chosen(self.environment.text("AZURE_TOKEN_CREDENTIALS").as_deref())?,
        };
        if members.is_empty() {
            return Err(Error::option(
                "a chain of credentials needs at least one member",
            ));
        }
        let origins = identity_origins(&self.environment)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => own_transport(origins)?,
        };
        let named = members.len() == 1;
        let kit = Kit {
            environment: self.environment,
            transport,
            executor: self.executor,
        };
        Ok(Arc::new(DefaultAzureCredential {
            chain: Chain::new(kit, members, named),
        }))
    }
}

impl fmt::Debug for DefaultAzureCredentialBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultAzureCredentialBuilder")
            .field("members", &self.only)
            .finish_non_exhaustive()
    }
}

/// The members that `AZURE_TOKEN_CREDENTIALS` names; all of them if it is not set.
fn chosen(text: Option<&str>) -> Result<Vec<CredentialKind>> {
    let all = CredentialKind::ALL.into_iter();
    let members: Vec<CredentialKind> = match text.map(str::to_ascii_lowercase).as_deref() {
        None => all.collect(),
        Some("prod") => all.filter(|kind| !kind.is_developer()).collect(),
        Some("dev") => all.filter(|kind| kind.is_developer()).collect(),
        Some(name) => all
            .filter(|kind| kind.name().eq_ignore_ascii_case(name))
            .collect(),
    };
    if members.is_empty() {
        return Err(Error::option(
            "AZURE_TOKEN_CREDENTIALS is `dev`, `prod` or the name of one credential: EnvironmentCredential, \
             WorkloadIdentityCredential, ManagedIdentityCredential, AzureCliCredential, AzureDeveloperCliCredential",
        ));
    }
    Ok(members)
}

/// The origins that the default chain may send requests to: the authority, and the managed identity endpoints.
pub(crate) fn identity_origins(environment: &Environment) -> Result<Vec<Origin>> {
    const PUBLIC: &str = "https://login.microsoftonline.com";
    let authority = authority(environment).unwrap_or_else(|| PUBLIC.to_owned());
    let authority = Url::parse(&authority)
        .ok()
        .filter(|url| url.scheme() == "https");
    let authority = authority.and_then(|url| Origin::of(&url)).ok_or_else(|| {
        Error::option("AZURE_AUTHORITY_HOST is not the https URL of an authority")
    })?;
    let metadata = Url::parse(INSTANCE_METADATA).ok();
    // What is wrong with an endpoint is said by the chain, if it gets that far.
    let endpoint = identity_endpoint(environment).and_then(Result::ok);
    let managed = [metadata, endpoint].into_iter().flatten();
    let managed = managed.filter_map(|url| Origin::of(&url));
    Ok(std::iter::once(authority).chain(managed).collect())
}

fn own_transport(origins: Vec<Origin>) -> Result<Arc<dyn HttpClient>> {
    let hosts = HostPolicy::new();
    for origin in origins {
        hosts.allow(origin, HostKind::Identity);
    }
    Ok(Guard::new(
        reqwest_transport(None)?,
        hosts,
        Limits::default(),
    ))
}
