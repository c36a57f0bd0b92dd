//! The service's JSON (provider-spec 1.5), read straight into settings. Nothing else knows these names.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

use super::bounded::{AtMost, MOST_OF_A_PAGE, Tags, Weight};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, Object};
use crate::setting::{ConfigurationSetting, ETag, Label};

/// One page of a list.
pub(crate) struct ListPage {
    pub(crate) items: Vec<Arc<ConfigurationSetting>>,
    pub(crate) next_link: Option<String>,
    /// The page's ETag in the body, which the header repeats.
    pub(crate) etag: Option<ETag>,
}

/// Reads a page. `items` must be there: an empty object, an error in disguise or a cut text is not a page.
pub(crate) fn list_page(body: &[u8]) -> Result<ListPage> {
    let page: Page<'_> = json::object(body).map_err(|error| malformed(&error))?;
    let AtMost::All(items) = page.items else {
        let message = "a page of the store holds too many settings and tags";
        return Err(Error::new(ErrorKind::TooLarge, message).with_source(LongPage));
    };
    Ok(ListPage {
        items: items.into_iter().map(|Listed(item)| item).collect(),
        next_link: page.next_link,
        etag: page.etag.map(|text| ETag::new(&text.0)),
    })
}

/// Reads one setting.
pub(crate) fn setting(body: &[u8]) -> Result<ConfigurationSetting> {
    let item: Item<'_> = json::object(body).map_err(|error| malformed(&error))?;
    Ok(item.into())
}

/// What is known about a snapshot.
#[derive(Deserialize)]
pub(crate) struct SnapshotInfo {
    pub(crate) status: Box<str>,
    pub(crate) composition_type: Option<Box<str>>,
}

/// Reads what is known about a snapshot.
pub(crate) fn snapshot_info(body: &[u8]) -> Result<SnapshotInfo> {
    json::object(body).map_err(|error| malformed(&error))
}

/// The part of a problem document that is safe to repeat: the last word of its type.
pub(crate) fn problem_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
    }
    let problem: Problem<'_> = json::object(body).ok()?;
    problem.r#type.rsplit('/').next().map(str::to_owned)
}

/// serde's own text may repeat what it read, so only the place is told.
fn malformed(error: &serde_json::Error) -> Error {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Syntax => "is not JSON",
        _ => "is JSON of another shape",
    };
    Error::new(
        ErrorKind::Protocol,
        format!(
            "the answer is not a configuration: it {what} (line {}, column {})",
            error.line(),
            error.column()
        ),
    )
}

/// A page holds more than [`MOST_OF_A_PAGE`].
#[derive(Debug)]
struct LongPage;

impl fmt::Display for LongPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a page may hold {MOST_OF_A_PAGE} settings and tags")
    }
}

impl std::error::Error for LongPage {}

#[derive(Deserialize)]
struct Page<'a> {
    items: AtMost<Listed>,
    #[serde(rename = "@nextLink", default)]
    next_link: Option<String>,
    #[serde(borrow, default)]
    etag: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    key: Box<str>,
    #[serde(default)]
    label: Option<Box<str>>,
    #[serde(default)]
    value: Option<Box<str>>,
    #[serde(default)]
    content_type: Option<Box<str>>,
    #[serde(borrow, default)]
    etag: Option<Text<'a>>,
    #[serde(default)]
    tags: Tags,
    #[serde(default, deserialize_with = "bool_or_text")]
    locked: bool,
    #[serde(default)]
    last_modified: Option<Box<str>>,
}

impl From<Item<'_>> for ConfigurationSetting {
    fn from(item: Item<'_>) -> Self {
        Self {
            key: item.key,
            label: Label::from_store(item.label),
            value: item.value,
            content_type: item.content_type,
            etag: item.etag.map(|text| ETag::new(&text.0)).unwrap_or_default(),
            tags: item.tags.0,
            locked: item.locked,
            last_modified: item.last_modified,
        }
    }
}

/// A setting as it is kept, made at once, so that no second list of all of them ever stands beside it.
struct Listed(Arc<ConfigurationSetting>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(item) = Object::<Item<'_>>::deserialize(deserializer)?;
        Ok(Self(Arc::new(item.into())))
    }
}

impl Weight for Listed {
    fn weight(&self) -> usize {
        1 + self.0.tags.len()
    }
}

/// A text that is borrowed if it holds no escapes; serde's `Option<Cow>` never borrows.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// `locked` is documented once as a boolean and once as a text.
fn bool_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct BoolOrText;

    impl Visitor<'_> for BoolOrText {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a boolean")
        }

        fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<bool, E> {
            match value {
                _ if value.eq_ignore_ascii_case("true") => Ok(true),
                _ if value.eq_ignore_ascii_case("false") => Ok(false),
                _ => Err(E::custom("not a boolean")),
            }
        }

        fn visit_unit<E>(self) -> Result<bool, E> {
            Ok(false)
        }
    }

    deserializer
        .deserialize_any(BoolOrText)
        .map_err(|_| D::Error::custom("not a boolean"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_everything() {
        let body = br#"{"etag":"page","unknown":{"deep":[1,2,{"x":null}]},"items":[
            {"etag":"a1","key":"orders:db","label":"prod","content_type":"application/json","value":"{\"a\":1}",
             "tags":{"b":"2","a":"1","n":null},"locked":true,"last_modified":"2023-04-18T05:50:16+00:00","description":"x"},
            {"etag":"a2","key":"\u00fc","label":null,"content_type":null,"value":null,"tags":null,"locked":"false"},
            {"key":"bare"}],
            "@nextLink":"/kv?after=x"}"#;
        let page = list_page(body).unwrap();
        assert_eq!(page.next_link.as_deref(), Some("/kv?after=x"));
        assert_eq!(page.etag.unwrap().as_str(), "page");
        let [first, second, bare] = page.items.as_slice() else {
            panic!("three items")
        };
        assert_eq!(first.key(), "orders:db");
        assert_eq!(first.label().as_str(), Some("prod"));
        assert_eq!(first.value(), Some("{\"a\":1}"));
        assert_eq!(
            first.tags().collect::<Vec<_>>(),
            [("a", "1"), ("b", "2"), ("n", "")]
        );
        assert!(first.is_locked());
        assert_eq!(second.key(), "ü");
        assert_eq!(second.label().as_str(), None);
        assert_eq!(second.value(), None);
        assert!(!second.is_locked());
        assert_eq!(bare.etag().as_str(), "");
    }

    #[test]
    fn f17_what_is_not_a_page() {
        for body in [
            &b""[..],
            b"{}",
            b"null",
            b"[]",
            b"[[]]",
            br#"{"items":[["a"]]}"#,
            b"<html><body>maintenance</body></html>",
            br#"{"items":null}"#,
            br#"{"items":[{"label":"x"}]}"#,
            br#"{"items":[{"key":5}]}"#,
            br#"{"items":[],"items":[]}"#,
            br#"{"items":[]} trailing"#,
            br#"{"error":{"code":"hunter2"}}"#,
            b"\xef\xbb\xbf{\"items\":[]}",
            b"{\"items\":[{\"key\":\"\xff\"}]}",
            br#"{"items":[{"key":"\ud800"}]}"#,
            br#"{"items":[{"key":"a","locked":"hunter2"}]}"#,
        ] {
            let error = list_page(body).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(!format!("{error:?}").contains("hunter2"), "{error}");
        }
    }

    /// The same prefix cut at every byte: never a page.
    #[test]
    fn f61_cut_at_every_byte() {
        let body =
            br#"{"items":[{"key":"a","value":"1","tags":{"x":"y"}}],"@nextLink":"/kv?after=x"}"#;
        for length in 0..body.len() {
            assert!(list_page(&body[..length]).is_err(), "{length}");
        }
        assert!(list_page(body).is_ok());
    }

    #[test]
    fn t11_depth_is_bounded() {
        let mut body = br#"{"items":[],"x":"#.to_vec();
        body.extend(std::iter::repeat_n(b'[', 1_000_000));
        assert!(list_page(&body).is_err());
    }

    #[test]
    fn f69_absurd_json() {
        let wide: String = (0..100_000).map(|at| format!("\"k{at}\":0,")).collect();
        let number = "9".repeat(10_000_000);
        for (body, fine) in [
            (format!("{{{wide}\"items\":[]}}"), true),
            (format!("{{\"x\":{number},\"items\":[]}}"), true),
            (format!("{{\"items\":[{{\"key\":{number}}}]}}"), false),
            (r#"{"items":[{"key":"a","key":"b"}]}"#.to_owned(), false),
            (
                format!(
                    "{{\"items\":{}1{}}}",
                    "[".repeat(100_000),
                    "]".repeat(100_000)
                ),
                false,
            ),
            ("{\"items\":[{\"key\":\"\\ud83d\"}]}".to_owned(), false),
        ] {
            assert_eq!(list_page(body.as_bytes()).is_ok(), fine, "{:.60}", body);
        }
    }

    #[test]
    fn t10_a_page_holds_so_many_settings_and_tags() {
        let page = |items: &str| list_page(format!("{{\"items\":[{items}]}}").as_bytes());
        let bare = |count: usize| vec![r#"{"key":"a"}"#; count].join(",");
        let tagged = |count: usize| {
            let tags: Vec<String> = (0..count).map(|at| format!("\"{at}\":null")).collect();
            format!("{{\"key\":\"a\",\"tags\":{{{}}}}}", tags.join(","))
        };
        assert_eq!(
            page(&bare(MOST_OF_A_PAGE)).unwrap().items.len(),
            MOST_OF_A_PAGE
        );
        let error = page(&bare(MOST_OF_A_PAGE + 1)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        // A setting with its tags counts as so many.
        let thousand = tagged(999);
        assert!(page(&vec![&*thousand; 50].join(",")).is_ok());
        let error = page(&vec![&*thousand; 51].join(",")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(
            page(&tagged(10_000)).unwrap().items[0].tags().count(),
            10_000
        );
        let error = page(&tagged(10_001)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        // What is too long and not whole is not a page at all.
        let cut = format!("{{\"items\":[{}", bare(MOST_OF_A_PAGE + 2));
        let error = list_page(cut.as_bytes()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }

    #[test]
    fn problem_codes() {
        let body =
            br#"{"type":"https://azconfig.io/errors/too-many-requests","title":"secret value"}"#;
        assert_eq!(problem_code(body).as_deref(), Some("too-many-requests"));
        assert_eq!(problem_code(b"<html>"), None);
    }
}
