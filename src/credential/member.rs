//! The members of the default chain: when each is there at all, and what it is made of.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, HttpClient, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
    AzureDeveloperCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, Executor, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use url::{Host, Url};

use crate::environment::Environment;

/// One way to sign in, as a member of [`DefaultAzureCredential`](super::DefaultAzureCredential).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// A service principal from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`.
    Environment,
    /// A Kubernetes workload identity, from `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_CLIENT_ID` and `AZURE_TENANT_ID`.
    WorkloadIdentity,
    /// The managed identity of an App Service (`IDENTITY_ENDPOINT`) or a virtual machine, user-assigned if
    /// `AZURE_CLIENT_ID` names one.
    ManagedIdentity,
    /// The login of the Azure CLI (`az login`).
    AzureCli,
    /// The login of the Azure Developer CLI (`azd auth login`).
    AzureDeveloperCli,
}

impl CredentialKind {
    /// In the order in which they are tried.
    pub(super) const ALL: [Self; 5] = [
        Self::Environment,
        Self::WorkloadIdentity,
        Self::ManagedIdentity,
        Self::AzureCli,
        Self::AzureDeveloperCli,
    ];

    /// The name by which the Azure SDKs and `AZURE_TOKEN_CREDENTIALS` know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "EnvironmentCredential",
            Self::WorkloadIdentity => "WorkloadIdentityCredential",
            Self::ManagedIdentity => "ManagedIdentityCredential",
            Self::AzureCli => "AzureCliCredential",
            Self::AzureDeveloperCli => "AzureDeveloperCliCredential",
        }
    }

    /// True for the login of a person on their own machine.
    #[must_use]
    pub fn is_developer(self) -> bool {
        matches!(self, Self::AzureCli | Self::AzureDeveloperCli)
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a member cannot be made.
pub(super) enum Unmade {
    /// A variable that it needs is not set: it is not meant.
    Missing(String),
    /// Everything that it needs is set, but is of no use: a token file that cannot be read, a tenant that is none.
    Wrong(String),
}

/// A member, made.
type Member = Arc<dyn TokenCredential>;

/// What members are made of.
#[derive(Clone)]
pub(super) struct Kit {
    pub(super) environment: Environment,
    pub(super) transport: Arc<dyn HttpClient>,
    pub(super) executor: Option<Arc<dyn Executor>>,
}

impl Kit {
    /// Makes a member. They are made anew for every token: a cache inside would keep what a service has refused.
    pub(super) fn make(&self, kind: CredentialKind) -> Result<Member, Unmade> {
        match kind {
            CredentialKind::Environment => self.client_secret(),
            CredentialKind::WorkloadIdentity => self.workload_identity(),
            CredentialKind::ManagedIdentity => self.managed_identity(),
            CredentialKind::AzureCli => self.azure_cli(),
            CredentialKind::AzureDeveloperCli => self.azure_developer_cli(),
        }
    }

    fn client_secret(&self) -> Result<Member, Unmade> {
        let tenant = self.variable("AZURE_TENANT_ID")?;
        let client = self.variable("AZURE_CLIENT_ID")?;
        let secret = self.variable("AZURE_CLIENT_SECRET").map_err(|missing| {
            if self
                .environment
                .text("AZURE_CLIENT_CERTIFICATE_PATH")
                .is_some()
            {
                Unmade::Missing(
                    "client certificates are not supported; AZURE_CLIENT_SECRET is not set"
                        .to_owned(),
                )
            } else {
                missing
            }
        })?;
        let options = ClientSecretCredentialOptions {
            client_options: self.client_options(),
        };
        made(ClientSecretCredential::new(
            &tenant,
            client,
            Secret::new(secret),
            Some(options),
        ))
    }

    fn workload_identity(&self) -> Result<Member, Unmade> {
        let file = self.variable("AZURE_FEDERATED_TOKEN_FILE")?;
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions {
                client_options: self.client_options(),
            },
            client_id: Some(self.variable("AZURE_CLIENT_ID")?),
            tenant_id: Some(self.variable("AZURE_TENANT_ID")?),
            token_file_path: Some(PathBuf::from(file)),
        };
        made(WorkloadIdentityCredential::new(Some(options)))
    }

    fn managed_identity(&self) -> Result<Member, Unmade> {
        let client = self.environment.text("AZURE_CLIENT_ID");
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client.map(UserAssignedId::ClientId),
            client_options: self.client_options(),
        };
        made(ManagedIdentityCredential::new(Some(options)))
    }

    fn azure_cli(&self) -> Result<Member, Unmade> {
        let options = AzureCliCredentialOptions {
            executor: self.executor.clone(),
            ..AzureCliCredentialOptions::default()
        };
        made(AzureCliCredential::new(Some(options)))
    }

    fn azure_developer_cli(&self) -> Result<Member, Unmade> {
        let options = AzureDeveloperCliCredentialOptions {
            executor: self.executor.clone(),
            ..AzureDeveloperCliCredentialOptions::default()
        };
        made(AzureDeveloperCliCredential::new(Some(options)))
    }

    fn variable(&self, name: &str) -> Result<String, Unmade> {
        let value = self.environment.text(name);
        value.ok_or_else(|| Unmade::Missing(format!("{name} is not set")))
    }

    /// Our transport, no retries: the cache in front spaces the attempts.
    fn client_options(&self) -> ClientOptions {
        let cloud = match authority(&self.environment) {
            Some(host) => {
                let mut custom = CustomConfiguration::default();
                custom.authority_host = host;
                CloudConfiguration::Custom(custom)
            }
            None => CloudConfiguration::AzurePublic,
        };
        ClientOptions {
            transport: Some(Transport::new(self.transport.clone())),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(cloud)),
            ..ClientOptions::default()
        }
    }
}

fn made<T: TokenCredential + 'static>(made: azure_core::Result<Arc<T>>) -> Result<Member, Unmade> {
    match made {
        Ok(credential) => Ok(credential),
        Err(error) => Err(Unmade::Wrong(super::failure::words(&error.to_string()))),
    }
}

/// `AZURE_AUTHORITY_HOST`, with https if it names no scheme, as other SDKs take it.
pub(super) fn authority(environment: &Environment) -> Option<String> {
    let host = environment.text("AZURE_AUTHORITY_HOST")?;
    if host.contains("://") {
        Some(host)
    } else {
        Some(format!("https://{host}"))
    }
}

/// Where the identity endpoint of an App Service is, if the environment names one.
pub(super) fn identity_endpoint(environment: &Environment) -> Option<Result<Url, &'static str>> {
    let endpoint = environment.text("IDENTITY_ENDPOINT")?;
    let Ok(url) = Url::parse(&endpoint) else {
        return Some(Err("IDENTITY_ENDPOINT is not a URL"));
    };
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_link_local() || IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_unicast_link_local() || IpAddr::V6(ip).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Some(Ok(url)),
        "http" if local => Some(Ok(url)),
        _ => Some(Err(
            "IDENTITY_ENDPOINT is neither https nor a loopback or link-local address",
        )),
    }
}
