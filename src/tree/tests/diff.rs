use super::*;

fn said(old: &[Given], new: &[Given]) -> String {
    Tree::diff(&grow(old), &grow(new)).to_string()
}

fn version(given: Given, value: &str, version: &str) -> Given {
    let secret = given.secret.map(|(_, origin)| {
        let origin = SecretOrigin {
            version: Some(version.into()),
            ..origin
        };
        (Arc::new(Secret::new(value)), origin)
    });
    Given { secret, ..given }
}

#[test]
fn paths_that_differ() {
    let old = [
        text("a", "1"),
        text("db:host", "h"),
        text("db:port", "1"),
        json("list", "[1, 2]"),
        text("same", "x"),
        text("turns", "x"),
    ];
    let new = [
        text("db:host", "h2"),
        text("db:pool:max", "1"),
        json("list", "[1, 3]"),
        text("same", "x"),
        text("turns:into", "x"),
    ];
    let changes = Tree::diff(&grow(&old), &grow(&new));
    assert_eq!(
        changes.to_string(),
        "-a, ~db.host, +db.pool.max, -db.port, ~list, -turns, +turns.into"
    );
    let paths = |changes: Vec<&Change>| -> Vec<String> {
        changes
            .iter()
            .map(|change| change.path().to_owned())
            .collect()
    };
    assert_eq!(
        paths(changes.added().collect()),
        ["db.pool.max", "turns.into"]
    );
    assert_eq!(paths(changes.changed().collect()), ["db.host", "list"]);
    assert_eq!(
        paths(changes.removed().collect()),
        ["a", "db.port", "turns"]
    );
    assert_eq!(changes.len(), 7);
    for (path, touched) in [
        ("db", true),
        ("db.host", true),
        ("db.host.x", true),
        ("db.ho", false),
        ("list[1]", true),
        ("same", false),
    ] {
        assert_eq!(changes.touches(path), touched, "{path}");
    }
    let change = changes.changed().next().unwrap();
    assert_eq!(
        (change.key(), change.label(), change.cause()),
        ("db:host", None, Cause::Setting)
    );
}

#[test]
fn nothing_differs() {
    let given = [
        text("a", "1"),
        json("b", r#"{"c": [1, null, 2.5]}"#),
        secret("s", "x"),
    ];
    assert_eq!(said(&given, &given), "no change");
    // Other objects with the same content.
    let again = [
        text("a", "1"),
        json("b", r#"{"c":[1,null,2.5]}"#),
        secret("s", "x"),
    ];
    assert_eq!(said(&given, &again), "no change");
    // A new version with the same text changes nothing that anybody could see.
    let rotated = [
        given[0].clone(),
        given[1].clone(),
        version(secret("s", ""), "x", "v2"),
    ];
    assert_eq!(said(&given, &rotated), "no change");
}

#[test]
fn a_rotated_secret_is_told_from_a_written_setting() {
    let old = [secret("db:password", "hunter2")];
    let cause = |new: Given| {
        let changes = Tree::diff(&grow(&old), &grow(&[new]));
        let change = changes.changed().next().unwrap().clone();
        assert!(!format!("{changes:?} {change:?}").contains("hunter"));
        change.cause()
    };
    assert_eq!(
        cause(version(old[0].clone(), "hunter3", "v2")),
        Cause::Secret
    );
    assert_eq!(cause(text("db:password", "hunter3")), Cause::Setting);
}

/// The changes with their keys and causes.
fn causes(old: &[Given], new: &[Given]) -> Vec<String> {
    let changes = Tree::diff(&grow(old), &grow(new));
    let told = changes
        .iter()
        .map(|change| format!("{}: {} {:?}", change.path(), change.key(), change.cause()));
    told.collect()
}

#[test]
fn of_a_list_of_keys_the_setting_that_differs_is_told() {
    let hosts = |last: &str| [text("hosts:0", "a"), text("hosts:1", last)];
    let servers = |password: Given| [text("servers:0:host", "a"), password];
    let keys = |first: Given, last: &str| [first, text("keys:1", last)];
    let (old, new) = (
        secret("keys:0", "a"),
        version(secret("keys:0", ""), "b", "v2"),
    );
    let password = secret("servers:0:password", "a");
    let rows = [
        (
            hosts("b").to_vec(),
            hosts("c").to_vec(),
            "hosts: hosts:1 Setting",
        ),
        (
            servers(password.clone()).to_vec(),
            servers(version(password, "b", "v2")).to_vec(),
            "servers: servers:0:password Secret",
        ),
        (
            keys(old.clone(), "b").to_vec(),
            keys(old.clone(), "c").to_vec(),
            "keys: keys:1 Setting",
        ),
        // Both: the one that was written.
        (
            keys(old.clone(), "b").to_vec(),
            keys(new.clone(), "c").to_vec(),
            "keys: keys:1 Setting",
        ),
        (
            vec![old.clone(), text("keys:1", "b")],
            vec![old.clone()],
            "keys: keys:1 Setting",
        ),
        (
            vec![old.clone()],
            vec![old, text("keys:1", "b")],
            "keys: keys:1 Setting",
        ),
    ];
    for (old, new, wanted) in rows {
        assert_eq!(causes(&old, &new), [wanted]);
    }
}

#[test]
fn one_after_the_other() {
    let plain = [text("db", "x")];
    let (one, other) = (secret("db", "a"), version(secret("db", ""), "b", "v2"));
    let last = version(secret("db", ""), "c", "v3");
    let diff = |old: &[Given], new: &[Given]| Tree::diff(&grow(old), &grow(new));
    let both = |first: ChangeSet, later: ChangeSet| {
        let both = first.then(later);
        let cause = both.iter().next().map(Change::cause);
        (both.to_string(), cause)
    };
    let [one, other, last] = [one, other, last].map(|given| [given]);
    let written = diff(&plain, &one);
    let rotated = diff(&one, &other);
    let (setting, secret) = (Some(Cause::Setting), Some(Cause::Secret));
    assert_eq!(
        both(rotated.clone(), diff(&other, &last)),
        ("~db".into(), secret)
    );
    assert_eq!(both(written, rotated.clone()), ("~db".into(), setting));
    assert_eq!(both(rotated, diff(&other, &plain)), ("~db".into(), setting));
    assert_eq!(
        both(diff(&[], &one), diff(&one, &other)),
        ("+db".into(), setting)
    );
    assert_eq!(both(diff(&one, &[]), diff(&[], &one)).0, "~db");
    assert_eq!(both(diff(&[], &one), diff(&one, &[])).0, "no change");
}

#[test]
fn a_rotated_json_secret_may_change_its_shape() {
    let of = |value: &str, number: &str| Given {
        parse_json: true,
        ..version(secret("db", ""), value, number)
    };
    let old = of(r#"{"user": "u", "password": "p"}"#, "v1");
    let told = |new: &str, number: &str| causes(std::slice::from_ref(&old), &[of(new, number)]);
    assert_eq!(
        told(r#"{"user": "u", "password": "q", "host": "h"}"#, "v2"),
        ["db.host: db Secret", "db.password: db Secret"]
    );
    assert_eq!(told(r#"{"user": "u"}"#, "v2"), ["db.password: db Secret"]);
    assert_eq!(
        told("{}", "v2"),
        ["db.password: db Secret", "db.user: db Secret"]
    );
    assert_eq!(
        told("no JSON any more", "v2"),
        [
            "db: db Secret",
            "db.password: db Secret",
            "db.user: db Secret"
        ]
    );
    let listed = |value: &str, number: &str| [of(value, number)];
    assert_eq!(
        causes(&listed("[1]", "v1"), &listed("[1, 2]", "v2")),
        ["db: db Secret"]
    );
    // A setting that refers to a secret came, went, or refers to another one.
    assert_eq!(causes(&[], &listed("[1]", "v1")), ["db: db Setting"]);
    assert_eq!(causes(&listed("[1]", "v1"), &[]), ["db: db Setting"]);
    let mut other = old.clone();
    let setting = ConfigurationSetting::new("db", "{\"uri\": \"another\"}");
    other.selected.setting = Arc::new(setting);
    let other = Given {
        parse_json: true,
        ..version(other, r#"{"user": "u", "port": 1}"#, "v2")
    };
    assert_eq!(
        causes(std::slice::from_ref(&old), &[other]),
        ["db.password: db Setting", "db.port: db Setting"]
    );
}

#[test]
fn a_secret_that_only_moves_was_not_rotated() {
    // `keys:2` makes a table of what was a list.
    let old = [secret("keys:0", "a")];
    let new = [secret("keys:0", "a"), text("keys:2", "b")];
    assert_eq!(
        causes(&old, &new),
        [
            "keys: keys:0 Setting",
            "keys.0: keys:0 Setting",
            "keys.2: keys:2 Setting"
        ]
    );
}

#[test]
fn flags_by_id() {
    let old = flags(&[("Beta", true), ("Gone", true), ("Same", true)]);
    let new = flags(&[("Same", true), ("Beta", false), ("New", true)]);
    let changes = Tree::diff(&old, &new);
    assert_eq!(
        changes.to_string(),
        "~feature_management.feature_flags.Beta, -feature_management.feature_flags.Gone, \
         +feature_management.feature_flags.New"
    );
    assert!(changes.iter().all(|change| change.cause() == Cause::Flag));
    assert_eq!(Tree::diff(&grow(&[]), &old).added().count(), 3);
    let turned = flags(&[("Same", true), ("Beta", true), ("Gone", true)]);
    let all = "~feature_management.feature_flags";
    assert_eq!(Tree::diff(&old, &turned).to_string(), all);
    assert!(Tree::diff(&old, &old).is_empty());
}

#[test]
fn an_empty_object_is_a_value() {
    let one = [json("tenants:acme", "{}")];
    assert_eq!(said(&[], &one), "+tenants.acme");
    assert_eq!(said(&one, &[]), "-tenants.acme");
    assert_eq!(said(&one, &one), "no change");
    let turned = [text("tenants:acme", "x")];
    assert_eq!(said(&one, &turned), "~tenants.acme");
    assert_eq!(said(&turned, &one), "~tenants.acme");
    let filled = [json("tenants:acme", r#"{"a": 1}"#)];
    assert_eq!(said(&one, &filled), "+tenants.acme.a");
    // Nulls are absent.
    let hollow = [json("tenants", r#"{"acme": {"a": null}}"#)];
    assert_eq!(said(&[], &hollow), "+tenants.acme");

    let changes = Tree::diff(&grow(&[]), &grow(&one));
    let change = changes.added().next().unwrap();
    assert_eq!(change.key(), "tenants:acme");
}

#[test]
fn an_empty_object_in_a_list_is_an_element() {
    let hosts = |count: usize| -> Vec<Given> {
        let hosts = (0..count).map(|at| json(&format!("hosts:{at}"), "{}"));
        hosts.collect()
    };
    assert_eq!(said(&[], &hosts(2)), "+hosts");
    assert_eq!(said(&hosts(2), &hosts(3)), "~hosts");
    assert_eq!(said(&hosts(3), &hosts(3)), "no change");
}

#[test]
fn many_changes_are_cut() {
    let given: Vec<Given> = (0..30).map(|i| text(&format!("k{i:02}"), "")).collect();
    let text = said(&[], &given);
    assert!(text.starts_with("+k00, +k01, "), "{text}");
    assert!(text.ends_with("+k19 and 10 more"), "{text}");
}
