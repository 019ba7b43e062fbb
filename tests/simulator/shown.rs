//! A call as Twilio's REST API shows it.

use crate::clock::rfc2822;
use crate::record::Record;
use serde_json::{Value, json};

/// A call as Twilio shows it.
pub(crate) fn shown(record: &Record) -> Value {
    let uri = format!(
        "/2010-04-01/Accounts/{}/Calls/{}",
        record.account_sid, record.sid
    );
    let subresources: serde_json::Map<String, Value> = [
        ("notifications", "Notifications"),
        ("recordings", "Recordings"),
        ("payments", "Payments"),
        ("events", "Events"),
        ("siprec", "Siprec"),
        ("streams", "Streams"),
        ("transcriptions", "Transcriptions"),
        (
            "user_defined_message_subscriptions",
            "UserDefinedMessageSubscriptions",
        ),
        ("user_defined_messages", "UserDefinedMessages"),
    ]
    .into_iter()
    .map(|(name, file)| (name.to_owned(), format!("{uri}/{file}.json").into()))
    .collect();
    let updated = record
        .ended_at_ms
        .or(record.answered_at_ms)
        .or(record.ringing_at_ms);
    json!({
        "account_sid": record.account_sid,
        "annotation": null,
        "answered_by": record.answered_by,
        "api_version": "2010-04-01",
        "caller_name": null,
        "date_created": rfc2822(record.created_at_ms),
        "date_updated": rfc2822(updated.unwrap_or(record.created_at_ms)),
        "direction": "outbound-api",
        "duration": record.duration_s.map(|seconds| seconds.to_string()),
        "end_time": record.ended_at_ms.map(rfc2822),
        "forwarded_from": null,
        "from": record.from,
        "from_formatted": formatted(&record.from),
        "group_sid": null,
        "parent_call_sid": null,
        "phone_number_sid": null,
        "price": null,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": record.sid,
        "start_time": record.answered_at_ms.or(record.ringing_at_ms).map(rfc2822),
        "status": record.status,
        "subresource_uris": subresources,
        "to": record.to,
        "to_formatted": formatted(&record.to),
        "trunk_sid": null,
        "uri": format!("{uri}.json"),
    })
}

/// North American numbers as people write them, others as they are.
fn formatted(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(local) if local.len() == 10 && local.is_ascii() => {
            format!("({}) {}-{}", &local[..3], &local[3..6], &local[6..])
        }
        _ => number.to_owned(),
    }
}
