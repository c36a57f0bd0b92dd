//! `POST /{tenant}/oauth2/v2.0/token`: client credentials by secret or by assertion.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::failure::TokenFailure;
use super::form::Form;
use super::{Reply, State};
use crate::token::TokenIssuer;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The claims of a client assertion that are looked at.
#[derive(Deserialize)]
struct Assertion {
    sub: String,
    exp: i64,
    nbf: Option<i64>,
}

/// Answers one token request, of the v2.0 form (`scope`) or of the older one (`resource`).
pub(super) fn token(
    state: &mut State,
    tokens: &TokenIssuer,
    tenant: &str,
    request: &Request<Bytes>,
    now: OffsetDateTime,
) -> Reply {
    let form = Form::parse(request.body());
    if let Some(failure) = state.authority_failures.next() {
        return failure.into_reply(state, now);
    }
    let resource = check_tenant(tokens, tenant)
        .and_then(|()| check_grant(&form))
        .and_then(|()| authenticate(state, tokens, &form, now))
        .and_then(|()| resource(state, tokens, &form));
    let resource = match resource {
        Ok(resource) => resource,
        Err(failure) => return failure.into_reply(state, now),
    };
    let (token, expires) = tokens.issue(&resource, state.lifetime, now);
    let seconds = (expires - now).whole_seconds().max(0);
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": token,
    });
    if form.get("resource").is_some() {
        // The older endpoint writes its numbers as strings and repeats the resource.
        body["expires_in"] = seconds.to_string().into();
        body["ext_expires_in"] = seconds.to_string().into();
        body["expires_on"] = expires.unix_timestamp().to_string().into();
        body["not_before"] = now.unix_timestamp().to_string().into();
        body["resource"] = resource.into();
    }
    Reply::ok(body)
}

pub(super) fn check_tenant(tokens: &TokenIssuer, tenant: &str) -> Result<(), TokenFailure> {
    if tenant.eq_ignore_ascii_case(tokens.tenant_id()) {
        return Ok(());
    }
    Err(TokenFailure::aadsts(90_002).message(format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
         correct cloud. Check with your subscription administrator, this may happen if there are no active \
         subscriptions for the tenant."
    )))
}

fn check_grant(form: &Form) -> Result<(), TokenFailure> {
    let grant = required(form, "grant_type")?;
    if grant == "client_credentials" {
        return Ok(());
    }
    Err(TokenFailure::aadsts(70_003).message(format!(
        "The app requested an unsupported grant type '{grant}'."
    )))
}

fn authenticate(
    state: &mut State,
    tokens: &TokenIssuer,
    form: &Form,
    now: OffsetDateTime,
) -> Result<(), TokenFailure> {
    let client = required(form, "client_id")?;
    let Some(secret) = state.applications.get(client) else {
        return Err(TokenFailure::aadsts(700_016).message(format!(
            "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the \
             application has not been installed by the administrator of the tenant or consented to by any user in \
             the tenant. You may have sent your authentication request to the wrong tenant.",
            tokens.tenant_id()
        )));
    };
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(presented), _) if presented == secret => Ok(()),
        (Some(_), _) => Err(TokenFailure::aadsts(7_000_215).message(format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID, for a secret added to app '{client}'."
        ))),
        (None, Some(assertion)) => {
            if form.get("client_assertion_type") != Some(JWT_BEARER) {
                return Err(missing("client_assertion_type"));
            }
            state.assertions.push(assertion.to_owned());
            check_assertion(state.subjects.get(client), assertion, now)
        }
        (None, None) => Err(TokenFailure::aadsts(7_000_216)),
    }
}

/// Looks at the shape, the time and, if one is registered, the subject; the signature is the issuer's affair.
fn check_assertion(
    subject: Option<&String>,
    assertion: &str,
    now: OffsetDateTime,
) -> Result<(), TokenFailure> {
    let claims = parse_assertion(assertion).ok_or_else(|| TokenFailure::aadsts(50_027))?;
    let seconds = now.unix_timestamp();
    if seconds >= claims.exp || claims.nbf.is_some_and(|nbf| seconds < nbf) {
        return Err(TokenFailure::aadsts(700_024).message(format!(
            "Client assertion is not within its valid time range. Current time: {seconds}, expiry time of \
             assertion {}. Review the documentation at \
             https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .",
            claims.exp
        )));
    }
    if subject.is_some_and(|subject| *subject != claims.sub) {
        return Err(TokenFailure::aadsts(70_021).message(format!(
            "No matching federated identity record found for presented assertion. Assertion Subject: '{}'.",
            claims.sub
        )));
    }
    Ok(())
}

fn parse_assertion(assertion: &str) -> Option<Assertion> {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return None;
    };
    let header: serde_json::Value = serde_json::from_slice(&BASE64URL.decode(header).ok()?).ok()?;
    BASE64URL.decode(signature).ok()?;
    header.get("alg")?;
    serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()
}

fn resource(state: &State, tokens: &TokenIssuer, form: &Form) -> Result<String, TokenFailure> {
    let resource = match (form.get("scope"), form.get("resource")) {
        (Some(scope), _) => scope.strip_suffix("/.default").ok_or_else(|| {
            TokenFailure::aadsts(1_002_012).message(format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            ))
        })?,
        (None, Some(resource)) => resource,
        (None, None) => return Err(missing("scope")),
    };
    if state.knows_resource(resource) {
        return Ok(resource.to_owned());
    }
    Err(unknown_resource(resource, tokens.tenant_id()))
}

pub(super) fn unknown_resource(resource: &str, tenant: &str) -> TokenFailure {
    TokenFailure::aadsts(500_011).message(format!(
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You might have sent your authentication request to the wrong tenant."
    ))
}

fn required<'a>(form: &'a Form, name: &'static str) -> Result<&'a str, TokenFailure> {
    form.get(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> TokenFailure {
    TokenFailure::aadsts(900_144).message(format!(
        "The request body must contain the following parameter: '{name}'."
    ))
}
