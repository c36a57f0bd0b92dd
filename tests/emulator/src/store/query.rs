//! Query strings: read leniently as the service does, written for the next page.

/// The parameters of a request, in order, names in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Query(Vec<Parameter>);

#[derive(Clone, Debug)]
struct Parameter {
    /// As the client spelt it.
    spelt: String,
    name: String,
    value: String,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.split('&').filter(|part| !part.is_empty());
        let parameters = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let spelt = decode(name, true);
            Parameter {
                name: spelt.to_lowercase(),
                value: decode(value, true),
                spelt,
            }
        });
        Self(parameters.collect())
    }

    /// The first value of a parameter.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|parameter| parameter.name == name)
            .map(|parameter| parameter.value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |parameter| parameter.name == name)
            .map(|parameter| parameter.value.as_str())
    }

    /// The same request (path and query) continued after `token`, which comes last.
    pub(crate) fn continued(&self, path: &str, token: &str) -> String {
        let kept = self.0.iter().filter(|p| p.name != "after");
        let kept = kept.map(|p| format!("{}={}", encode(&p.spelt), encode(&p.value)));
        let all: Vec<_> = kept.chain([format!("after={}", encode(token))]).collect();
        format!("{path}?{}", all.join("&"))
    }

    /// The same request as it was made.
    pub(crate) fn original(&self, path: &str) -> String {
        let all = self.0.iter();
        let all = all.map(|p| format!("{}={}", encode(&p.spelt), encode(&p.value)));
        let all = all.collect::<Vec<_>>().join("&");
        if all.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{all}")
        }
    }
}

/// Percent-decodes; in a query, `+` is a blank. What is not UTF-8 becomes U+FFFD.
pub(crate) fn decode(text: &str, plus_is_blank: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| {
            let hex = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(hex, 16).ok()
        });
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) if plus_is_blank => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Percent-encodes a name or value. Recorded links leave `*`, `,` and `$` as they are.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~*,$!()@;".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes all");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_repeated_parameters_stay_apart() {
        let query = Query::parse("$Select=key%2Cetag&TAGS=a%3Db&tags=c=d&label=%00&x=a+b&y");
        assert_eq!(query.first("$select"), Some("key,etag"));
        assert_eq!(query.all("tags").collect::<Vec<_>>(), ["a=b", "c=d"]);
        assert_eq!(query.first("label"), Some("\0"));
        assert_eq!(query.first("x"), Some("a b"));
        assert_eq!(query.first("y"), Some(""));
        assert_eq!(query.first("z"), None);
    }

    #[test]
    fn the_next_page_keeps_every_parameter_and_ends_with_the_token() {
        // As recorded: the token moves to the end, an escaped asterisk is written plain.
        let query =
            Query::parse("key=multi_%2A&after=old&tags=a%3Db&tags=c%3Dd&label=%00&api-version=1.0");
        assert_eq!(
            query.continued("/kv", "bXU="),
            "/kv?key=multi_*&tags=a%3Db&tags=c%3Dd&label=%00&api-version=1.0&after=bXU%3D"
        );
        assert_eq!(Query::parse("").continued("/kv/", "YQ"), "/kv/?after=YQ");
        assert_eq!(Query::parse("").original("/kv"), "/kv");
    }
}
