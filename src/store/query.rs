//! The request line of a query: one function for loading and for checking.

use std::fmt::Write;

use super::filter::literal;
use super::selection::Target;

/// Builds request lines: names in lower case and sorted, values percent-encoded, so that what is signed is what
/// is sent (provider-spec 1.3).
#[derive(Debug, Clone)]
pub(crate) struct RequestLines {
    pub(crate) api_version: Box<str>,
}

impl RequestLines {
    /// One page of a list. The label is always there: without one the service would read *any* label.
    pub(crate) fn page(&self, target: &Target, after: Option<&str>) -> String {
        let mut pairs = Vec::with_capacity(8);
        match target {
            Target::Filter {
                key, label, tags, ..
            } => {
                pairs.push(("key", key.to_string()));
                pairs.push(("label", label_filter(label.as_str())));
                pairs.extend(tags.iter().map(|tag| ("tags", tag.to_string())));
            }
            Target::Snapshot { name, .. } => pairs.push(("snapshot", name.to_string())),
        }
        self.list(pairs, after)
    }

    /// What is known about a snapshot.
    pub(crate) fn snapshot(&self, name: &str) -> String {
        self.line(&format!("/snapshots/{}", encoded(name)), Vec::new())
    }

    /// One setting by key and literal label. Keys that a path cannot carry (see [`fits_path`]) are asked for by
    /// a list of one.
    pub(crate) fn item(&self, key: &str, label: Option<&str>) -> String {
        if fits_path(key) {
            let label = label.map_or_else(|| "\0".to_owned(), str::to_owned);
            self.line(&format!("/kv/{}", encoded(key)), vec![("label", label)])
        } else {
            let pairs = vec![("key", literal(key)), ("label", label_filter(label))];
            self.list(pairs, None)
        }
    }

    fn list(&self, mut pairs: Vec<(&'static str, String)>, after: Option<&str>) -> String {
        pairs.extend(after.map(|after| ("after", after.to_owned())));
        self.line("/kv", pairs)
    }

    fn line(&self, path: &str, mut pairs: Vec<(&'static str, String)>) -> String {
        pairs.push(("api-version", self.api_version.to_string()));
        pairs.sort_by_key(|(name, _)| *name);
        let mut line = path.to_owned();
        for (at, (name, value)) in pairs.iter().enumerate() {
            line.push(if at == 0 { '?' } else { '&' });
            line.push_str(name);
            line.push('=');
            line.push_str(&encoded(value));
        }
        line
    }
}

/// True if `/kv/{key}` can name the key. The service refuses a path with `%25`, and a URL loses `.` and `..`
/// (provider-spec 1.1).
pub(crate) fn fits_path(key: &str) -> bool {
    !key.contains(['%', '*', ',', '\\']) && !matches!(key, "" | "." | "..")
}

/// The filter for one literal label; no label is the single character U+0000.
fn label_filter(label: Option<&str>) -> String {
    label.map_or_else(|| "\0".to_owned(), literal)
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::selection::Selection;
    use crate::store::selector::SettingSelector;

    fn lines() -> RequestLines {
        RequestLines {
            api_version: "2023-11-01".into(),
        }
    }

    fn page(selector: SettingSelector, after: Option<&str>) -> String {
        let selection = Selection::new(&[selector], &[]).unwrap();
        lines().page(&selection.queries()[0].target, after)
    }

    #[test]
    fn sorted_lower_case_and_always_with_a_label() {
        assert_eq!(
            page(SettingSelector::all(), None),
            "/kv?api-version=2023-11-01&key=%2A&label=%00"
        );
        assert_eq!(
            page(
                SettingSelector::keys("a b/c%*")
                    .label(r"x\y")
                    .tag("z", "1")
                    .tag("a", "2=3"),
                Some("dG9rZW4=+")
            ),
            "/kv?after=dG9rZW4%3D%2B&api-version=2023-11-01&key=a%20b%2Fc%25%2A&label=x%5C%5Cy\
             &tags=a%3D2%5C%3D3&tags=z%3D1"
        );
        assert_eq!(
            page(SettingSelector::snapshot("release 42"), None),
            "/kv?api-version=2023-11-01&snapshot=release%2042"
        );
    }

    #[test]
    fn one_setting_by_path_or_by_list() {
        assert_eq!(
            lines().item("a/b", None),
            "/kv/a%2Fb?api-version=2023-11-01&label=%00"
        );
        assert_eq!(
            lines().item("a/b", Some("x*")),
            "/kv/a%2Fb?api-version=2023-11-01&label=x%2A"
        );
        assert_eq!(
            lines().item("100%", Some("x\\")),
            "/kv?api-version=2023-11-01&key=100%25&label=x%5C%5C"
        );
        assert_eq!(
            lines().item("..", None),
            "/kv?api-version=2023-11-01&key=..&label=%00"
        );
    }

    #[test]
    fn the_url_keeps_the_bytes() {
        let endpoint =
            crate::store::endpoint::Endpoint::parse("https://contoso.azconfig.io").unwrap();
        let line = page(
            SettingSelector::keys(r"a'\*b|ü*").label("%41"),
            Some("~+/="),
        );
        let url = endpoint.join(&line).unwrap();
        assert_eq!(format!("{}?{}", url.path(), url.query().unwrap()), line);
    }
}
