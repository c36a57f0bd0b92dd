//! One recorded request with its answer.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use url::Url;

pub struct Exchange {
    pub method: String,
    pub url: Url,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub status: u16,
    /// Names in lower case.
    pub answer_headers: BTreeMap<String, String>,
    pub body: Value,
}

/// All exchanges of a file of recordings.
pub fn read_file(path: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let records: Value = serde_json::from_str(&text).expect("recordings are JSON");
    let records = records.as_array().expect("a list of records").iter();
    records
        .flat_map(|record| record["exchanges"].as_array().expect("exchanges"))
        .map(Exchange::read)
        .collect()
}

/// The preview of snapshots became the version 2023-10-01.
fn released(text: &str) -> String {
    text.replace("2022-11-01-preview", "2023-10-01")
}

fn lower(headers: &Value) -> BTreeMap<String, String> {
    let headers = headers.as_object().into_iter().flatten();
    headers
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
        .collect()
}

impl Exchange {
    /// Whether an answer has the recorded status.
    pub fn has_status(&self, status: u16, body: &str) -> Result<(), String> {
        let wanted = self.status;
        match status == wanted {
            true => Ok(()),
            false => Err(format!("status {status} instead of {wanted}: {body}")),
        }
    }

    fn read(record: &Value) -> Self {
        let (request, response) = (&record["request"], &record["response"]);
        let url = released(request["url"].as_str().expect("a URL"));
        Self {
            method: request["method"].as_str().expect("a method").to_owned(),
            url: url.parse().expect("a URL"),
            headers: lower(&request["headers"]),
            status: response["status"].as_u64().expect("a status") as u16,
            answer_headers: lower(&response["headers"])
                .into_iter()
                .map(|(name, value)| (name, released(&value)))
                .collect(),
            body: match &response["body"] {
                // Some recorders write an absent body as an empty list.
                Value::Array(list) if list.is_empty() => Value::Null,
                body => body.clone(),
            },
        }
    }

    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub fn reads_a_store(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD") && self.host().ends_with(".azconfig.io")
    }

    /// Whether the request is about this resource.
    pub fn is(&self, resource: &str) -> bool {
        self.target().0 == resource
    }

    /// `/kv/{key}` is `("kv", "key")`, `/kv` and `/kv/` are `("kv", "")`; the name decoded.
    pub fn target(&self) -> (&str, String) {
        let mut segments = self.url.path_segments().expect("a path");
        let resource = segments.next().unwrap_or_default();
        let name = segments.collect::<Vec<_>>().join("/");
        let pair = format!("name={}", name.replace('+', "%2B"));
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        (
            resource,
            decoded
                .map(|(_, name)| name.into_owned())
                .unwrap_or_default(),
        )
    }

    pub fn query(&self, wanted: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.into_owned())
    }

    pub fn is_suffix_search(&self) -> bool {
        let suffix = |name| {
            let text = self.query(name).unwrap_or_default();
            text.len() > 1 && text.starts_with('*')
        };
        self.status == 400 && (suffix("key") || suffix("label"))
    }

    /// Whether the recorded answer has a link of this relation.
    pub fn links_to(&self, relation: &str) -> bool {
        let link = self.answer_headers.get("link").map_or("", String::as_str);
        link.contains(&format!("rel=\"{relation}\""))
    }
}
