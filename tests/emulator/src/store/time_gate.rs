//! Reading the past: `Accept-Datetime` and `Memento-Datetime`.

use bytes::Bytes;
use http::{HeaderValue, Response};
use time::{Duration, OffsetDateTime};

use super::call::Call;
use super::page::add_link;
use super::problem::Problem;
use crate::http_date;

/// The moment in the past that a request asks for; none for the present or the future.
pub(crate) fn asked(call: &Call<'_>) -> Result<Option<OffsetDateTime>, Problem> {
    let Some(text) = call.headers.get("accept-datetime") else {
        return Ok(None);
    };
    let date = text.to_str().ok().and_then(http_date::parse);
    let date = date.ok_or_else(|| {
        Problem::invalid_argument("Accept-Datetime", "Accept-Datetime: not a date")
    })?;
    Ok(Some(date).filter(|date| *date < call.now))
}

/// The end of the second that `date` names: what was written within it is part of the answer.
pub(crate) fn end_of(date: OffsetDateTime) -> OffsetDateTime {
    let second = date.replace_nanosecond(0).unwrap_or(date);
    second + Duration::SECOND - Duration::NANOSECOND
}

/// Says in `response` that it shows the past, and where the present is.
pub(crate) fn mark(call: &Call<'_>, date: OffsetDateTime, response: &mut Response<Bytes>) {
    let memento = HeaderValue::try_from(http_date::format(date)).expect("a date is plain ASCII");
    response.headers_mut().insert("memento-datetime", memento);
    add_link(response, &call.query.original(call.path), "original");
}
