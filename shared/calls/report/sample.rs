//! Reports as they would be sent: of a call that has ended, and of one that never was.

use super::{Head, Kind, body};
use crate::call::Call;
use crate::event::{Event, Outcome, Status, Told};
use crate::record::Record;
use crate::time::Time;
use crate::voice::{EndedBy, Line, Speaker, VoiceEvent};
use serde_json::{Map, Value, json};

/// The report of this kind about a call; `None` if there is none.
pub fn of_call(kind: Kind, record: &Record, call: &Call) -> Option<Value> {
    let at = match kind {
        Kind::CallEnded => call.ended()?.at,
        Kind::AnalysisReady => call.analysed_at()?,
    };
    let head = Head {
        kind,
        at,
        sequence: 1,
    };
    Some(body(&head, record, call))
}

/// The same about an invented call of this organization, which went well.
pub fn invented(kind: Kind, organization: &str) -> Option<Value> {
    // 2026-11-20T09:30:00Z
    let begun = Time(1_795_167_000_000);
    let record = json!({
        "v": 1,
        "id": "ffffffff-ffff-8fff-bfff-ffffffffffff",
        "organization": organization,
        "created_at": begun,
        "dialect": "ringdown",
        "run_name": "WR-API-0000",
        "mode": "live",
        "agent": {
            "id": "reminder", "name": "Appointment reminder", "disclosure": null,
            "greeting": "Hello Jane, this is the clinic.", "prompt": "", "agenda": null,
            "answers": [], "goodbye": "Goodbye.", "keys": {},
        },
        "to": "+15005550006",
        "from": "+15005550100",
        "telephony": { "id": 1, "account_sid": "", "sealed_auth_token": "", "api_base_url": "" },
        "variables": { "customer_name": "Jane" },
        "unresolved": [],
        "ring_s": 25,
        "limits": { "call_s": 600, "silence_s": 15, "connect_s": 55 },
        "on_machine": "hang_up",
    });
    let record: Record = serde_json::from_value(record).ok()?;
    of_call(kind, &record, &Call::fold(events(begun)))
}

fn events(begun: Time) -> Vec<Event> {
    let sid = format!("CA{:032}", 0);
    let provider = |status, seconds| Event::Provider {
        at: begun.plus_s(seconds),
        told: Told::Callback,
        status,
        sid: sid.clone(),
        happened: None,
        duration_s: (status == Status::Completed).then_some(24),
        sip: None,
        error: None,
    };
    let line = |seconds, speaker, text: &str| Line {
        speaker,
        text: text.to_owned(),
        at: begun.plus_s(seconds),
    };
    let ended = VoiceEvent::Ended {
        at: begun.plus_s(30),
        by: EndedBy::Contact,
        reason: "contact_hung_up".to_owned(),
        transcript: vec![
            line(6, Speaker::Agent, "Hello Jane, this is the clinic."),
            line(12, Speaker::Contact, "Thank you, I will be there."),
        ],
    };
    vec![
        Event::Dialled {
            at: begun.plus_s(1),
            sid: sid.clone(),
        },
        provider(Status::Ringing, 2),
        provider(Status::InProgress, 6),
        Event::Voice(ended),
        provider(Status::Completed, 30),
        Event::Ended {
            at: begun.plus_s(30),
            outcome: Outcome::Completed,
            reason: "contact_hung_up".to_owned(),
            by: Some(EndedBy::Contact),
        },
        Event::Analysis {
            at: begun.plus_s(75),
            result: Map::from_iter([("disposition".to_owned(), json!("confirmed"))]),
            late: true,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_call_is_shown_whole() {
        for kind in Kind::ALL {
            let sample = invented(kind, "demo").unwrap();
            assert_eq!(sample["type"], kind.word());
            assert_eq!(sample["data"]["outcome"], "completed");
            assert_eq!(sample["data"]["duration_s"], 24.0);
            assert_eq!(sample["data"]["transcript"][1]["speaker"], "contact");
        }
    }
}
