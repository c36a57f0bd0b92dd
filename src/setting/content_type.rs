//! What a content type says about a value (provider-spec 4.1, 5.1, 6.1, 7.2).

/// How a setting's value is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentKind {
    /// Plain text: no content type, or one that means nothing here.
    Text,
    /// JSON: `application/json`, `application/x+json`, with any parameters.
    Json,
    /// A reference to a Key Vault secret (or key).
    SecretReference,
    /// A feature flag.
    FeatureFlag,
    /// A reference to a snapshot whose settings stand in its place.
    SnapshotReference,
    /// A value encrypted with a Key Vault key (compact JWE).
    Encrypted,
}

const SECRET_REFERENCE: &str = "vnd.microsoft.appconfig.keyvaultref+json";
const FEATURE_FLAG: &str = "vnd.microsoft.appconfig.ff+json";
const SNAPSHOT_REFERENCE: &str = "https://azconfig.io/mime-profiles/snapshot-ref";

impl ContentKind {
    /// Decides by media type, ignoring case; parameters are free, except the profile that marks a snapshot reference.
    pub(crate) fn of(content_type: Option<&str>) -> Self {
        let Some((media, parameters)) =
            content_type.map(|text| text.split_once(';').unwrap_or((text, "")))
        else {
            return Self::Text;
        };
        let Some((main, sub)) = media.trim().split_once('/') else {
            return Self::Text;
        };
        if !main.eq_ignore_ascii_case("application") {
            return Self::Text;
        }
        if sub.eq_ignore_ascii_case(SECRET_REFERENCE) {
            Self::SecretReference
        } else if sub.eq_ignore_ascii_case(FEATURE_FLAG) {
            Self::FeatureFlag
        } else if sub.eq_ignore_ascii_case("jose") {
            Self::Encrypted
        } else if !sub.split('+').any(|part| part.eq_ignore_ascii_case("json")) {
            Self::Text
        } else if profile(parameters)
            .is_some_and(|profile| profile.eq_ignore_ascii_case(SNAPSHOT_REFERENCE))
        {
            Self::SnapshotReference
        } else {
            Self::Json
        }
    }
}

/// The `profile` parameter, unquoted. A URI holds no `;`, so a plain split is enough.
fn profile(parameters: &str) -> Option<&str> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("profile")
            .then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f71_content_types_by_media_type() {
        let table: &[(Option<&str>, ContentKind)] = &[
            (None, ContentKind::Text),
            (Some(""), ContentKind::Text),
            (Some("text/plain"), ContentKind::Text),
            (Some("application"), ContentKind::Text),
            (Some("text/json"), ContentKind::Text),
            (Some("application/json"), ContentKind::Json),
            (Some(" APPLICATION/JSON ; charset=utf-8"), ContentKind::Json),
            (Some("application/vnd.contoso+json"), ContentKind::Json),
            (Some("application/json+foo"), ContentKind::Json),
            (Some("application/xjson"), ContentKind::Text),
            (
                Some("application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"),
                ContentKind::SecretReference,
            ),
            (
                Some("application/vnd.microsoft.appconfig.KeyVaultRef+json"),
                ContentKind::SecretReference,
            ),
            (
                Some("application/vnd.microsoft.appconfig.keyvaultref+json ; x=y"),
                ContentKind::SecretReference,
            ),
            (
                Some("application/vnd.microsoft.appconfig.ff+json;charset=utf-8"),
                ContentKind::FeatureFlag,
            ),
            (
                Some(
                    "application/json; profile=\"https://azconfig.io/mime-profiles/snapshot-ref\"; charset=utf-8",
                ),
                ContentKind::SnapshotReference,
            ),
            (
                Some("application/json; profile=\"https://azconfig.io/mime-profiles/ai\""),
                ContentKind::Json,
            ),
            (Some("application/jose"), ContentKind::Encrypted),
        ];
        for (content_type, kind) in table {
            assert_eq!(ContentKind::of(*content_type), *kind, "{content_type:?}");
        }
        assert_eq!(ContentKind::of(Some(&"a".repeat(1024))), ContentKind::Text);
    }
}
