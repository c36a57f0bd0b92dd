//! Dates in headers.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const RFC1123: &[BorrowedFormatItem<'static>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const PLAIN: &[BorrowedFormatItem<'static>] = format_description!(
    "[year]-[month]-[day][optional [T]][optional [ ]][hour]:[minute]:[second][optional [.[subsecond]]][optional [Z]]"
);
/// As the official Python client writes it, and the Azure CLI, without fractions.
const PYTHON: &[BorrowedFormatItem<'static>] = format_description!(
    "[month repr:short], [day] [year] [hour]:[minute]:[second][optional [.[subsecond]]] GMT"
);

/// `Tue, 18 Apr 2023 05:50:16 GMT`.
pub(crate) fn format(date: OffsetDateTime) -> String {
    let utc = date.to_offset(time::UtcOffset::UTC);
    utc.format(RFC1123).expect("every date can be formatted")
}

/// Reads a date as leniently as the service: RFC 1123, the ISO form with fractions that some clients send, or the
/// form that the Python client and the Azure CLI sign.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    time::PrimitiveDateTime::parse(text, RFC1123)
        .or_else(|_| time::PrimitiveDateTime::parse(text, PLAIN))
        .or_else(|_| time::PrimitiveDateTime::parse(text, PYTHON))
        .ok()
        .map(time::PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn every_form_is_read() {
        let date = datetime!(2019-11-14 09:47:43 UTC);
        assert_eq!(format(date), "Thu, 14 Nov 2019 09:47:43 GMT");
        assert_eq!(parse("Thu, 14 Nov 2019 09:47:43 GMT"), Some(date));
        let precise = date + time::Duration::microseconds(724_895);
        assert_eq!(parse("2019-11-14 09:47:43.724895"), Some(precise));
        assert_eq!(parse("Nov, 14 2019 09:47:43.724895 GMT"), Some(precise));
        assert_eq!(parse("2019-11-14T09:47:43Z"), Some(date));
        assert_eq!(parse("Nov, 14 2019 09:47:43 GMT"), Some(date));
        assert_eq!(parse("yesterday"), None);
    }
}
