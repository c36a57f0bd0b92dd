//! The part of the service's filter grammar that the library sends.

/// A filter on keys or labels: alternatives, of which the last may end in a wildcard.
pub(super) struct Filter(Vec<Pattern>);

enum Pattern {
    /// No label at all.
    Null,
    Exact(String),
    Prefix(String),
}

impl Filter {
    /// Reads `a,b`, `a*`, `*` and `\0`, with `\` before a character that stands for itself.
    pub(super) fn parse(text: &str) -> Self {
        let mut patterns = Vec::new();
        let mut literal = String::new();
        let mut wildcard = false;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => literal.extend(chars.next()),
                '*' => wildcard = true,
                ',' => patterns.push(Pattern::new(
                    std::mem::take(&mut literal),
                    std::mem::take(&mut wildcard),
                )),
                c => literal.push(c),
            }
        }
        patterns.push(Pattern::new(literal, wildcard));
        Self(patterns)
    }

    pub(super) fn admits(&self, text: Option<&str>) -> bool {
        self.0.iter().any(|pattern| match (pattern, text) {
            (Pattern::Null, None) => true,
            (Pattern::Exact(own), Some(text)) => own == text,
            (Pattern::Prefix(own), text) => text.unwrap_or_default().starts_with(own.as_str()),
            _ => false,
        })
    }
}

impl Pattern {
    fn new(literal: String, wildcard: bool) -> Self {
        match literal.as_str() {
            _ if wildcard => Self::Prefix(literal),
            "" | "\0" => Self::Null,
            _ => Self::Exact(literal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn the_grammar() {
        let admits = |filter: &str, text| Filter::parse(filter).admits(text);
        assert!(admits("*", Some("a")) && admits("*", None));
        assert!(admits("a*", Some("ab")) && !admits("a*", Some("b")) && !admits("a*", None));
        assert!(admits("a,b", Some("b")) && !admits("a,b", Some("a,b")));
        assert!(admits(r"a\,b", Some("a,b")) && admits(r"a\*", Some("a*")));
        assert!(!admits(r"a\*", Some("ab")) && admits(r"a\\", Some(r"a\")));
        assert!(admits("\0", None) && !admits("\0", Some("prod")));
        assert!(admits("prod", Some("prod")) && !admits("prod", None));
    }
}
