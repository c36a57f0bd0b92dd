//! SRV lookups by the system's resolvers.

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

use super::discovery::{LookupFailed, SrvLookup, SrvRecord};

/// Asks the name servers that this machine is configured with. The resolver is made for each round and goes with
/// it, so that no task of it stays behind and a changed configuration is seen.
#[derive(Debug)]
pub(crate) struct SystemDns;

#[async_trait]
impl SrvLookup for SystemDns {
    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
        let resolver = TokioResolver::builder_tokio()
            .and_then(|builder| builder.build())
            .map_err(|error| failed(&error))?;
        lookup(&resolver, name).await
    }
}

async fn lookup(resolver: &TokioResolver, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
    // The dot at the end keeps the machine's search domains out of it.
    match resolver.srv_lookup(format!("{name}.")).await {
        Ok(answer) => Ok(answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(SrvRecord {
                    priority: srv.priority,
                    weight: srv.weight,
                    target: srv.target.to_ascii(),
                }),
                _ => None,
            })
            .collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &dyn std::error::Error) -> LookupFailed {
    tracing::debug!(%error, "a lookup of replicas failed");
    LookupFailed
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use config_azure_emulator::{DnsAnswer, DnsServer, Srv};
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use tokio::time::Instant;

    use super::*;
    use crate::store::discovery::find_replicas;

    const HOST: &str = "contoso.azconfig.io";
    const ORIGIN: &str = "_origin._tcp.contoso.azconfig.io";

    /// The resolver of the library, asking a server on loopback.
    #[derive(Debug)]
    struct Loopback(SocketAddr);

    #[async_trait]
    impl SrvLookup for Loopback {
        async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
            let mut connection = ConnectionConfig::udp();
            connection.port = self.0.port();
            let server = NameServerConfig::new(self.0.ip(), true, vec![connection]);
            let config = ResolverConfig::from_name_servers(vec![server]);
            let builder =
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            lookup(&builder.build().unwrap(), name).await
        }
    }

    async fn replicas(server: &DnsServer) -> Result<Vec<String>, LookupFailed> {
        let found = find_replicas(&Loopback(server.address()), HOST).await;
        found.map(|mut hosts| {
            hosts.sort();
            hosts
        })
    }

    #[tokio::test]
    async fn replicas_by_real_lookups() {
        let server = DnsServer::start().await.unwrap();
        server.set_replicas(
            HOST,
            HOST,
            &["contoso-eu.azconfig.io", "contoso-us.azconfig.io."],
        );
        let all = ["contoso-eu.azconfig.io", "contoso-us.azconfig.io", HOST];
        assert_eq!(replicas(&server).await.unwrap(), all);
        let asked = server.queries();
        let names = [
            ORIGIN,
            "_alt0._tcp.contoso.azconfig.io",
            "_alt1._tcp.contoso.azconfig.io",
        ];
        assert!(
            names.iter().all(|name| asked
                .iter()
                .any(|asked| asked.trim_end_matches('.') == *name)),
            "{asked:?}"
        );
    }

    #[tokio::test]
    async fn f51_no_such_name_is_no_replica_and_a_failing_server_is_a_failure() {
        let server = DnsServer::start().await.unwrap();
        assert_eq!(replicas(&server).await, Ok(vec![]));
        server.set(ORIGIN, DnsAnswer::A(vec![[127, 0, 0, 1].into()]));
        assert_eq!(replicas(&server).await, Ok(vec![]));
        for code in [2, 5] {
            server.set(ORIGIN, DnsAnswer::Code(code));
            assert!(
                !matches!(replicas(&server).await, Ok(found) if !found.is_empty()),
                "{code}"
            );
        }
    }

    #[tokio::test]
    async fn f53_silence_is_given_up_within_two_seconds() {
        let server = DnsServer::start().await.unwrap();
        server.set(ORIGIN, DnsAnswer::Silence);
        let start = Instant::now();
        assert_eq!(replicas(&server).await, Err(LookupFailed));
        // The resolver by itself asks twice, and waits five seconds each time.
        assert!(start.elapsed() < Duration::from_secs(8));
    }

    #[tokio::test]
    async fn t06_hostile_packets_name_no_replica() {
        let evil = || {
            vec![
                Srv::new("evil.com"),
                Srv::new("contoso-x.azconfig.io.evil.com"),
            ]
        };
        let many: Vec<Srv> = (0..28)
            .map(|at| Srv::new(format!("evil{at}.com")))
            .collect();
        let hostile = [
            DnsAnswer::Srv(evil()),
            DnsAnswer::WrongId(vec![Srv::new("contoso-eu.azconfig.io")]),
            DnsAnswer::Garbage(vec![0xff; 300]),
            DnsAnswer::Truncated,
            DnsAnswer::Srv(many),
        ];
        for answer in hostile {
            let server = DnsServer::start().await.unwrap();
            server.set(ORIGIN, answer.clone());
            assert!(
                replicas(&server).await.unwrap_or_default().is_empty(),
                "{answer:?}"
            );
        }
    }

    /// An alias may lead anywhere; what counts is the name in the SRV record at its end.
    #[tokio::test]
    async fn t06_aliases_lead_to_no_foreign_host() {
        let srv = |target: &str| DnsAnswer::Srv(vec![Srv::new(target)]);
        let alias = |target: &str| DnsAnswer::Cname(target.to_owned());
        let server = DnsServer::start().await.unwrap();
        server.set(ORIGIN, alias("relay.evil.com"));
        server.set("relay.evil.com", alias("evil.com"));
        server.set("evil.com", srv("evil.com"));
        // hickory takes an SRV record at the end of an alias if its target is its own name.
        let found = Loopback(server.address()).srv(ORIGIN).await.unwrap();
        let targets: Vec<_> = found.iter().map(|record| &*record.target).collect();
        assert_eq!(targets, ["evil.com."], "the chain is followed");
        assert_eq!(replicas(&server).await, Ok(vec![]));

        server.set("relay.evil.com", alias(HOST));
        server.set(HOST, srv(HOST));
        server.set("_alt0._tcp.contoso.azconfig.io", alias("evil.com"));
        assert_eq!(replicas(&server).await, Ok(vec![HOST.to_owned()]));
        let replica = "contoso-eu.azconfig.io";
        server.set("evil.com", alias(replica));
        server.set(replica, srv(replica));
        let both = vec![replica.to_owned(), HOST.to_owned()];
        assert_eq!(replicas(&server).await, Ok(both));
    }

    #[tokio::test]
    async fn t06_aliases_without_end_are_given_up() {
        let server = DnsServer::start().await.unwrap();
        let alias = |target: String| DnsAnswer::Cname(target);
        for n in 0..200 {
            let (name, next) = (format!("a{n}.evil.com"), format!("a{}.evil.com", n + 1));
            server.set(&name, alias(next));
        }
        // A long chain, and a circle.
        for last in [HOST, "a0.evil.com"] {
            server.set("a200.evil.com", alias(last.to_owned()));
            server.set(ORIGIN, alias("a0.evil.com".to_owned()));
            let before = server.queries().len();
            assert_eq!(replicas(&server).await.unwrap_or_default(), [""; 0]);
            let asked = server.queries().len() - before;
            assert!(asked <= 32, "{asked} questions");
        }
    }
}
