use super::*;

fn shape(conflict: Conflict) -> Shape {
    Shape {
        conflict,
        ..Shape::default()
    }
}

fn warnings(given: &[Given], shape: &Shape) -> Vec<String> {
    let (_, warnings) = try_grow(given, shape).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn keys_nest() {
    let tree = grow(&[
        text("Db:Port", "5432"),
        text("Db:Host", "db"),
        text("Title", "Orders"),
        json(
            "Db:Pool",
            r#"{"max": 5, "idle": [1, true, null, 1.5], "none": null}"#,
        ),
        secret("Db:Password", "hunter2"),
    ]);
    assert_eq!(
        shown(&tree),
        r#"{"db":{"host":"db","password":"[redacted]","pool":{"idle":[1,true,null,1.5],"max":5},"port":"5432"},"title":"Orders"}"#
    );
    assert_eq!(tree.leaves(), 6);
}

#[test]
fn a_json_object_and_keys_below_it_join() {
    let tree = grow(&[
        json("db", r#"{"host": "a", "pool": {"max": 1}}"#),
        text("db:port", "1"),
        text("db:pool:min", "0"),
        text("Db:Pool:Idle", "2"),
    ]);
    assert_eq!(
        shown(&tree),
        r#"{"db":{"host":"a","pool":{"idle":"2","max":1,"min":"0"},"port":"1"}}"#
    );
}

#[test]
fn contiguous_indices_are_a_list() {
    let hosts: Vec<_> = (0..12)
        .map(|i| text(&format!("hosts:{i}"), &format!("h{i}")))
        .collect();
    assert_eq!(
        shown(&grow(&hosts)),
        r#"{"hosts":["h0","h1","h2","h3","h4","h5","h6","h7","h8","h9","h10","h11"]}"#
    );
    for (keys, expected) in [
        (["a:0:x", "a:1:x"], r#"{"a":[{"x":""},{"x":""}]}"#),
        (["a:1", "a:2"], r#"{"a":{"1":"","2":""}}"#),
        (["a:0", "a:2"], r#"{"a":{"0":"","2":""}}"#),
        (["a:0", "a:01"], r#"{"a":{"0":"","01":""}}"#),
        (["a:0", "a:x"], r#"{"a":{"0":"","x":""}}"#),
        (["0", "1"], r#"{"0":"","1":""}"#),
        (
            ["a:0", "a:18446744073709551616"],
            r#"{"a":{"0":"","18446744073709551616":""}}"#,
        ),
    ] {
        let given = keys.map(|key| text(key, ""));
        assert_eq!(shown(&grow(&given)), expected);
    }
}

#[test]
fn a_value_and_a_table_on_one_path() {
    let given = [
        text("Logging:LogLevel", "Warning"),
        text("Logging:LogLevel:Default", "Information"),
        text("Logging:LogLevel:System", "Error"),
    ];
    let error = try_grow(&given, &shape(Conflict::Error)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "logging.log_level: claimed as a value by key 'Logging:LogLevel', no label and as a table by key \
         'Logging:LogLevel:Default', no label; rename one, narrow the selectors or choose on_conflict"
    );
    assert_eq!(error.key(), Some("Logging:LogLevel"));
    let (tree, warnings) = try_grow(&given, &shape(Conflict::KeepBranch)).unwrap();
    assert_eq!(
        shown(&tree),
        r#"{"logging":{"log_level":{"default":"Information","system":"Error"}}}"#
    );
    assert_eq!(
        warnings[0].to_string(),
        "key 'Logging:LogLevel': left out in favour of key 'Logging:LogLevel:Default', no label"
    );
    let (tree, warnings) = try_grow(&given, &shape(Conflict::KeepLeaf)).unwrap();
    assert_eq!(shown(&tree), r#"{"logging":{"log_level":"Warning"}}"#);
    assert_eq!(warnings.len(), 2);
}

#[test]
fn two_values_on_one_path_are_an_error_that_names_both() {
    let labelled = |key: &str, label: &str| {
        Given::of(ConfigurationSetting::new(key, "hunter2").with_label(label))
    };
    let given = [labelled("Db:Host", "prod"), text("db:host", "hunter2")];
    for conflict in [Conflict::Error, Conflict::KeepBranch, Conflict::KeepLeaf] {
        let error = try_grow(&given, &shape(conflict)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "db.host: claimed both by key 'Db:Host', label 'prod' and by key 'db:host', no label; rename one or \
             narrow the selectors"
        );
        assert_eq!(error.label(), Some("prod"));
    }
}

#[test]
fn a_list_shares_its_path_with_nothing() {
    let given = [json("hosts", "[1]"), text("hosts:0", "x")];
    assert!(try_grow(&given, &Shape::default()).is_err());
    let (tree, _) = try_grow(&given, &shape(Conflict::KeepLeaf)).unwrap();
    assert_eq!(shown(&tree), r#"{"hosts":[1]}"#);
    let (tree, _) = try_grow(&given, &shape(Conflict::KeepBranch)).unwrap();
    assert_eq!(shown(&tree), r#"{"hosts":["x"]}"#);
}

#[test]
fn odd_settings_are_left_out_and_reported() {
    let given = [
        text("a::b", "hunter2"),
        text("ok", "1"),
        json("json", "{hunter2"),
        json("blank", " "),
        json("twice", r#"{"a": 1, "b": 2, "a": 3}"#),
        Given::of(ConfigurationSetting::new("ref", "{}").with_content_type(
            "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8",
        )),
    ];
    assert_eq!(
        shown(&grow(&given)),
        r#"{"blank":" ","json":"{hunter2","ok":"1","twice":{"a":3,"b":2}}"#
    );
    assert_eq!(
        warnings(&given, &Shape::default()),
        [
            "key 'a::b': left out, because a name in it is empty",
            "key 'json': kept as text, because its content type says JSON and its value is not",
            "key 'twice': two members of its JSON are called 'a'; the later one counts",
            "key 'ref': left out, because it was not resolved",
        ]
    );
}

#[test]
fn nulls() {
    let none = |key: &str| {
        let mut setting = ConfigurationSetting::new(key, "");
        setting.value = None;
        Given::of(setting)
    };
    let given = [
        none("a"),
        text("a:b", "1"),
        json("c", "null"),
        json("d", r#"{"e": null}"#),
    ];
    assert_eq!(shown(&grow(&given)), r#"{"a":{"b":"1"},"d":{}}"#);
    let keep = Shape {
        nulls: Nulls::Keep,
        ..Shape::default()
    };
    let (tree, _) = try_grow(&given[1..], &keep).unwrap();
    assert_eq!(shown(&tree), r#"{"a":{"b":"1"},"c":null,"d":{"e":null}}"#);
}

#[test]
fn a_secret_is_text_unless_asked() {
    let given = secret("db", r#"{"password": "hunter2", "port": 1}"#);
    assert_eq!(
        shown(&grow(std::slice::from_ref(&given))),
        r#"{"db":"[redacted]"}"#
    );
    let mut entry = given.entry();
    if let Content::Secret { parse_json, .. } = &mut entry.content {
        *parse_json = true;
    }
    let (tree, _) = assemble("contoso", [entry], &[], &Shape::default()).unwrap();
    assert_eq!(
        shown(&tree),
        r#"{"db":{"password":"[redacted]","port":"[redacted]"}}"#
    );
}

#[test]
fn the_hook_has_the_last_word() {
    let shape = Shape {
        map_key: Some(Arc::new(|setting: &ConfigurationSetting| {
            let path = setting.tag("path")?;
            path.parse().ok()
        })),
        ..Shape::default()
    };
    let tagged = Given::of(ConfigurationSetting::new("x", "1").with_tag("path", "Db.Host"));
    let (tree, warnings) = try_grow(&[tagged, text("y", "2")], &shape).unwrap();
    assert_eq!(shown(&tree), r#"{"Db":{"Host":"1"}}"#);
    assert!(warnings.is_empty());
}

#[test]
fn flags_keep_their_order_and_their_names() {
    let flags = [
        json(
            "b",
            r#"{"id": "Beta", "conditions": {"clientFilters": [null]}}"#,
        ),
        json("a", r#"{"id": "Alpha", "enabled": true}"#),
    ];
    let values: Vec<serde_json::Value> = flags
        .iter()
        .map(|flag| serde_json::from_str(flag.selected.setting.value().unwrap()).unwrap())
        .collect();
    let flags: Vec<Flag<'_>> = flags
        .iter()
        .zip(&values)
        .map(|(flag, json)| Flag {
            selected: &flag.selected,
            json,
        })
        .collect();
    let given = [text("FeatureManagement:Old", "true")];
    let entries = given.iter().map(Given::entry);
    let (tree, _) = assemble("contoso", entries, &flags, &Shape::default()).unwrap();
    assert_eq!(
        shown(&tree),
        r#"{"feature_management":{"feature_flags":[{"conditions":{"clientFilters":[null]},"id":"Beta"},{"enabled":true,"id":"Alpha"}],"old":"true"}}"#
    );
}

/// So numbers come if any crate of the application turns on `arbitrary_precision` of serde_json.
#[test]
fn numbers_of_arbitrary_precision() {
    let number = |digits: &str| format!(r#"{{"$serde_json::private::Number": "{digits}"}}"#);
    let list: Vec<String> = ["1", "-1.5", "18446744073709551615", "1e3"]
        .map(number)
        .into();
    let tree = grow(&[json("a", &format!("[{}]", list.join(",")))]);
    assert_eq!(
        shown(&tree),
        r#"{"a":[1,-1.5,18446744073709551615,1000.0]}"#
    );

    // Without that feature this is not JSON, either.
    let given = [json("a", &number("1e999"))];
    let expected = "key 'a': kept as text, because its content type says JSON and its value is not";
    assert_eq!(warnings(&given, &Shape::default()), [expected]);
}
