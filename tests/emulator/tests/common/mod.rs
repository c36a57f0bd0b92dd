//! Requests as a client makes them, written without the library.
#![expect(dead_code, reason = "each test binary uses a part of it")]

use aws_lc_rs::{digest, hmac};
use azure_core::http::{Method, Request, headers::HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config_azure_emulator::Emulator;
use http::HeaderMap;
use time::OffsetDateTime;
use time::macros::format_description;

/// A request to be sent through either front.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self.header("content-type", "application/json")
    }

    pub async fn send_with(&self, client: &reqwest::Client) -> reqwest::Response {
        let method = self.method.parse().expect("a method");
        let mut request = client.request(method, &self.url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.send().await.expect("an answer")
    }
}

/// A request signed with the key of `connection`, dated now.
pub fn signed(connection: &str, method: &str, url: &str) -> Call {
    sign(
        Call::new(method, url),
        connection,
        OffsetDateTime::now_utc(),
    )
}

/// Signs `call` with the key of `connection` as of `date`.
pub fn sign(call: Call, connection: &str, date: OffsetDateTime) -> Call {
    let part = |name: &str| {
        let parts = connection
            .split(';')
            .filter_map(|part| part.split_once('='));
        let mut values = parts.filter(|(n, _)| *n == name).map(|(_, value)| value);
        values.next().expect("a part of the connection string")
    };
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = date.format(&format).expect("a date");
    let hash = BASE64.encode(digest::digest(&digest::SHA256, call.body.as_bytes()));
    let url = url::Url::parse(&call.url).expect("a URL");
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let text = format!("{}\n{path}\n{date};{host};{hash}", call.method);
    let secret = BASE64.decode(part("Secret")).expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signature = BASE64.encode(hmac::sign(&key, text.as_bytes()));
    let authorization = format!(
        "HMAC-SHA256 Credential={}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
        part("Id")
    );
    call.header("x-ms-date", &date)
        .header("x-ms-content-sha256", &hash)
        .header("authorization", &authorization)
}

/// Sends `call` through the in-memory front: status, headers, body.
pub async fn get(emulator: &Emulator, call: &Call) -> (u16, HeaderMap, String) {
    let method: Method = call.method.parse().expect("a method");
    let mut request = Request::new(call.url.parse().expect("a URL"), method);
    for (name, value) in &call.headers {
        request.insert_header(HeaderName::from(name.clone()), value.clone());
    }
    request.set_body(call.body.clone());
    let answer = emulator.transport().execute_request(&request).await;
    let raw = answer.expect("an answer").try_into_raw_response().await;
    let raw = raw.expect("a body");
    let mut headers = HeaderMap::new();
    for (name, value) in raw.headers().iter() {
        let name: http::HeaderName = name.as_str().parse().expect("a header name");
        headers.insert(name, value.as_str().parse().expect("a header value"));
    }
    let body = raw.body().as_ref().to_vec();
    (
        u16::from(raw.status()),
        headers,
        String::from_utf8(body).expect("text"),
    )
}

/// A plain request through the in-memory front.
pub async fn text(emulator: &Emulator, method: &str, url: &str) -> (u16, HeaderMap, String) {
    get(emulator, &Call::new(method, url)).await
}

/// The text of a header; empty if it is missing.
pub fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |v| v.to_str().expect("text"))
}
