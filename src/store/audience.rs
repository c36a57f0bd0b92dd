//! The audience of a token for a store (provider-spec 2.3).

use super::endpoint::Endpoint;

/// The audience where the host says nothing: the one of the public cloud.
const PUBLIC: &str = "https://appconfig.azure.com";

/// The scope to ask a credential for. An explicit audience wins; otherwise the host's labels are searched from
/// the right for `appconfig` or `azconfig`, and the audience is that label and what follows, so that public,
/// US government and China stores each get their own.
pub(crate) fn scope(endpoint: &Endpoint, audience: Option<&str>) -> String {
    let audience = match audience {
        Some(explicit) => explicit.trim_end_matches('/').to_owned(),
        None => inferred(endpoint.host()),
    };
    match audience.strip_suffix("/.default") {
        Some(_) => audience,
        None => format!("{audience}/.default"),
    }
}

fn inferred(host: &str) -> String {
    let labels: Vec<&str> = host.split('.').collect();
    match labels
        .iter()
        .rposition(|label| matches!(*label, "appconfig" | "azconfig"))
    {
        Some(at) => format!("https://{}", labels[at..].join(".")),
        None => PUBLIC.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_cloud() {
        for (endpoint, expected) in [
            (
                "https://contoso.azconfig.io",
                "https://azconfig.io/.default",
            ),
            (
                "https://contoso-eastus.azconfig.io/",
                "https://azconfig.io/.default",
            ),
            (
                "https://contoso.azconfig.azure.us",
                "https://azconfig.azure.us/.default",
            ),
            (
                "https://contoso.azconfig.azure.cn",
                "https://azconfig.azure.cn/.default",
            ),
            (
                "https://contoso.appconfig.azure.com",
                "https://appconfig.azure.com/.default",
            ),
            (
                "https://appconfig.contoso.azconfig.io",
                "https://azconfig.io/.default",
            ),
            (
                "https://config.contoso.example",
                "https://appconfig.azure.com/.default",
            ),
            (
                "https://localhost:8443",
                "https://appconfig.azure.com/.default",
            ),
        ] {
            let endpoint = Endpoint::parse(endpoint).unwrap();
            assert_eq!(scope(&endpoint, None), expected);
        }
    }

    #[test]
    fn an_explicit_audience_wins() {
        let endpoint = Endpoint::parse("https://contoso.azconfig.io").unwrap();
        for audience in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/.default",
        ] {
            assert_eq!(
                scope(&endpoint, Some(audience)),
                "https://a.example/.default"
            );
        }
    }
}
