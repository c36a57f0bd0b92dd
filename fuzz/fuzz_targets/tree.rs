//! From keys to a tree: the order of the settings means nothing, and plain keys give what a naive model gives.
#![no_main]

mod model;

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use config_azure::fuzzing::{Rules, assemble};
use config_azure::{ConfigurationSetting, Conflict, KeyCase};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Piece {
    A,
    B,
    Upper,
    Index(u8),
    Separator,
    Underscore,
    Dot,
    Other(char),
}

#[derive(Arbitrary, Debug)]
enum Body {
    Text(String),
    Json(Vec<JsonPiece>),
    RawJson(String),
}

#[derive(Arbitrary, Debug)]
enum JsonPiece {
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Name(Piece),
    Number(i8),
    Null,
    Comment,
}

#[derive(Arbitrary, Debug)]
struct Input {
    settings: Vec<(Vec<Piece>, Body)>,
    case: u8,
    conflict: u8,
    separators: u8,
    prefix: bool,
    keep_nulls: bool,
}

fuzz_target!(|input: Input| {
    let rules = rules(&input);
    let mut seen = BTreeSet::new();
    let mut settings: Vec<ConfigurationSetting> = input.settings.iter().map(setting).collect();
    // Of two settings with one key a load keeps one, before there is a tree.
    settings.retain(|setting| seen.insert(setting.key().to_owned()));

    let found = outcome(&settings, &rules);
    let is_plain = input
        .settings
        .iter()
        .all(|(_, body)| matches!(body, Body::Text(_)));
    if is_plain
        && rules.case == KeyCase::Preserve
        && rules.separators == [":"]
        && rules.prefixes.is_empty()
    {
        if let Some(expected) = model::assemble(&settings, rules.conflict) {
            assert_eq!(
                found.as_ref().map(|(tree, _)| tree).ok(),
                expected.as_ref(),
                "{settings:?}"
            );
        }
    }
    settings.reverse();
    assert_eq!(outcome(&settings, &rules), found);
    let middle = settings.len() / 2;
    settings.rotate_left(middle);
    assert_eq!(outcome(&settings, &rules), found);
});

fn rules(input: &Input) -> Rules {
    let separators: &[&str] = match input.separators % 4 {
        0 | 1 => &[":"],
        2 => &[":", "."],
        _ => &["__", ":"],
    };
    Rules {
        prefixes: if input.prefix {
            vec!["a:".to_owned(), "a".to_owned()]
        } else {
            Vec::new()
        },
        separators: separators.iter().map(|&text| text.to_owned()).collect(),
        case: [KeyCase::Snake, KeyCase::Lower, KeyCase::Preserve][usize::from(input.case % 3)],
        conflict: [Conflict::Error, Conflict::KeepBranch, Conflict::KeepLeaf]
            [usize::from(input.conflict % 3)],
        keep_nulls: input.keep_nulls,
    }
}

/// The tree and the warnings, or the error's text. Warnings have no order of their own.
fn outcome(
    settings: &[ConfigurationSetting],
    rules: &Rules,
) -> Result<(serde_json::Value, BTreeSet<String>), String> {
    match assemble(settings, rules) {
        Ok((tree, warnings)) => Ok((model::json_of(tree), warnings.into_iter().collect())),
        Err(error) => Err(error.to_string()),
    }
}

fn setting((key, body): &(Vec<Piece>, Body)) -> ConfigurationSetting {
    let key: String = key.iter().map(piece).collect();
    match body {
        Body::Text(text) => ConfigurationSetting::new(key, text.as_str()),
        Body::Json(pieces) => {
            let text: String = pieces.iter().map(json_piece).collect();
            ConfigurationSetting::new(key, text).with_content_type("application/json")
        }
        Body::RawJson(text) => {
            ConfigurationSetting::new(key, text.as_str()).with_content_type("application/json")
        }
    }
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::A => "a".to_owned(),
        Piece::B => "b".to_owned(),
        Piece::Upper => "Xy".to_owned(),
        Piece::Index(index) => (index % 4).to_string(),
        Piece::Separator => ":".to_owned(),
        Piece::Underscore => "_".to_owned(),
        Piece::Dot => ".".to_owned(),
        Piece::Other(other) => other.to_string(),
    }
}

fn json_piece(json: &JsonPiece) -> String {
    match json {
        JsonPiece::Open => "{".to_owned(),
        JsonPiece::Close => "}".to_owned(),
        JsonPiece::OpenList => "[".to_owned(),
        JsonPiece::CloseList => "]".to_owned(),
        JsonPiece::Comma => ",".to_owned(),
        JsonPiece::Name(name) => format!("{}:", serde_json::Value::from(piece(name))),
        JsonPiece::Number(number) => number.to_string(),
        JsonPiece::Null => "null".to_owned(),
        JsonPiece::Comment => "/* c */".to_owned(),
    }
}
