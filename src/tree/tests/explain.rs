use super::*;
use crate::setting::ETag;

fn selected(label: &str, etag: &str, selector: usize, snapshot: Option<&str>) -> Selected {
    let mut setting = ConfigurationSetting::new("Db:Password", "{}").with_label(label);
    setting.etag = ETag::new(etag);
    Selected {
        setting: Arc::new(setting),
        selector,
        snapshot: snapshot.map(Arc::from),
    }
}

#[test]
fn where_a_value_came_from() {
    let losers = [
        selected("", "e1", 0, None),
        selected("test", "e2", 1, Some("v42")),
    ];
    let winner = selected("prod", "\"e3\"", 1, None);
    let entry = Entry {
        selected: &winner,
        losers: &losers,
        content: Content::Secret {
            text: Arc::new(Secret::new("hunter2")),
            origin: SecretOrigin {
                identifier: "kv-orders.vault.azure.net/secrets/db-password".into(),
                version: Some("0123".into()),
                content_type: Some("application/x-pem-file".into()),
            },
            parse_json: false,
        },
    };
    let shape = Shape {
        selectors: [
            "keys 'Db:*', no label".into(),
            "keys 'Db:*', label 'prod'".into(),
        ]
        .into(),
        ..Shape::default()
    };
    let (tree, _) = assemble("contoso", [entry], &[], &shape).unwrap();
    let explanation = tree.explain("db.password").unwrap();
    assert_eq!(explanation.setting().key(), "Db:Password");
    assert_eq!(explanation.setting().etag().as_str(), "e3");
    assert_eq!(explanation.secret_version(), Some("0123"));
    assert_eq!(
        explanation.secret_content_type(),
        Some("application/x-pem-file")
    );
    assert_eq!(explanation.losers()[1].snapshot(), Some("v42"));
    let explanation = explanation.with_layer("the environment");
    insta::assert_snapshot!(explanation, @"
    db.password: from key 'Db:Password', label 'prod', etag e3, by selector keys 'Db:*', label 'prod', in contoso
      refers to kv-orders.vault.azure.net/secrets/db-password, version 0123, content type application/x-pem-file
      hides key 'Db:Password', no label, etag e1, by selector keys 'Db:*', no label
      hides key 'Db:Password', label 'test', etag e2, snapshot 'v42', by selector keys 'Db:*', label 'prod'
      overridden by the environment
    ");
    assert!(!format!("{explanation:?}").contains("hunter2"));
}

#[test]
fn what_there_is_to_explain() {
    let tree = grow(&[
        text("a:b", "1"),
        text("a:c", "1"),
        json("json", r#"{"x": {"y": [1, {"z": 1}]}}"#),
        text("hosts:0", "h"),
        text("hosts:1", "h"),
        text("Dotted:x.y", "1"),
    ]);
    let keys = [
        ("a.b", Some("a:b")),
        ("a", None),
        ("json", Some("json")),
        ("json.x.y", Some("json")),
        ("json.x.y[1].z", Some("json")),
        ("json.x.y.1.z", Some("json")),
        ("json.x.y[2]", None),
        ("json.x.y[x", None),
        ("hosts", None),
        ("hosts[1]", Some("hosts:1")),
        ("dotted.x_y", Some("Dotted:x.y")),
        ("nothing", None),
        ("", None),
        ("a.b.c", None),
        ("a.", None),
    ];
    for (path, key) in keys {
        let explanation = tree.explain(path);
        let found = explanation
            .as_ref()
            .map(|explanation| explanation.setting().key());
        assert_eq!(found, key, "{path}");
    }
}

#[test]
fn names_with_dots_are_found() {
    let keys = KeyRules::new(Vec::new(), vec![":".into()], KeyCase::Preserve).unwrap();
    let shape = Shape {
        keys,
        ..Shape::default()
    };
    let given = [
        text("Logging:Microsoft.AspNetCore", "1"),
        text("Logging:Microsoft:Extensions.Http", "2"),
    ];
    let (tree, _) = try_grow(&given, &shape).unwrap();
    for (path, key) in [
        (
            "Logging.Microsoft.AspNetCore",
            "Logging:Microsoft.AspNetCore",
        ),
        (
            "Logging.Microsoft.Extensions.Http",
            "Logging:Microsoft:Extensions.Http",
        ),
    ] {
        assert_eq!(tree.explain(path).unwrap().setting().key(), key);
    }
}

/// As changes name them.
#[test]
fn flags_are_found_by_their_ids() {
    let all = "feature_management.feature_flags";
    let tree = flags(&[("Beta", true), ("Beta.v2", true), ("7", true)]);
    for (path, key) in [
        ("Beta", "Beta"),
        ("Beta.enabled", "Beta"),
        ("Beta.v2", "Beta.v2"),
        ("Beta.v2.enabled", "Beta.v2"),
        ("7", "7"),
        ("1", "Beta.v2"),
    ] {
        let path = format!("{all}.{path}");
        assert_eq!(tree.explain(&path).unwrap().setting().key(), key, "{path}");
    }
    assert!(tree.explain(&format!("{all}.Bet")).is_none());
    assert!(tree.explain(all).is_none(), "it is several settings");
    assert!(flags(&[("Beta", true)]).explain(all).is_some());
}
