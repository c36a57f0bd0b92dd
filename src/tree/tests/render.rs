use super::*;

fn tree() -> Tree {
    let labelled = ConfigurationSetting::new("Title", "Or\"ders\n").with_label("prod");
    grow(&[
        Given::of(labelled),
        text("Db:Host", "db.local"),
        secret("Db:Password", "hunter2"),
        json("Db:Pool", r#"{"max": 5, "idle": [1, "two"], "empty": {}}"#),
        text("Long", &"x".repeat(500)),
    ])
}

#[test]
fn as_a_table() {
    let shown = tree().to_string();
    let cut: String = shown.replace(&"x".repeat(127), "(127 x)");
    let lines: Vec<_> = cut.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    db.host        "db.local"                                Db:Host
    db.password    [redacted]                                Db:Password -> kv-orders.vault.azure.net/secrets/name
    db.pool.empty  {}                                        Db:Pool
    db.pool.idle   [1,"two"]                                 Db:Pool
    db.pool.max    5                                         Db:Pool
    long           "(127 x)…  Long
    title          "Or\"ders\n"                              Title, label prod
    "#);
    assert!(!shown.contains("hunter2"));
}

#[test]
fn as_json() {
    let json = serde_json::to_value(tree()).unwrap();
    assert_eq!(json["db"]["password"], "[redacted]");
    assert_eq!(json["db"]["pool"]["idle"][1], "two");
    assert_eq!(json["title"], "Or\"ders\n");
    assert!(!json.to_string().contains("hunter2"));
}

#[test]
fn debug_shows_no_values() {
    let tree = tree();
    assert_eq!(
        format!("{tree:?}"),
        "Tree { store: \"contoso\", leaves: 6, .. }"
    );
    let node = format!("{:?}", tree.find("db"));
    for value in ["hunter2", "db.local", "two"] {
        assert!(!node.contains(value), "{node}");
    }
}
