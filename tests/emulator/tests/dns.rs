//! The DNS server, asked by an independent resolver.

use std::time::Duration;

use config_azure_emulator::{DnsAnswer, DnsServer, Srv};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

/// Long enough for any answer that comes.
const PATIENT: Duration = Duration::from_secs(10);
/// For answers that never come, or later than in this time.
const HASTY: Duration = Duration::from_millis(200);

fn resolver(server: &DnsServer, timeout: Duration) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = server.address().port();
    let mut name_server = NameServerConfig::udp(server.address().ip());
    name_server.connections = vec![connection];
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().timeout = timeout;
    builder.options_mut().attempts = 1;
    builder.build().expect("a resolver")
}

/// The SRV records of a name as `priority weight port target`; an error is its absence.
async fn srv(resolver: &TokioResolver, name: &str) -> Option<Vec<String>> {
    let found = resolver.srv_lookup(name).await.ok()?;
    let records = found
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => {
                let target = &srv.target;
                Some(format!(
                    "{} {} {} {target}",
                    srv.priority, srv.weight, srv.port
                ))
            }
            _ => None,
        });
    Some(records.collect())
}

#[tokio::test]
async fn replicas_are_published_as_the_service_does() {
    let server = DnsServer::start().await.expect("start");
    server.set_replicas(
        "contoso.azconfig.io",
        "contoso.azconfig.io",
        &["contoso-eastus.azconfig.io", "contoso-westus.azconfig.io"],
    );
    let resolver = resolver(&server, PATIENT);
    for (name, expected) in [
        (
            "_origin._tcp.contoso.azconfig.io.",
            Some("0 0 443 contoso.azconfig.io."),
        ),
        (
            "_alt0._tcp.contoso.azconfig.io.",
            Some("0 0 443 contoso-eastus.azconfig.io."),
        ),
        (
            "_alt1._tcp.contoso.azconfig.io.",
            Some("0 0 443 contoso-westus.azconfig.io."),
        ),
        ("_alt2._tcp.contoso.azconfig.io.", None),
    ] {
        let expected = expected.map(|one| vec![one.to_owned()]);
        assert_eq!(srv(&resolver, name).await, expected, "{name}");
    }
    assert_eq!(server.queries().len(), 4);
    assert_eq!(server.queries()[3], "_alt2._tcp.contoso.azconfig.io");
}

#[tokio::test]
async fn a_replica_that_is_taken_away_is_published_no_more() {
    let server = DnsServer::start().await.expect("start");
    let (here, there) = ("contoso.azconfig.io", "fabrikam.azconfig.io");
    server.set_replicas(here, here, &["east.azconfig.io", "west.azconfig.io"]);
    server.set_replicas(there, there, &["north.azconfig.io"]);
    server.set_replicas(here, "Contoso.azconfig.io.", &["west.azconfig.io"]);
    let resolver = resolver(&server, PATIENT);
    for (name, expected) in [
        ("_alt0._tcp.contoso.azconfig.io.", Some("west")),
        ("_alt1._tcp.contoso.azconfig.io.", None),
        ("_alt0._tcp.fabrikam.azconfig.io.", Some("north")),
    ] {
        let expected = expected.map(|host| vec![format!("0 0 443 {host}.azconfig.io.")]);
        assert_eq!(srv(&resolver, name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn hostile_answers_reach_the_resolver() {
    let server = DnsServer::start().await.expect("start");
    let many: Vec<_> = (0..30)
        .map(|n| Srv::new(format!("evil{n}.example.")).ranked(n, 100 - n))
        .collect();
    server.set("many.example", DnsAnswer::Srv(many));
    let long = format!("{}.azconfig.io", "x".repeat(80));
    server.set("long.example", DnsAnswer::Srv(vec![Srv::new(long)]));
    for (name, answer) in [
        ("broken.example", DnsAnswer::Code(2)),
        ("refused.example", DnsAnswer::Code(5)),
        ("garbage.example", DnsAnswer::Garbage(vec![0xFF; 40])),
        ("silent.example", DnsAnswer::Silence),
        (
            "other.example",
            DnsAnswer::WrongId(vec![Srv::new("x.azconfig.io")]),
        ),
    ] {
        server.set(name, answer);
    }
    let (resolver, hasty) = (resolver(&server, PATIENT), resolver(&server, HASTY));
    let many = srv(&resolver, "many.example.").await.expect("records");
    assert_eq!(
        (many.len(), many[29].as_str()),
        (30, "29 71 443 evil29.example.")
    );
    assert_eq!(
        srv(&resolver, "long.example.")
            .await
            .map(|found| found.len()),
        Some(1)
    );
    for (name, resolver) in [
        ("broken", &resolver),
        ("refused", &resolver),
        ("garbage", &hasty),
        ("silent", &hasty),
        ("other", &hasty),
        ("unknown", &resolver),
    ] {
        let found = srv(resolver, &format!("{name}.example.")).await;
        assert_eq!(found, None, "{name}");
    }
}

#[tokio::test]
async fn a_late_answer_is_an_answer() {
    let server = DnsServer::start().await.expect("start");
    let answer = DnsAnswer::Srv(vec![Srv::new("x.azconfig.io.")]);
    let late = |by| DnsAnswer::Late(Duration::from_millis(by), Box::new(answer.clone()));
    server.set("late.example", late(20));
    server.set("too-late.example", late(5_000));
    let (patient, hasty) = (resolver(&server, PATIENT), resolver(&server, HASTY));
    assert!(srv(&patient, "late.example.").await.is_some());
    assert_eq!(srv(&hasty, "too-late.example.").await, None);
}

#[tokio::test]
async fn aliases_lead_to_addresses_and_in_a_circle_to_nothing() {
    let server = DnsServer::start().await.expect("start");
    let alias = |name: String| DnsAnswer::Cname(name);
    for n in 0..11 {
        let next = alias(format!("alias{}.example.", n + 1));
        server.set(&format!("alias{n}.example"), next);
    }
    let address = std::net::Ipv4Addr::new(127, 0, 0, 7);
    server.set("alias11.example", DnsAnswer::A(vec![address]));
    let resolver = resolver(&server, PATIENT);
    let found = resolver.ipv4_lookup("alias3.example.").await;
    let found = found.expect("within eight aliases, in one answer");
    let last = found.answers().last().expect("a record");
    assert_eq!(last.data, RData::A(address.into()));
    assert_eq!(server.queries(), ["alias3.example"]);
    let found = resolver.ipv4_lookup("alias0.example.").await;
    let found = found.expect("beyond, by a second question");
    let last = found.answers().last().expect("a record");
    assert_eq!(last.data, RData::A(address.into()));
    assert_eq!(server.queries()[1..3], ["alias0.example", "alias8.example"]);
    server.set("alias11.example", alias("alias0.example.".to_owned()));
    assert!(resolver.ipv4_lookup("alias0.example.").await.is_err());
}
