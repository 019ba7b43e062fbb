//! Why a call went as it did: every gate with its verdict, what happened in order, and what its end means.

use super::timeline;
use crate::call::{Call, Verdict};
use crate::event::Outcome;
use crate::record::{Gate, Record};
use crate::time::Time;
use serde_json::{Value, json};

/// The body of `GET /v1/calls/{id}/explain`.
pub fn explain(record: &Record, call: &Call) -> Value {
    let mut gates = record.gates.clone();
    for gate in &mut gates {
        // A call for later was checked when it was asked for, by the clock of its time.
        gate.at = gate.at.min(record.created_at);
    }
    close(&mut gates, call);
    gates.extend(seat(record, call));
    // What was said is in the transcript.
    let mut events = timeline(record, call);
    events.retain(|event| event["event"] != "line");
    let ended = call.ended();
    json!({
        "id": record.id,
        "status": call.stage(record).word(),
        "outcome": ended.as_ref().map(|verdict| verdict.outcome.word()),
        "end_reason": ended.as_ref().map(|verdict| verdict.reason.as_str()),
        "ended_by": ended.as_ref().and_then(|verdict| verdict.by),
        "why": match &ended {
            Some(verdict) => why(call, verdict),
            None if call.waits(record) => "The call waits for its time.".to_owned(),
            None => "The call has not ended yet.".to_owned(),
        },
        "gates": gates.iter().map(show_gate).collect::<Vec<_>>(),
        "what_happened": events,
        "looked_at_again_at": call.deadline(record).map(Time::rfc3339),
    })
}

pub fn show_gate(gate: &Gate) -> Value {
    json!({
        "name": gate.name,
        "passed": gate.passed,
        "at": gate.at.rfc3339(),
        "evidence": gate.evidence,
    })
}

/// Shows the gate as closed that was open when the call was asked for, and was not when it was to be dialled.
fn close(gates: &mut [Gate], call: &Call) {
    let Some((at, code)) = call.gate_closed() else {
        return;
    };
    let closed = match code {
        "agent_not_found" | "organization_inactive" => "agent",
        "caller_not_found" | "telephony_configuration_not_found" => "caller",
        "number_not_allowed" | "invalid_number" => "number",
        "suppressed" => "suppression",
        "outside_active_hours" => "active_hours",
        "outside_calling_window" => "calling_window",
        code => code,
    };
    if let Some(gate) = gates.iter_mut().find(|gate| gate.name == closed) {
        let before = &gate.evidence;
        let evidence = format!("closed right before the dial: {code} (before that: {before})");
        *gate = Gate::new(closed, at, false, evidence);
    }
}

/// The gate that is passed after the call was stored: its verdict is among the events.
fn seat(record: &Record, call: &Call) -> Option<Gate> {
    const NAME: &str = "seat";
    if record.gates.iter().any(|gate| gate.name == NAME) {
        return None;
    }
    if let Some((at, full)) = call.no_seat() {
        let evidence = format!("{} ({} of {})", full.text(), full.taken, full.most);
        return Some(Gate::new(NAME, at, false, evidence));
    }
    let tried = ["dialled", "dial-refused", "dial-unknown"];
    let at = tried.iter().filter_map(|name| call.at(name)).min()?;
    Some(Gate::new(
        NAME,
        at,
        true,
        "the call held a seat when it was dialled",
    ))
}

/// What an end means, in a sentence.
fn why(call: &Call, verdict: &Verdict) -> String {
    if let Some((_, full)) = call.no_seat() {
        return format!("{}; the call was never dialled.", full.text());
    }
    let reason = verdict.reason.as_str();
    if let Some(code) = reason.strip_prefix("provider_refused_") {
        return format!("Twilio refused to place the call (error {code}); nothing rang.");
    }
    if let Some(code) = reason.strip_prefix("provider_failed_") {
        return format!("Twilio could not connect the call (error {code}).");
    }
    if let Some(code) = reason.strip_prefix("sip_") {
        return format!("The carrier did not connect the call (SIP status {code}).");
    }
    let known = match reason {
        "busy" => "The line was busy.",
        "no_answer" => "Nobody answered while the phone rang.",
        "canceled" => "The call was ended before anybody answered.",
        "provider_failed" => "Twilio could not connect the call and did not say why.",
        "canceled_before_dial" => "The call was cancelled while it waited; nothing was dialled.",
        "expired" => "Until its latest time the call could not be dialled; nothing was.",
        "suppressed" => "The number is on the suppression list; nothing was dialled.",
        "attempt_cap" => "The number was called as often as a day allows; nothing was dialled.",
        "outside_active_hours" => "The agent's active hours were over; nothing was dialled.",
        "outside_calling_window" => {
            "It was no hour at which the person may be called; nothing was dialled."
        }
        "organization_inactive" => "The organization was not active any more; nothing was dialled.",
        "caller_not_found" | "telephony_configuration_not_found" => {
            "What the call was to be placed with was not configured any more; nothing was dialled."
        }
        "number_not_allowed" => "The number may not be called any more; nothing was dialled.",
        "agent_not_found" => "The agent was not there or not active any more; nothing was dialled.",
        "message_left" => "A mailbox answered, and the message was left on it.",
        "message_cut_short" => "A mailbox answered and hung up before the message was finished.",
        "machine" => "A machine answered, and the agent does not talk to machines.",
        "hangup_requested" => "The call was ended by a request to hang up.",
        "contact_hung_up" => "The person called hung up.",
        "agent_ended" => "The agent had said all it had to say.",
        "hangup_key" => "The person called pressed a key that ends the call.",
        "silence" => "Both sides were silent for as long as the agent allows.",
        "max_duration" => "The call reached the longest duration the agent allows.",
        "voice_lost" => "The voice container was lost while the call went on.",
        "voice_not_started" => "No voice container could be started.",
        "voice_silent" => "The voice container never said how the conversation ended.",
        "media_never_started" => {
            "The phone was answered, but its audio never reached the voice container."
        }
        _ if verdict.outcome == Outcome::Lost => {
            return format!("Nobody could say what became of the call: {reason}.");
        }
        _ => return format!("The call ended: {}.", reason.replace('_', " ")),
    };
    known.to_owned()
}
