//! Replica discovery by DNS (provider-spec 11.1), and which of the names found are believed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

/// Records that are looked at in one round, whatever a resolver offers.
const MOST_RECORDS: usize = 16;
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
const ROUND_TIMEOUT: Duration = Duration::from_secs(5);

/// One SRV record. Its port is ignored: a replica is https on the default port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SrvRecord {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) target: String,
}

/// The lookup did not come to an end. A name without records is not a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LookupFailed;

/// Looks up SRV records.
#[async_trait]
pub(crate) trait SrvLookup: Send + Sync + Debug {
    /// The records of a name, empty if there are none.
    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed>;
}

/// The hosts of a store's replicas, in the order in which they should be tried. Empty where there can be none
/// (a custom domain, an emulator). Failure means that nothing new is known.
pub(super) async fn find_replicas(
    lookup: &dyn SrvLookup,
    host: &str,
) -> Result<Vec<String>, LookupFailed> {
    let Some(family) = Family::of(host) else {
        return Ok(Vec::new());
    };
    let records = tokio::time::timeout(ROUND_TIMEOUT, all_records(lookup, host, &family))
        .await
        .map_err(|_| LookupFailed)??;
    Ok(in_order(records))
}

async fn all_records(
    lookup: &dyn SrvLookup,
    host: &str,
    family: &Family<'_>,
) -> Result<Vec<SrvRecord>, LookupFailed> {
    let origin = one(lookup, &format!("_origin._tcp.{host}")).await?;
    let Some(first) = origin.into_iter().next() else {
        return Ok(Vec::new());
    };
    let Some(origin_host) = family.member(&first.target, None) else {
        tracing::warn!(
            "a DNS answer names a replica origin outside the store's own domain; ignored"
        );
        return Ok(Vec::new());
    };
    let mut found = vec![SrvRecord {
        target: origin_host.clone(),
        ..first
    }];
    for index in 0..MOST_RECORDS {
        let records = one(lookup, &format!("_alt{index}._tcp.{origin_host}")).await?;
        if records.is_empty() {
            break;
        }
        for record in records.into_iter().take(MOST_RECORDS) {
            match family.member(&record.target, Some(&origin_host)) {
                Some(target) => found.push(SrvRecord { target, ..record }),
                None => {
                    tracing::warn!(
                        "a DNS answer names a replica outside the store's own domain; ignored"
                    );
                }
            }
        }
        if found.len() >= MOST_RECORDS {
            found.truncate(MOST_RECORDS);
            break;
        }
    }
    Ok(found)
}

async fn one(lookup: &dyn SrvLookup, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
    tokio::time::timeout(LOOKUP_TIMEOUT, lookup.srv(name))
        .await
        .map_err(|_| LookupFailed)?
}

/// The names that a store and its replicas can have: `NAME.SUFFIX`, `NAME-REPLICA.SUFFIX`.
struct Family<'a> {
    /// The first label of the host that was configured.
    label: &'a str,
    /// What follows it, with the dot.
    suffix: &'a str,
}

impl<'a> Family<'a> {
    /// `None` for hosts outside the service's own domains.
    fn of(host: &'a str) -> Option<Self> {
        let at = host
            .rfind(".azconfig.")
            .or_else(|| host.rfind(".appconfig."))?;
        let (label, suffix) = host.split_at(at);
        (!label.is_empty() && !label.contains('.')).then_some(Self { label, suffix })
    }

    /// The target in lower case, if it is one label under the same suffix and belongs to the same store: the
    /// origin's label begins the configured one, and a replica's begins with the origin's.
    fn member(&self, target: &str, origin: Option<&str>) -> Option<String> {
        let target = target.trim_end_matches('.').to_ascii_lowercase();
        let label = target.strip_suffix(self.suffix)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if label.is_empty() || !label.bytes().all(plain) {
            return None;
        }
        let (whole, start) = match origin.map(|origin| origin.strip_suffix(self.suffix)) {
            None => (self.label, label),
            Some(origin) => (label, origin?),
        };
        let rest = whole.strip_prefix(start)?;
        (rest.is_empty() || rest.starts_with('-')).then_some(target)
    }
}

/// By priority; within one priority at random, weighted (RFC 2782). Each host once.
fn in_order(mut records: Vec<SrvRecord>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    records.retain(|record| seen.insert(record.target.clone()));
    let mut keyed: Vec<(u16, f64, String)> = records
        .into_iter()
        .map(|record| {
            // The k-th smallest of exponential variables with these rates is a weighted draw.
            let rate = f64::from(record.weight) + 0.1;
            let draw = -(1.0 - fastrand::f64()).ln() / rate;
            (record.priority, draw, record.target)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    keyed.into_iter().map(|(_, _, target)| target).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Debug, Default)]
    struct Zone(HashMap<String, Vec<SrvRecord>>);

    impl Zone {
        fn with(mut self, name: &str, targets: &[&str]) -> Self {
            let records = targets.iter().map(|target| record(1, 1, target)).collect();
            self.0.insert(name.to_owned(), records);
            self
        }
    }

    #[async_trait]
    impl SrvLookup for Zone {
        async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
            match name.contains("hang") {
                true => std::future::pending().await,
                false => Ok(self.0.get(name).cloned().unwrap_or_default()),
            }
        }
    }

    fn record(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord {
            priority,
            weight,
            target: target.to_owned(),
        }
    }

    const HOST: &str = "contoso.azconfig.io";
    const ORIGIN: &str = "_origin._tcp.contoso.azconfig.io";

    async fn sorted(zone: &Zone, host: &str) -> Vec<String> {
        let mut found = find_replicas(zone, host).await.unwrap();
        found.sort();
        found
    }

    #[tokio::test(start_paused = true)]
    async fn origin_and_alternates() {
        let zone = Zone::default()
            .with(ORIGIN, &["Contoso.azconfig.io."])
            .with(
                "_origin._tcp.contoso-eu.azconfig.io",
                &["contoso.azconfig.io."],
            )
            .with(
                "_alt0._tcp.contoso.azconfig.io",
                &["contoso-eu.azconfig.io."],
            )
            .with(
                "_alt1._tcp.contoso.azconfig.io",
                &["contoso-us.azconfig.io."],
            )
            .with(
                "_alt3._tcp.contoso.azconfig.io",
                &["contoso-never.azconfig.io."],
            );
        let all = ["contoso-eu.azconfig.io", "contoso-us.azconfig.io", HOST];
        assert_eq!(sorted(&zone, HOST).await, all);
        assert_eq!(sorted(&zone, "contoso-eu.azconfig.io").await, all);
    }

    #[tokio::test(start_paused = true)]
    async fn t06_names_outside_the_family_are_refused() {
        for foreign in [
            "evil.com.",
            "contoso-x.azconfig.io.evil.com.",
            "contoso-evilazconfig.io.",
            "azconfig.io.",
            ".azconfig.io.",
            "a.contoso-eu.azconfig.io.",
            "fabrikam.azconfig.io.",
            "contosoeu.azconfig.io.",
            "contoso-eu.azconfig.azure.us.",
            "contoso-e_u.azconfig.io.",
            "contoso-\u{fc}.azconfig.io.",
            "contoso-eu@evil.azconfig.io",
            "",
        ] {
            let zone = Zone::default().with(ORIGIN, &[foreign]);
            assert!(sorted(&zone, HOST).await.is_empty(), "{foreign}");
            let zone = Zone::default()
                .with(ORIGIN, &["contoso.azconfig.io."])
                .with("_alt0._tcp.contoso.azconfig.io", &[foreign]);
            assert_eq!(sorted(&zone, HOST).await, [HOST], "{foreign}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn t06_ten_thousand_alternates() {
        let names: Vec<String> = (0..10_000)
            .map(|at| format!("contoso-r{at}.azconfig.io."))
            .collect();
        let many: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut zone = Zone::default().with(ORIGIN, &["contoso.azconfig.io."]);
        for index in 0..10_000 {
            zone = zone.with(
                &format!("_alt{index}._tcp.contoso.azconfig.io"),
                &many[index..=index],
            );
        }
        assert_eq!(sorted(&zone, HOST).await.len(), MOST_RECORDS);
        let zone = Zone::default()
            .with(ORIGIN, &["contoso.azconfig.io."])
            .with("_alt0._tcp.contoso.azconfig.io", &many);
        assert_eq!(sorted(&zone, HOST).await.len(), MOST_RECORDS);
    }

    #[tokio::test(start_paused = true)]
    async fn f51_no_records_is_no_error() {
        for host in [HOST, "config.example.com", "localhost", "127.0.0.1"] {
            assert!(sorted(&Zone::default(), host).await.is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn f53_a_lookup_that_hangs_is_given_up() {
        let start = tokio::time::Instant::now();
        let outcome = find_replicas(&Zone::default(), "hang.azconfig.io").await;
        assert_eq!(outcome, Err(LookupFailed));
        assert_eq!(start.elapsed(), LOOKUP_TIMEOUT);
        let zone = Zone::default().with(ORIGIN, &["contoso.azconfig.io."]);
        let slow = Slow(zone, Duration::from_millis(1500));
        let start = tokio::time::Instant::now();
        assert_eq!(find_replicas(&slow, HOST).await, Ok(vec![HOST.to_owned()]));
        assert!(start.elapsed() <= ROUND_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn f52_hostile_answers_end_in_time() {
        let mut zone = Zone::default().with(ORIGIN, &["contoso.azconfig.io."]);
        for index in 0..100 {
            zone = zone.with(
                &format!("_alt{index}._tcp.contoso.azconfig.io"),
                &["evil.com."],
            );
        }
        let slow = Slow(zone, Duration::from_millis(1500));
        let start = tokio::time::Instant::now();
        assert_eq!(find_replicas(&slow, HOST).await, Err(LookupFailed));
        assert_eq!(start.elapsed(), ROUND_TIMEOUT);
    }

    /// The same, each answer so much later.
    #[derive(Debug)]
    struct Slow(Zone, Duration);

    #[async_trait]
    impl SrvLookup for Slow {
        async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
            tokio::time::sleep(self.1).await;
            self.0.srv(name).await
        }
    }

    #[test]
    fn priority_first_then_weight() {
        let mut heavy_first = 0;
        for _ in 0..1000 {
            let order = in_order(vec![
                record(2, 1000, "last"),
                record(1, 1, "light"),
                record(1, 9, "heavy"),
                record(1, 9, "heavy"),
            ]);
            assert_eq!(order.len(), 3);
            assert_eq!(order[2], "last");
            heavy_first += usize::from(order[0] == "heavy");
        }
        assert!((800..=970).contains(&heavy_first), "{heavy_first}");
    }
}
