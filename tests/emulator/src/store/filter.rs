//! The filter grammar of `key`, `label` and `name`, and the one of `tags`.

use super::problem::Problem;
use super::setting::Setting;

const NULL: &str = "\0";
const MOST_VALUES: usize = 5;
const MOST_TAGS: usize = 5;

/// A filter on a text that may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Any,
    /// One of these; null is `None`.
    OneOf(Vec<Option<String>>),
    Prefix(String),
}

impl Filter {
    /// Reads the value of the query parameter `name`.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        if text.is_empty() || text.starts_with('*') {
            return Ok(Self::Any);
        }
        if text == NULL {
            return Ok(Self::OneOf(vec![None]));
        }
        let chars = unescape(text);
        if chars.iter().any(|c| c.reserved(',')) {
            return list(name, &chars);
        }
        match chars.split_last() {
            Some((last, start)) if last.reserved('*') => literal(name, start).map(Self::Prefix),
            _ => literal(name, &chars).map(|text| Self::OneOf(vec![Some(text)])),
        }
    }

    pub(crate) fn matches(&self, text: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(values) => values.iter().any(|value| value.as_deref() == text),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
        }
    }

    /// The smallest text that can match and whether a larger one can be past all matches, for ordered search.
    pub(crate) fn start(&self) -> Option<&str> {
        match self {
            Self::Prefix(prefix) => Some(prefix),
            Self::OneOf(values) if values.len() == 1 => values[0].as_deref(),
            _ => None,
        }
    }

    /// Whether nothing from `text` on, in order, can match; `text` lies at or after [`start`](Self::start).
    pub(crate) fn ended(&self, text: &str) -> bool {
        self.start().is_some_and(|start| !text.starts_with(start))
    }
}

/// A character of a filter and whether a backslash stood before it.
#[derive(Clone, Copy)]
struct Char {
    value: char,
    escaped: bool,
    position: usize,
}

impl Char {
    fn reserved(&self, value: char) -> bool {
        self.value == value && !self.escaped
    }
}

/// Resolves backslashes. A lone one at the end is dropped, as the service does.
fn unescape(text: &str) -> Vec<Char> {
    let mut chars = Vec::with_capacity(text.len());
    let mut escaped = false;
    for (position, value) in text.chars().enumerate() {
        if value == '\\' && !escaped {
            escaped = true;
            continue;
        }
        chars.push(Char {
            value,
            escaped,
            position,
        });
        escaped = false;
    }
    chars
}

fn literal(name: &str, chars: &[Char]) -> Result<String, Problem> {
    let misplaced = chars.iter().find(|c| c.reserved('*') || c.reserved(','));
    match misplaced {
        Some(c) => Err(Problem::invalid_character(name, c.position)),
        None => Ok(text_of(chars)),
    }
}

fn text_of(chars: &[Char]) -> String {
    chars.iter().map(|c| c.value).collect()
}

fn list(name: &str, chars: &[Char]) -> Result<Filter, Problem> {
    let mut values = Vec::new();
    for part in chars.split(|c| c.reserved(',')) {
        let text = literal(name, part)?;
        values.push(Some(text).filter(|text| text != NULL));
    }
    if values.len() > MOST_VALUES {
        let detail = format!("{name}: at most {MOST_VALUES} values are supported");
        return Err(Problem::invalid_argument(name, &detail));
    }
    Ok(Filter::OneOf(values))
}

/// Tags that a setting must have, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagFilters(Vec<(String, Option<String>)>);

impl TagFilters {
    pub(crate) fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        let filters = texts
            .filter(|text| !text.trim().is_empty())
            .map(tag)
            .collect::<Result<Vec<_>, _>>()?;
        if filters.len() > MOST_TAGS {
            let detail = format!("tags: at most {MOST_TAGS} filters are supported");
            return Err(Problem::invalid_argument("tags", &detail));
        }
        Ok(Self(filters))
    }

    pub(crate) fn matches(&self, setting: &Setting) -> bool {
        let has = |(name, value): &(String, _)| setting.tags.get(name) == Some(value);
        self.0.iter().all(has)
    }
}

fn tag(text: &str) -> Result<(String, Option<String>), Problem> {
    let chars = unescape(text);
    let parts: Vec<_> = chars.split(|c| c.reserved('=')).map(text_of).collect();
    match <[String; 2]>::try_from(parts) {
        Ok([name, value]) if !name.trim().is_empty() && name != NULL => {
            Ok((name, Some(value).filter(|value| value != NULL)))
        }
        _ => Err(Problem::invalid_argument(
            "tags",
            "tags: a filter has the form name=value",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Filter {
        Filter::OneOf(vec![Some(text.to_owned())])
    }

    #[test]
    fn the_grammar_table() {
        let of = |values: &[Option<&str>]| {
            Filter::OneOf(values.iter().map(|v| v.map(str::to_owned)).collect())
        };
        let prefix = |text: &str| Filter::Prefix(text.to_owned());
        let table = [
            ("", Filter::Any),
            ("*", Filter::Any),
            ("*abc", Filter::Any),
            ("\0", of(&[None])),
            ("abc", one("abc")),
            ("abc*", prefix("abc")),
            (r"abc\*", one("abc*")),
            (r"abc\\*", prefix(r"abc\")),
            (r"abc\", one("abc")),
            (r"\a\b", one("ab")),
            (r"\*", one("*")),
            (r"\**", prefix("*")),
            ("a,b", of(&[Some("a"), Some("b")])),
            (r"a\,b", one("a,b")),
            (r"a\,b,c", of(&[Some("a,b"), Some("c")])),
            ("a,\0", of(&[Some("a"), None])),
            ("a,", of(&[Some("a"), Some("")])),
            (r"a\*,b", of(&[Some("a*"), Some("b")])),
            ("a,b,c,d,e", of(&["a", "b", "c", "d", "e"].map(Some))),
        ];
        for (text, expected) in table {
            let filter = Filter::parse("key", text).ok();
            assert_eq!(filter, Some(expected), "{text:?}");
        }
    }

    #[test]
    fn misplaced_characters_are_refused_with_their_position() {
        for (text, position) in [("a*b", 1), ("a*,b", 1), ("a,b*", 3), (r"\a*b*", 2)] {
            let problem = Filter::parse("key", text).expect_err(text);
            let body = String::from_utf8(problem.into_response().into_body().to_vec());
            let body = body.expect("a problem is text");
            assert!(
                body.contains(&format!("\"pos\":{position}")),
                "{text}: {body}"
            );
            assert!(body.contains("Invalid character"), "{body}");
        }
        assert!(Filter::parse("key", "a,b,c,d,e,f").is_err());
    }

    #[test]
    fn tag_filters_need_one_equals_sign_and_a_name() {
        let parse = |text: &str| TagFilters::parse([text].into_iter()).map_err(drop);
        let tags = |name: &str, value: Option<&str>| {
            Ok(TagFilters(vec![(
                name.to_owned(),
                value.map(str::to_owned),
            )]))
        };
        assert_eq!(parse("a=b"), tags("a", Some("b")));
        assert_eq!(parse("a="), tags("a", Some("")));
        assert_eq!(parse("a=\0"), tags("a", None));
        assert_eq!(parse(r"a\=b=c"), tags("a=b", Some("c")));
        assert_eq!(parse("  "), Ok(TagFilters::default()));
        for bad in ["a", "=b", " =b", "a=b=c", "\0=b"] {
            assert_eq!(parse(bad), Err(()), "{bad:?}");
        }
        assert!(TagFilters::parse(["a=b"; 5].into_iter()).is_ok());
        assert!(TagFilters::parse(["a=b"; 6].into_iter()).is_err());
    }
}
