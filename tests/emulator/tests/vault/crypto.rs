//! What keys do: encrypt, wrap, sign, and the other way round.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use config_azure_emulator::vault::NewKey;
use serde_json::{Value, json};

use crate::support::{START, World, decoded, vectors};

/// The digest that goes with an algorithm such as `PS384`.
fn digest_for(algorithm: &str, message: &[u8]) -> String {
    let hash = match algorithm.trim_end_matches('K') {
        name if name.ends_with("256") => &SHA256,
        name if name.ends_with("384") => &SHA384,
        _ => &SHA512,
    };
    BASE64URL.encode(digest::digest(hash, message))
}

fn run(world: &World, path: &str, body: Value) -> Value {
    let answer = world.send("POST", path, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body["value"].clone()
}

#[test]
fn an_imported_rsa_key_does_what_openssl_does() {
    let world = World::new();
    let vectors = vectors();
    let message = vectors["message"].as_str().expect("a message").as_bytes();
    let imported = world.send("PUT", "/keys/rsa", json!({"key": vectors["rsa"]["jwk"]}));
    assert_eq!(imported.status, 200, "{}", imported.body);
    assert_eq!(imported.body["key"]["n"], vectors["rsa"]["jwk"]["n"]);
    for (algorithm, signature) in vectors["rsa"]["sign"].as_object().expect("signatures") {
        let digest = digest_for(algorithm, message);
        let verified = run(
            &world,
            "/keys/rsa/verify",
            json!({"alg": algorithm, "digest": digest, "value": signature}),
        );
        assert_eq!(verified, true, "{algorithm}");
        if algorithm.starts_with("RS") {
            let signed = run(
                &world,
                "/keys/rsa/sign",
                json!({"alg": algorithm, "value": digest}),
            );
            assert_eq!(
                signed, *signature,
                "{algorithm} has one signature per digest"
            );
        }
    }
    for (algorithm, cipher) in vectors["rsa"]["decrypt"].as_object().expect("ciphertexts") {
        for operation in ["decrypt", "unwrapkey"] {
            let plain = run(
                &world,
                &format!("/keys/rsa/{operation}"),
                json!({"alg": algorithm, "value": cipher}),
            );
            assert_eq!(decoded(&plain), message, "{algorithm} {operation}");
        }
    }
}

#[test]
fn an_imported_ec_key_verifies_what_openssl_signed() {
    let vectors = vectors();
    let message = vectors["message"].as_str().expect("a message").as_bytes();
    for vector in vectors["ec"].as_array().expect("curves") {
        let world = World::new();
        let imported = world.send("PUT", "/keys/ec", json!({"key": vector["jwk"]}));
        assert_eq!(imported.status, 200, "{}", imported.body);
        let algorithm = vector["alg"].as_str().expect("an algorithm");
        let digest = digest_for(algorithm, message);
        let body = json!({"alg": algorithm, "digest": digest, "value": vector["signature"]});
        assert_eq!(run(&world, "/keys/ec/verify", body), true, "{algorithm}");
        let other = digest_for(algorithm, b"another message");
        let body = json!({"alg": algorithm, "digest": other, "value": vector["signature"]});
        assert_eq!(run(&world, "/keys/ec/verify", body), false, "{algorithm}");
    }
}

#[test]
fn what_a_key_closes_it_opens_and_what_it_signs_it_verifies() {
    let world = World::new();
    world.vault.create_key("rsa", NewKey::rsa(2048));
    let old = world.vault.key_versions("rsa")[0].clone();
    let plain = BASE64URL.encode("content key");
    for (close, open) in [("encrypt", "decrypt"), ("wrapkey", "unwrapkey")] {
        for algorithm in ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"] {
            let cipher = run(
                &world,
                &format!("/keys/rsa/{close}"),
                json!({"alg": algorithm, "value": plain}),
            );
            let body = json!({"alg": algorithm, "value": cipher});
            assert_eq!(
                run(&world, &format!("/keys/rsa/{old}/{open}"), body),
                plain,
                "{algorithm}"
            );
        }
    }
    let names =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map(|name| ("rsa", name, 256));
    let curves = [
        ("P-256", "ES256", 64),
        ("P-384", "ES384", 96),
        ("P-521", "ES512", 132),
        ("P-256K", "ES256K", 64),
    ];
    for (curve, ..) in curves {
        world.vault.create_key(curve, NewKey::ec(curve));
    }
    for (key, algorithm, size) in names.into_iter().chain(curves) {
        let digest = digest_for(algorithm, b"message");
        let signature = run(
            &world,
            &format!("/keys/{key}//sign"),
            json!({"alg": algorithm, "value": digest}),
        );
        assert_eq!(
            decoded(&signature).len(),
            size,
            "{algorithm}: r and s in a row, or the modulus"
        );
        let verify = |signature: &Value| {
            let body = json!({"alg": algorithm, "digest": digest, "value": signature});
            run(&world, &format!("/keys/{key}/verify"), body)
        };
        assert_eq!(verify(&signature), true, "{algorithm}");
        let mut tampered = decoded(&signature);
        tampered[5] ^= 1;
        assert_eq!(
            verify(&json!(BASE64URL.encode(tampered))),
            false,
            "{algorithm}"
        );
    }
}

#[test]
fn a_version_opens_only_what_it_closed() {
    let world = World::new();
    let first = world.vault.create_key("rsa", NewKey::rsa(2048));
    let cipher = run(
        &world,
        "/keys/rsa/encrypt",
        json!({"alg": "RSA-OAEP-256", "value": "AAEC"}),
    );
    let second = world.vault.rotate_key("rsa");
    let body = json!({"alg": "RSA-OAEP-256", "value": cipher});
    let by = |version: &str| {
        world.send(
            "POST",
            &format!("/keys/rsa/{version}/decrypt"),
            body.clone(),
        )
    };
    assert_eq!(
        by(&first.version).body,
        json!({"kid": first.id, "value": "AAEC"})
    );
    assert_eq!(by(&second.version).problem(), (400, "BadParameter", None));
    assert_eq!(
        by("0123456789abcdef0123456789abcdef").problem(),
        (404, "KeyNotFound", None)
    );
}

#[test]
fn keys_that_may_not_be_used_say_why() {
    let world = World::new();
    let algorithm = "RSA-OAEP-256";
    let body = json!({"kty": "RSA", "key_ops": ["encrypt", "decrypt"]});
    world.send("POST", "/keys/rsa/create", body);
    let call = |operation: &str, value: &Value| {
        world.send(
            "POST",
            &format!("/keys/rsa/{operation}"),
            json!({"alg": algorithm, "value": value}),
        )
    };
    let cipher = call("encrypt", &json!("AAEC")).body["value"].clone();

    let answer = call("unwrapKey", &cipher);
    assert_eq!(
        answer.problem(),
        (403, "Forbidden", Some("KeyOperationForbidden"))
    );
    assert_eq!(
        answer.message(),
        "Operation unwrapKey is not permitted on this key."
    );

    world.vault.disable_key("rsa");
    let answer = call("decrypt", &cipher);
    assert_eq!(answer.problem(), (403, "Forbidden", Some("KeyDisabled")));
    assert_eq!(
        answer.message(),
        "Operation decrypt is not allowed on a disabled key."
    );
    assert_eq!(
        world.get("/keys/rsa").body["attributes"]["enabled"],
        false,
        "it can be read"
    );
    world.vault.enable_key("rsa");

    for (field, at, inner) in [("exp", -1, "KeyExpired"), ("nbf", 60, "KeyNotYetValid")] {
        let at = START.unix_timestamp() + at;
        let other = START.unix_timestamp() + if field == "exp" { -60 } else { 600 };
        let attributes = if field == "exp" {
            json!({"exp": at, "nbf": other})
        } else {
            json!({"nbf": at, "exp": other})
        };
        world.send("PATCH", "/keys/rsa/", json!({"attributes": attributes}));
        assert_eq!(
            call("encrypt", &json!("AAEC")).problem(),
            (403, "Forbidden", Some(inner))
        );
        assert_eq!(
            call("decrypt", &cipher).body["value"],
            "AAEC",
            "recovery works"
        );
    }

    world.vault.forbid_key("rsa");
    let answer = call("decrypt", &cipher);
    assert_eq!(
        answer.problem(),
        (403, "Forbidden", Some("ForbiddenByRbac"))
    );
    assert!(
        answer
            .message()
            .contains("'Microsoft.KeyVault/vaults/keys/decrypt/action'")
    );
    world.vault.allow_key("rsa");
    assert_eq!(call("decrypt", &cipher).status, 200);
}

#[test]
fn requests_that_do_not_fit_the_key_are_refused() {
    let world = World::new();
    world.vault.create_key("rsa", NewKey::rsa(2048));
    world.vault.create_key("ec", NewKey::ec("P-256"));
    let digest = digest_for("256", b"m");
    let long = BASE64URL.encode([1; 500]);
    let cases = [
        (
            "/keys/ec/sign",
            json!({"alg": "ES384", "value": digest}),
            "uses curve 'P-256', and algorithm 'ES384' can only be used with curve 'P-384'.",
        ),
        (
            "/keys/ec/sign",
            json!({"alg": "RS256", "value": digest}),
            "Key and signing algorithm are incompatible.",
        ),
        (
            "/keys/rsa/sign",
            json!({"alg": "ES256", "value": digest}),
            "Key and signing algorithm are incompatible.",
        ),
        (
            "/keys/rsa/sign",
            json!({"alg": "RS256", "value": "AAEC"}),
            "Invalid length of 'value': 3 bytes. RS256 requires 32 bytes, encoded with base64url.",
        ),
        (
            "/keys/rsa/verify",
            json!({"alg": "RS256", "digest": "AAEC", "value": "AA"}),
            "Invalid length of 'digest': 3 bytes.",
        ),
        (
            "/keys/rsa/sign",
            json!({"alg": "HS256", "value": digest}),
            "Unsupported algorithm: HS256.",
        ),
        (
            "/keys/rsa/encrypt",
            json!({"alg": "A256GCM", "value": "AA"}),
            "Unsupported algorithm: A256GCM.",
        ),
        ("/keys/rsa/encrypt", json!({"value": "AA"}), "'alg'"),
        ("/keys/rsa/encrypt", json!({"alg": "RSA-OAEP"}), "'value'"),
        (
            "/keys/rsa/encrypt",
            json!({"alg": "RSA-OAEP", "value": "*"}),
            "not base64url",
        ),
        (
            "/keys/rsa/encrypt",
            json!({"alg": "RSA-OAEP", "value": long}),
            "The parameter is incorrect.",
        ),
        (
            "/keys/rsa/decrypt",
            json!({"alg": "RSA-OAEP", "value": "AAEC"}),
            "The parameter is incorrect.",
        ),
    ];
    for (path, body, words) in cases {
        let answer = world.send("POST", path, body.clone());
        assert_eq!(
            answer.problem(),
            (400, "BadParameter", None),
            "{path} {body}"
        );
        assert!(answer.message().contains(words), "{}", answer.message());
    }
    let answer = world.send(
        "POST",
        "/keys/ec/encrypt",
        json!({"alg": "RSA-OAEP", "value": "AA"}),
    );
    assert_eq!(answer.problem().2, Some("KeyOperationForbidden"));
    assert_eq!(world.send("POST", "/keys/ec", json!({})).status, 405);
    assert_eq!(
        world.send("POST", "/keys/ec/versions", json!({})).status,
        405
    );
}
