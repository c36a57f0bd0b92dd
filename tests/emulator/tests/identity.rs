//! Token endpoints, request by request.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use config_azure_emulator::identity::{Identity, IdentityHandle, TokenFailure};
use config_azure_emulator::{Service, TokenIssuer};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00:00 UTC);
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const VAULT: &str = "https://vault.azure.net";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn tenant() -> IdentityHandle {
    let tokens = Arc::new(TokenIssuer::new(TENANT));
    IdentityHandle::new(Arc::new(Identity::new(tokens)))
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

fn send(handle: &IdentityHandle, request: &Request<Bytes>) -> Answer {
    let (parts, body) = handle.identity().handle(request, NOW).into_parts();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

fn post(handle: &IdentityHandle, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = Request::post(format!("https://login.microsoftonline.com/{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .expect("a valid request");
    send(handle, &request)
}

fn get(handle: &IdentityHandle, url: &str, header: Option<(&str, &str)>) -> Answer {
    let mut request = Request::get(url);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let request = request.body(Bytes::new()).expect("a valid request");
    send(handle, &request)
}

/// The form of a client secret request, with one field replaced or, for `None`, left out.
fn with_secret<'a>(handle: &'a IdentityHandle, change: (&'a str, Option<&'a str>)) -> Answer {
    let scope = format!("{VAULT}/.default");
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", handle.client_id()),
        ("client_secret", handle.client_secret()),
        ("scope", scope.as_str()),
    ];
    let form: Vec<_> = fields
        .into_iter()
        .filter_map(|(name, value)| match change {
            (changed, replacement) if changed == name => replacement.map(|value| (name, value)),
            _ => Some((name, value)),
        })
        .collect();
    post(handle, &format!("{TENANT}/oauth2/v2.0/token"), &form)
}

fn assertion(claims: &Value) -> String {
    let header = BASE64URL.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let payload = BASE64URL.encode(claims.to_string());
    format!("{header}.{payload}.{}", BASE64URL.encode("signature"))
}

fn with_assertion(handle: &IdentityHandle, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", handle.client_id()),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
        ("scope", "https://vault.azure.net/.default"),
    ];
    post(handle, &format!("{TENANT}/oauth2/v2.0/token"), &form)
}

fn verdict(handle: &IdentityHandle, answer: &Answer, audience: &str) -> bool {
    let token = answer.body["access_token"].as_str().unwrap_or_default();
    handle.tokens().verify(token, audience, NOW).is_ok()
}

#[test]
fn a_client_secret_buys_a_token_for_the_scope() {
    let handle = tenant();
    let answer = with_secret(&handle, ("", None));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 3600);
    assert!(verdict(&handle, &answer, VAULT));
    assert!(!verdict(&handle, &answer, "https://azconfig.io"));
    for scope in [
        "https://azconfig.io/.default",
        "https://contoso.azconfig.io/.default",
        "https://vault.azure.net//.default",
    ] {
        let answer = with_secret(&handle, ("scope", Some(scope)));
        let audience = scope.trim_end_matches("/.default");
        assert!(verdict(&handle, &answer, audience), "{scope}");
    }
}

#[test]
fn the_older_endpoint_takes_a_resource() {
    let handle = tenant();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", handle.client_id()),
        ("client_secret", handle.client_secret()),
        ("resource", VAULT),
    ];
    let answer = post(&handle, &format!("{TENANT}/oauth2/token"), &form);
    assert!(verdict(&handle, &answer, VAULT));
    assert_eq!(answer.body["expires_in"], "3600");
    assert_eq!(
        answer.body["expires_on"],
        (NOW.unix_timestamp() + 3600).to_string()
    );
}

#[test]
fn the_lifetime_is_settable() {
    let handle = tenant();
    handle.token_lifetime(Duration::from_secs(90));
    assert_eq!(with_secret(&handle, ("", None)).body["expires_in"], 90);
}

#[test]
fn refusals_carry_the_code_the_words_and_the_status_of_entra() {
    let handle = tenant();
    let cases = [
        (
            ("client_secret", Some("wrong")),
            401,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided.",
        ),
        (
            ("client_secret", None),
            401,
            "invalid_client",
            7_000_216,
            "client_assertion",
        ),
        (
            ("client_id", Some("stranger")),
            400,
            "unauthorized_client",
            700_016,
            "'stranger' was not found",
        ),
        (
            ("client_id", None),
            400,
            "invalid_request",
            900_144,
            "'client_id'",
        ),
        (
            ("grant_type", None),
            400,
            "invalid_request",
            900_144,
            "'grant_type'",
        ),
        (
            ("grant_type", Some("password")),
            400,
            "unsupported_grant_type",
            70_003,
            "'password'",
        ),
        (("scope", None), 400, "invalid_request", 900_144, "'scope'"),
        (
            ("scope", Some("https://vault.azure.net")),
            400,
            "invalid_scope",
            1_002_012,
            "/.default",
        ),
        (
            ("scope", Some("https://evil.example/.default")),
            400,
            "invalid_resource",
            500_011,
            "named https://evil.example was not found",
        ),
        (
            ("scope", Some("https://a.b.azconfig.io/.default")),
            400,
            "invalid_resource",
            500_011,
            "not found",
        ),
    ];
    for (change, status, error, code, words) in cases {
        let answer = with_secret(&handle, change);
        assert_eq!(answer.status, status, "{change:?}");
        assert_eq!(answer.body["error"], error, "{change:?}");
        assert_eq!(answer.body["error_codes"], json!([code]), "{change:?}");
        let text = answer.body["error_description"]
            .as_str()
            .expect("a description");
        assert!(text.starts_with(&format!("AADSTS{code}: ")), "{text}");
        assert!(
            text.contains(words) && text.ends_with("Timestamp: 2026-06-01 12:00:00Z"),
            "{text}"
        );
        assert!(!text.contains(handle.client_secret()), "{text}");
    }
}

#[test]
fn another_tenant_is_not_found() {
    let handle = tenant();
    let answer = post(&handle, "other/oauth2/v2.0/token", &[]);
    assert_eq!(
        (answer.status, &answer.body["error_codes"]),
        (400, &json!([90_002]))
    );
}

#[test]
fn an_assertion_is_taken_by_its_shape_and_recorded() {
    let handle = tenant();
    let later = NOW.unix_timestamp() + 600;
    let good = assertion(
        &json!({"sub": "system:serviceaccount:a:b", "iss": "https://oidc", "exp": later}),
    );
    let answer = with_assertion(&handle, &good);
    assert!(verdict(&handle, &answer, VAULT));
    assert_eq!(handle.assertions(), std::slice::from_ref(&good));

    let expired = assertion(&json!({"sub": "s", "exp": NOW.unix_timestamp()}));
    let early = assertion(&json!({"sub": "s", "exp": later, "nbf": later}));
    let cases = [
        (expired.as_str(), 401, 700_024),
        (early.as_str(), 401, 700_024),
        ("not.a.jwt", 400, 50_027),
        ("nonsense", 400, 50_027),
    ];
    for (assertion, status, code) in cases {
        let answer = with_assertion(&handle, assertion);
        assert_eq!(
            (answer.status, &answer.body["error_codes"]),
            (status, &json!([code])),
            "{assertion}"
        );
    }

    handle.federate(handle.client_id(), "system:serviceaccount:a:c");
    let answer = with_assertion(&handle, &good);
    assert_eq!(
        (answer.status, &answer.body["error_codes"]),
        (401, &json!([70_021]))
    );
    assert_eq!(handle.assertions().len(), 6);
}

#[test]
fn failures_come_as_scripted() {
    let handle = tenant();
    handle.fail(TokenFailure::status(503).retry_after(3), 2);
    let answer = with_secret(&handle, ("", None));
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "3");
    assert_eq!(with_secret(&handle, ("", None)).status, 503);
    assert_eq!(with_secret(&handle, ("", None)).status, 200);

    handle.fail(TokenFailure::aadsts(7_000_222), None);
    for _ in 0..3 {
        let answer = with_secret(&handle, ("", None));
        assert_eq!(
            (answer.status, &answer.body["error"]),
            (401, &json!("invalid_client"))
        );
    }
    handle.succeed();
    assert_eq!(with_secret(&handle, ("", None)).status, 200);
}

#[test]
fn applications_and_resources_come_and_go() {
    let handle = tenant();
    handle.add_application("app", "pw");
    let form = |scope: &'static str| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "app"),
            ("client_secret", "pw"),
            ("scope", scope),
        ]
    };
    let path = format!("{TENANT}/oauth2/v2.0/token");
    assert_eq!(
        post(&handle, &path, &form("https://own.example/.default")).status,
        400
    );
    handle.add_resource("https://OWN.example/");
    assert_eq!(
        post(&handle, &path, &form("https://own.example/.default")).status,
        200
    );
    handle.remove_resource(VAULT);
    assert_eq!(
        post(&handle, &path, &form("https://vault.azure.net/.default")).status,
        400
    );
}

#[test]
fn discovery_points_at_the_host_that_was_asked() {
    let handle = tenant();
    handle.identity().set_local_url("https://localhost:8440");
    for base in [
        "https://login.microsoftonline.com",
        "https://localhost:8440",
    ] {
        let answer = get(
            &handle,
            &format!("{base}/{TENANT}/v2.0/.well-known/openid-configuration"),
            None,
        );
        assert_eq!(
            answer.body["token_endpoint"],
            format!("{base}/{TENANT}/oauth2/v2.0/token")
        );
        assert_eq!(answer.body["issuer"], format!("{base}/{TENANT}/v2.0"));

        let url = format!(
            "{base}/common/discovery/instance?api-version=1.1&authorization_endpoint={base}/{TENANT}/oauth2/v2.0/authorize"
        );
        let answer = get(&handle, &url, None);
        let endpoint = answer.body["tenant_discovery_endpoint"]
            .as_str()
            .expect("an endpoint");
        assert_eq!(get(&handle, endpoint, None).status, 200);
    }
    let unknown = "https://login.microsoftonline.com/common/discovery/instance?authorization_endpoint=https://evil.example/x/oauth2/v2.0/authorize";
    assert_eq!(
        get(&handle, unknown, None).body["error_codes"],
        json!([50_049])
    );
    let other = "https://login.microsoftonline.com/other/v2.0/.well-known/openid-configuration";
    assert_eq!(get(&handle, other, None).status, 400);
    assert_eq!(
        get(&handle, "https://login.microsoftonline.com/nowhere", None).status,
        404
    );
}

#[test]
fn app_service_wants_its_header() {
    let handle = tenant();
    let header = handle.identity_header();
    let url = |query: &str| format!("https://localhost:8440/msi/token?{query}");
    let good = url("api-version=2019-08-01&resource=https://vault.azure.net");
    let answer = get(&handle, &good, Some(("X-IDENTITY-HEADER", &header)));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body["expires_on"],
        (NOW.unix_timestamp() + 3600).to_string()
    );
    assert_eq!(answer.body["resource"], VAULT);
    assert!(verdict(&handle, &answer, VAULT));

    assert_eq!(get(&handle, &good, None).status, 401);
    assert_eq!(
        get(&handle, &good, Some(("X-IDENTITY-HEADER", "wrong"))).status,
        401
    );
    for (query, status) in [
        ("resource=https://vault.azure.net", 400),
        (
            "api-version=2017-09-01&resource=https://vault.azure.net",
            400,
        ),
        ("api-version=2019-08-01", 400),
        ("api-version=2019-08-01&resource=https://evil.example", 400),
        (
            "api-version=2019-08-01&resource=https://vault.azure.net&client_id=u",
            400,
        ),
    ] {
        let answer = get(&handle, &url(query), Some(("X-IDENTITY-HEADER", &header)));
        assert_eq!(answer.status, status, "{query}");
    }
}

#[test]
fn instance_metadata_wants_its_header_and_knows_its_identities() {
    let handle = tenant();
    let base = "http://169.254.169.254/metadata/identity/oauth2/token";
    let metadata = Some(("Metadata", "true"));
    let url = format!("{base}?api-version=2018-02-01&resource=https://vault.azure.net");
    let answer = get(&handle, &url, metadata);
    assert_eq!(answer.body["expires_in"], "3600");
    assert!(verdict(&handle, &answer, VAULT));

    let probe = get(&handle, base, None);
    assert_eq!(
        (probe.status, &probe.body["error"]),
        (400, &json!("invalid_request"))
    );
    let user = format!("{url}&client_id=user-1");
    assert_eq!(
        get(&handle, &user, metadata).body["error_description"],
        "Identity not found"
    );
    handle.add_user_assigned("user-1");
    assert_eq!(get(&handle, &user, metadata).body["client_id"], "user-1");
    handle.system_assigned(false);
    assert_eq!(get(&handle, &url, metadata).status, 400);

    handle.fail_managed(TokenFailure::status(429), 1);
    assert_eq!(get(&handle, &user, metadata).status, 429);
    assert_eq!(get(&handle, &user, metadata).status, 200);
}
