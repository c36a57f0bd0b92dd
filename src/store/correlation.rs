//! The request tracing header (provider-spec 10): how the library is used, never what it is used for.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::usage::Usage;

const OPT_OUT: &str = "AZURE_APP_CONFIGURATION_TRACING_DISABLED";

/// Where the process runs, by the variable that each host sets.
const HOSTS: [(&str, &str); 5] = [
    ("FUNCTIONS_EXTENSION_VERSION", "AzureFunction"),
    ("WEBSITE_SITE_NAME", "AzureWebApp"),
    ("CONTAINER_APP_NAME", "ContainerApp"),
    ("KUBERNETES_PORT", "Kubernetes"),
    ("Fabric_NodeName", "ServiceFabric"),
];

/// The variables that say `Development`, in any case, on a developer's machine.
const STAGES: [&str; 2] = ["ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"];

/// What the environment says about the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct TracingEnvironment {
    disabled: bool,
    host: Option<&'static str>,
    development: bool,
}

impl TracingEnvironment {
    /// Reads it through `lookup`. The variable `AZURE_APP_CONFIGURATION_TRACING_DISABLED` (`true` or `1`) turns
    /// the header off.
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let disabled = lookup(OPT_OUT).is_some_and(|value| {
            let value = value.trim();
            value.eq_ignore_ascii_case("true") || value == "1"
        });
        let set = |name| lookup(name).is_some_and(|value| !value.is_empty());
        let host = HOSTS
            .into_iter()
            .find(|(variable, _)| set(*variable))
            .map(|(_, host)| host);
        let is_development = |value: String| value.trim().eq_ignore_ascii_case("development");
        let development = STAGES
            .into_iter()
            .any(|name| lookup(name).is_some_and(is_development));
        Self {
            disabled,
            host,
            development,
        }
    }
}

/// What the options say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TracingOptions {
    pub(crate) uses_key_vault: bool,
    pub(crate) refreshes_key_vault: bool,
    pub(super) load_balancing: bool,
}

/// Makes the header for each request.
#[derive(Debug)]
pub(super) struct Correlation {
    environment: TracingEnvironment,
    options: TracingOptions,
    loaded: AtomicBool,
    pushed: AtomicBool,
    usage: Mutex<Usage>,
}

impl Correlation {
    pub(super) fn new(environment: TracingEnvironment, options: TracingOptions) -> Self {
        Self {
            environment,
            options,
            loaded: AtomicBool::new(false),
            pushed: AtomicBool::new(false),
            usage: Mutex::new(Usage::default()),
        }
    }

    /// From now on requests are of type `Watch`, and tell what the settings at hand make use of.
    pub(super) fn loaded(&self, usage: Usage) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
        self.loaded.store(true, Ordering::Relaxed);
    }

    /// A push event arrived: until `answered`, requests are made because of it.
    pub(super) fn pushed(&self) {
        self.pushed.store(true, Ordering::Relaxed);
    }

    pub(super) fn answered(&self) {
        self.pushed.store(false, Ordering::Relaxed);
    }

    /// The header's value, `None` if it is turned off.
    pub(super) fn header(&self, replicas: usize, failover: bool) -> Option<String> {
        if self.environment.disabled {
            return None;
        }
        let loaded = self.loaded.load(Ordering::Relaxed);
        let mut header = format!("RequestType={}", if loaded { "Watch" } else { "Startup" });
        if replicas > 0 {
            // Writing to a String cannot fail.
            let _ = write!(header, ",ReplicaCount={replicas}");
        }
        if let Some(host) = self.environment.host {
            header.push_str(",Host=");
            header.push_str(host);
        }
        if self.environment.development {
            header.push_str(",Env=Dev");
        }
        let usage = *self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.write(&mut header, self.options.load_balancing);
        // An interval alone reads nothing.
        let refreshes_key_vault = self.options.uses_key_vault && self.options.refreshes_key_vault;
        let tags = [
            (self.options.uses_key_vault, ",UsesKeyVault"),
            (refreshes_key_vault, ",RefreshesKeyVault"),
            (failover, ",Failover"),
            (self.pushed.load(Ordering::Relaxed), ",PushRefresh"),
        ];
        tags.iter()
            .filter(|(on, _)| *on)
            .for_each(|(_, tag)| header.push_str(tag));
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> TracingEnvironment {
        TracingEnvironment::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn startup_then_watch_with_what_is_used() {
        let options = TracingOptions {
            uses_key_vault: true,
            refreshes_key_vault: true,
            load_balancing: true,
        };
        let correlation = Correlation::new(environment(&[("KUBERNETES_PORT", "tcp://x")]), options);
        assert_eq!(
            correlation.header(0, false).unwrap(),
            "RequestType=Startup,Host=Kubernetes,Features=LB,UsesKeyVault,RefreshesKeyVault"
        );
        correlation.loaded(Usage {
            snapshot_references: true,
            time_window_filter: true,
            targeting_filter: true,
            most_variants: 3,
            seed: true,
            ..Usage::default()
        });
        correlation.pushed();
        assert_eq!(
            correlation.header(2, true).unwrap(),
            "RequestType=Watch,ReplicaCount=2,Host=Kubernetes,Filter=TIME+TRGT,MaxVariants=3,FFFeatures=Seed,\
             Features=LB+SnapshotRef,UsesKeyVault,RefreshesKeyVault,Failover,PushRefresh"
        );
        correlation.answered();
        assert!(
            !correlation
                .header(2, false)
                .unwrap()
                .contains("PushRefresh")
        );
    }

    #[test]
    fn the_documented_opt_out() {
        for (value, on) in [
            ("true", false),
            ("TRUE ", false),
            ("1", false),
            ("false", true),
            ("", true),
        ] {
            let correlation =
                Correlation::new(environment(&[(OPT_OUT, value)]), TracingOptions::default());
            assert_eq!(correlation.header(0, false).is_some(), on, "{value:?}");
        }
    }

    #[test]
    fn a_development_machine_says_so() {
        for (variable, value, says) in [
            ("ASPNETCORE_ENVIRONMENT", "Development", ",Env=Dev"),
            ("DOTNET_ENVIRONMENT", "development", ",Env=Dev"),
            ("DOTNET_ENVIRONMENT", "Production", ""),
            ("DOTNET_ENVIRONMENT", "", ""),
            ("ENVIRONMENT", "Development", ""),
        ] {
            let environment = environment(&[(variable, value), ("KUBERNETES_PORT", "y")]);
            let correlation = Correlation::new(environment, TracingOptions::default());
            assert_eq!(
                correlation.header(0, false).unwrap(),
                format!("RequestType=Startup,Host=Kubernetes{says}")
            );
        }
    }

    #[test]
    fn the_first_host_that_fits() {
        let both = environment(&[("WEBSITE_SITE_NAME", "x"), ("KUBERNETES_PORT", "y")]);
        assert_eq!(both.host, Some("AzureWebApp"));
        assert_eq!(environment(&[("KUBERNETES_PORT", "")]).host, None);
    }
}
