//! Call recordings: made when the create asked for one, told by callback, served as WAV.

use crate::call::Call;
use crate::callbacks::post_aside;
use crate::clock::rfc2822;
use crate::record::Record;
use crate::refusal::{Refusal, not_found};
use crate::rest::{authorized, find};
use crate::server::App;
use crate::speech::{decode, encode, write_wav};
use crate::twilio::Twilio;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long after the call its recording is ready.
const PROCESSING: Duration = Duration::from_secs(1);

/// Tells that a recording is ready, if there is one and it was asked to be told.
pub(crate) async fn tell(twilio: &Arc<Twilio>, call: &Arc<Call>) {
    let Some(order) = &call.order.recording else {
        return;
    };
    let (sid, seconds) = {
        let record = call.record();
        (record.recording_sid.clone(), seconds(&record))
    };
    let status = if sid.is_some() { "completed" } else { "absent" };
    let Some(hook) = order
        .callback
        .clone()
        .filter(|_| order.events.contains(status))
    else {
        return;
    };
    tokio::time::sleep(PROCESSING).await;
    let mut fields = vec![
        ("AccountSid", call.account.sid.clone()),
        ("CallSid", call.sid.clone()),
        ("RecordingStatus", status.to_owned()),
        ("RecordingChannels", channels(order.dual).to_string()),
        ("RecordingSource", "OutboundAPI".to_owned()),
        ("RecordingTrack", "both".to_owned()),
        ("ErrorCode", "0".to_owned()),
    ];
    if let Some(sid) = sid {
        let url = format!(
            "{}/2010-04-01/Accounts/{}/Recordings/{sid}",
            twilio.base_url, call.account.sid
        );
        fields.extend([
            ("RecordingUrl", url),
            ("RecordingSid", sid),
            ("RecordingDuration", seconds.to_string()),
        ]);
    }
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    post_aside(twilio, call, hook, "recording", status, fields);
}

/// `GET Accounts/{account}/Calls/{sid}/Recordings.json`
pub(crate) async fn list(
    State(app): State<App>,
    Path((account, sid)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    authorized(&app, &account, &headers)?;
    let call = find(&app, &account, &sid, &uri)?;
    let record = call.record();
    let dual = call
        .order
        .recording
        .as_ref()
        .is_some_and(|order| order.dual);
    let recordings: Vec<Value> = record
        .recording_sid
        .iter()
        .map(|recording| {
            json!({
                "sid": recording,
                "account_sid": account,
                "call_sid": record.sid,
                "channels": channels(dual),
                "duration": seconds(&record).to_string(),
                "source": "OutboundAPI",
                "status": "completed",
                "start_time": record.answered_at_ms.map(rfc2822),
                "uri": format!("/2010-04-01/Accounts/{account}/Recordings/{recording}.json"),
            })
        })
        .collect();
    Ok(Json(
        json!({ "recordings": recordings, "next_page_uri": null }),
    ))
}

/// `GET Accounts/{account}/Recordings/{sid}.wav`: both sides, mixed or side by side.
pub(crate) async fn audio(
    State(app): State<App>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    authorized(&app, &account, &headers)?;
    let sid = file.trim_end_matches(".wav");
    let call = app
        .calls()
        .into_iter()
        .find(|call| call.record().recording_sid.as_deref() == Some(sid))
        .ok_or_else(|| not_found(uri.path()))?;
    let audio = call.audio();
    let both = audio.caller.iter().zip(&audio.agent);
    let dual = call
        .order
        .recording
        .as_ref()
        .is_some_and(|order| order.dual);
    let samples: Vec<u8> = if dual {
        both.flat_map(|(caller, agent)| [*caller, *agent]).collect()
    } else {
        both.map(|(caller, agent)| encode(decode(*caller).saturating_add(decode(*agent))))
            .collect()
    };
    let wav = write_wav(&samples, channels(dual));
    Ok(([(header::CONTENT_TYPE, "audio/x-wav")], wav).into_response())
}

fn channels(dual: bool) -> u16 {
    if dual { 2 } else { 1 }
}

fn seconds(record: &Record) -> u64 {
    record.duration_s.unwrap_or_default()
}
