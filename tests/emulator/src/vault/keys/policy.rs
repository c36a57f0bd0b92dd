//! Rotation policies. They are kept and used by `rotate`; the emulator never rotates by itself.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Date, Duration, Month, OffsetDateTime};

use super::{Key, Keys};
use crate::vault::call::Call;
use crate::vault::collection;
use crate::vault::reply::{Problem, Reply};

/// What a client has put.
pub(super) struct RotationPolicy {
    actions: Vec<LifetimeAction>,
    expiry_time: Option<Period>,
    /// As the client wrote it.
    expiry_text: Option<String>,
    created: OffsetDateTime,
    updated: OffsetDateTime,
}

/// `P2Y`, `P18M`, `P90D` and their combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    months: i32,
    days: i64,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "lifetimeActions", default)]
    actions: Vec<LifetimeAction>,
    #[serde(default)]
    attributes: BodyAttributes,
}

#[derive(Default, Deserialize)]
struct BodyAttributes {
    #[serde(rename = "expiryTime")]
    expiry_time: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct LifetimeAction {
    trigger: Trigger,
    action: Action,
}

#[derive(Deserialize, Serialize)]
struct Trigger {
    #[serde(rename = "timeAfterCreate", skip_serializing_if = "Option::is_none")]
    after_create: Option<String>,
    #[serde(rename = "timeBeforeExpiry", skip_serializing_if = "Option::is_none")]
    before_expiry: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
}

impl RotationPolicy {
    /// When a version that is made now expires.
    pub(super) fn expiry(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.expiry_time?.after(now)
    }

    fn to_json(&self, id: &str) -> Value {
        json!({
            "id": id,
            "lifetimeActions": self.actions,
            "attributes": {
                "expiryTime": self.expiry_text,
                "created": self.created.unix_timestamp(),
                "updated": self.updated.unix_timestamp(),
            },
        })
    }
}

/// `GET /keys/{name}/rotationpolicy`; without a policy the service's default: notify 30 days before expiry.
pub(super) fn get(keys: &Keys, name: &str, call: &Call<'_>) -> Result<Reply, Problem> {
    let id = id(keys, name, call)?;
    let stored = keys.policies.get(&name.to_ascii_lowercase());
    Ok(Reply::Json(stored.map_or_else(
        || {
            json!({
                "id": id,
                "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
                "attributes": {"expiryTime": null},
            })
        },
        |policy| policy.to_json(&id),
    )))
}

/// `PUT /keys/{name}/rotationpolicy`.
pub(super) fn set(keys: &mut Keys, name: &str, call: &Call<'_>) -> Result<Reply, Problem> {
    let id = id(keys, name, call)?;
    let body: Body = call.json()?;
    for LifetimeAction { trigger, action } in &body.actions {
        let known = ["rotate", "notify"].contains(&action.kind.to_ascii_lowercase().as_str());
        let times = [&trigger.after_create, &trigger.before_expiry];
        if !known
            || times
                .into_iter()
                .flatten()
                .any(|time| Period::parse(time).is_none())
        {
            return Err(Problem::bad_parameter("A lifetime action is invalid."));
        }
    }
    let text = body.attributes.expiry_time;
    let expiry_time = match &text {
        Some(text) => Some(
            Period::parse(text)
                .ok_or_else(|| Problem::bad_parameter(format!("Invalid expiryTime: {text}.")))?,
        ),
        None => None,
    };
    let key = name.to_ascii_lowercase();
    let created = keys
        .policies
        .get(&key)
        .map_or(call.now, |policy| policy.created);
    let policy = RotationPolicy {
        actions: body.actions,
        expiry_time,
        expiry_text: text,
        created,
        updated: call.now,
    };
    let json = policy.to_json(&id);
    keys.policies.insert(key, policy);
    Ok(Reply::Json(json))
}

fn id(keys: &Keys, name: &str, call: &Call<'_>) -> Result<String, Problem> {
    let object = keys.shelf.object(name);
    let object = object.ok_or_else(|| collection::not_found::<Key>(name, None))?;
    Ok(format!("{}/keys/{}/rotationpolicy", call.base, object.name))
}

impl Period {
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
        let mut period = Self { months: 0, days: 0 };
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: u16 = rest[..end].parse().ok()?;
            match rest.as_bytes()[end] {
                b'Y' => period.months += i32::from(number) * 12,
                b'M' => period.months += i32::from(number),
                b'W' => period.days += i64::from(number) * 7,
                b'D' => period.days += i64::from(number),
                _ => return None,
            }
            rest = &rest[end + 1..];
        }
        Some(period)
    }

    /// By the calendar: a month after 31 January is the last day of February.
    fn after(self, start: OffsetDateTime) -> Option<OffsetDateTime> {
        let months = i32::from(u8::from(start.month())) - 1 + self.months;
        let year = start.year() + months.div_euclid(12);
        let month = Month::try_from(u8::try_from(months.rem_euclid(12)).ok()? + 1).ok()?;
        let day = start.day().min(month.length(year));
        let date = Date::from_calendar_date(year, month, day).ok()?;
        start
            .replace_date(date)
            .checked_add(Duration::days(self.days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn periods_follow_the_calendar() {
        let start = datetime!(2026-01-31 12:00:00 UTC);
        let cases = [
            ("P30D", datetime!(2026-03-02 12:00:00 UTC)),
            ("P1M", datetime!(2026-02-28 12:00:00 UTC)),
            ("P2Y", datetime!(2028-01-31 12:00:00 UTC)),
            ("P1Y11M", datetime!(2027-12-31 12:00:00 UTC)),
            ("P2W", datetime!(2026-02-14 12:00:00 UTC)),
        ];
        for (text, expected) in cases {
            let period = Period::parse(text).expect(text);
            assert_eq!(period.after(start), Some(expected), "{text}");
        }
        for text in ["", "P", "30D", "P30", "PT1H", "P-1D", "P1X"] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
