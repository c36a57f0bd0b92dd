//! Puts the rooms together: one guarded transport, one cached credential, one pipeline.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;

use super::{AppConfigurationBuilder, Credential, both};
use crate::credential::{CachedCredential, DefaultAzureCredential, identity_origins};
use crate::error::{Error, Result};
use crate::load::Pipeline;
use crate::publication::Publication;
use crate::reference::References;
use crate::store::{
    ConnectionString, Endpoint, LoadLimits, Selection, Store, StoreCredential, StoreOptions,
    TracingEnvironment, system_dns,
};
use crate::transport::{Guard, HostKind, HostPolicy, Limits, Origin, patient_transport};
use crate::tree::{KeyRules, Shape};

impl AppConfigurationBuilder {
    pub(super) fn assemble(mut self) -> Result<Pipeline> {
        self.refresh.validate()?;
        self.limits.check()?;
        let selection = Selection::new(&self.selectors, &self.flags)?;
        let shape = self.shape()?;
        let guard = self.guard()?;
        let token = self.token_credential(&guard)?;
        let (endpoints, credential) = self.store_access(token.as_ref())?;

        let mut options = StoreOptions::new(endpoints, credential, selection);
        options.sentinels = self.refresh.sentinels();
        options.load_balancing = self.load_balancing;
        options.limits = LoadLimits {
            bytes: self.limits.load,
            settings: self.limits.settings,
        };
        options.deadline = self.limits.load_time;
        options.strict_flags = self.strict_flags;
        options.tracing.uses_key_vault = token.is_some() || self.key_vault.is_set_up();
        options.tracing.refreshes_key_vault = self.key_vault.intervals.shortest().is_some();
        options.environment = TracingEnvironment::read(|name| self.environment.get(name));
        if self.replica_discovery {
            options.discovery = system_dns();
        }
        if let Some(version) = self.api_version.take() {
            options.api_version = version;
        }
        let first = options
            .endpoints
            .first()
            .map(|endpoint| endpoint.as_str().to_owned())
            .unwrap_or_default();
        let store = Store::new(options, Arc::clone(&guard), Arc::clone(&self.clock))?;

        let policy = guard.policy().clone();
        let permit = move |origin: Origin| policy.permit(origin, HostKind::Vault);
        let token = token.map(|token| token as Arc<dyn TokenCredential>);
        let interval = self.refresh.interval();
        let references = References::new(
            self.key_vault,
            token,
            guard,
            permit,
            Arc::clone(&self.clock),
        )?;
        let publication = Publication::new(self.clock, interval);
        Ok(Pipeline::new(&first, store, references, shape, publication))
    }

    fn shape(&mut self) -> Result<Shape> {
        let mut shape = self.shape.clone();
        let boxed = |texts: Vec<String>| texts.into_iter().map(Into::into).collect();
        let separators = self
            .separators
            .take()
            .unwrap_or_else(|| vec![":".to_owned()]);
        let prefixes = std::mem::take(&mut self.prefixes);
        shape.limits.leaves = shape.limits.leaves.max(self.limits.settings);
        shape.keys = KeyRules::new(boxed(prefixes), boxed(separators), shape.keys.case)?;
        shape.selectors = self
            .selectors
            .iter()
            .map(|selector| selector.to_string().into())
            .collect();
        Ok(shape)
    }

    /// The one door to the network, for the store, the vaults and our own credential.
    fn guard(&self) -> Result<Arc<Guard>> {
        let inner = match &self.transport {
            Some(_) if self.hook.is_some() => return Err(both("http_client()", "transport()")),
            Some(transport) => Arc::clone(transport),
            None => {
                let longest = self.limits.answer_time.max(self.key_vault.read_time());
                patient_transport(self.hook.as_ref(), longest)?
            }
        };
        let mut limits = Limits::default();
        limits.vault.time = limits.vault.time.max(self.key_vault.read_time());
        limits.store.bytes = self.limits.page;
        limits.store.time = self.limits.answer_time;
        Ok(Guard::new(inner, HostPolicy::new(), limits))
    }

    /// The credential that store and vaults share, wrapped in the cache once.
    fn token_credential(&self, guard: &Arc<Guard>) -> Result<Option<Arc<CachedCredential>>> {
        Ok(match &self.credential {
            Some(Credential::Given(credential)) => Some(CachedCredential::with_clock(
                Arc::clone(credential),
                Arc::clone(&self.clock),
            )),
            Some(Credential::Default) => {
                for origin in identity_origins(&self.environment)? {
                    guard.policy().allow(origin, HostKind::Identity);
                }
                let credential = DefaultAzureCredential::of(
                    self.environment.clone(),
                    Arc::clone(guard) as Arc<dyn HttpClient>,
                )?;
                Some(CachedCredential::with_clock(
                    credential,
                    Arc::clone(&self.clock),
                ))
            }
            Some(Credential::Anonymous) | None => None,
        })
    }

    /// Which endpoints, and how to be let in.
    fn store_access(
        &self,
        token: Option<&Arc<CachedCredential>>,
    ) -> Result<(Vec<Endpoint>, StoreCredential)> {
        let mut endpoints = self
            .endpoints
            .iter()
            .map(|text| Endpoint::parse(text))
            .collect::<Result<Vec<_>>>()?;
        let credential = match (&self.connection_string, token, &self.credential) {
            (Some(_), _, Some(Credential::Anonymous)) => {
                return Err(both("connection_string()", "anonymous()"));
            }
            (Some(text), _, _) => {
                let ConnectionString { endpoint, key } =
                    ConnectionString::parse(text.expose_secret())?;
                endpoints.insert(0, endpoint);
                StoreCredential::AccessKey(key)
            }
            (None, Some(token), _) => {
                let refused = Arc::clone(token);
                StoreCredential::Token {
                    credential: Arc::clone(token) as Arc<dyn TokenCredential>,
                    audience: self.audience.clone(),
                    rejected: Some(Arc::new(move |scope: &str, token: &str| {
                        refused.refuse(scope, token)
                    })),
                }
            }
            (None, None, Some(Credential::Anonymous)) => StoreCredential::Anonymous,
            (None, None, _) => {
                return Err(Error::option(
                    "how to sign in to the store is missing: set default_credential(), credential(..) or \
                     connection_string(..)",
                ));
            }
        };
        if endpoints.is_empty() {
            return Err(Error::option(
                "the store is missing: set endpoint(..) or connection_string(..)",
            ));
        }
        Ok((endpoints, credential))
    }
}
