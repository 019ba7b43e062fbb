//! Ringdown's own API: calls shown with everything known of them, problems as RFC 9457 `application/problem+json`.

pub mod explain;

use super::dialout::Dialout;
use super::{AgentName, Caller, Details, Dialect, PlaceCall};
use crate::call::Call;
use crate::event::{Event, Told};
use crate::known::Known;
use crate::plan::{self, Retry};
use crate::problem::Problem;
use crate::record::Record;
use crate::result;
use crate::time::Time;
use crate::voice::{Kind, Line, Speaker, VoiceEvent};
use serde_json::{Map, Value, json};
use validation::{Fields, Rule, Variables, WhenMissing};

pub struct Ringdown;

/// The longest name a program may give a call, in characters.
const LONGEST_NAME: usize = 255;
/// How many names metadata may hold, and how many bytes it may be as JSON.
const MOST_METADATA: usize = 50;
const LARGEST_METADATA: usize = 16 * 1024;

impl Dialect for Ringdown {
    fn word(&self) -> &'static str {
        "ringdown"
    }

    fn read_call(&self, _path: &str, body: &Map<String, Value>) -> Result<PlaceCall, Problem> {
        let mut fields = Fields::lenient(body);
        let agent = fields.required_text("agent_id");
        let to = fields.required_text("to");
        let from = fields.text("from");
        let variables = fields.object("variables").cloned().unwrap_or_default();
        let greeting = fields.text("greeting");
        let agenda = fields.text("agenda");
        let telephony = fields.integer("telephony_configuration_id");
        let mode = fields.word("mode", mode, "live or draft");
        let callback_url = fields.text("callback_url");
        let external_id = fields.text_up_to("external_id", LONGEST_NAME);
        let metadata = fields.object("metadata").cloned().unwrap_or_default();
        if metadata.len() > MOST_METADATA || json!(metadata).to_string().len() > LARGEST_METADATA {
            let rule =
                format!("must have at most {MOST_METADATA} keys and {LARGEST_METADATA} bytes");
            fields.refuse("metadata", Rule::Other(rule));
        }
        let timezone = fields.text("timezone");
        let dry_run = fields.boolean("dry_run").unwrap_or_default();
        let earliest_at = time(&mut fields, "earliest_at");
        let latest_at = time(&mut fields, "latest_at");
        let retry = match fields.object("retry").map(Retry::read).transpose() {
            Ok(retry) => retry,
            Err(issues) => {
                for issue in issues {
                    fields.refuse(&issue.field, issue.rule);
                }
                None
            }
        };
        fields.done().map_err(Problem::Invalid)?;
        Ok(PlaceCall {
            draft: mode == Some("draft"),
            from: from.map(Caller::Number),
            telephony,
            variables: Variables(variables),
            greeting,
            agenda,
            callback_url,
            external_id,
            metadata,
            timezone,
            dry_run,
            earliest_at,
            latest_at,
            retry,
            ..PlaceCall::new(AgentName::Id(agent), to, "to")
        })
    }

    fn takes_wrapped(&self) -> bool {
        true
    }

    fn show_placed(&self, record: &Record, call: &Call) -> (u16, Value) {
        (
            201,
            self.show_call(record, &call.as_placed(record), record.created_at),
        )
    }

    fn problem_details(&self) -> bool {
        true
    }

    fn show_problem(&self, problem: &Problem) -> (u16, Value) {
        if let Problem::ForeignAgent(id) = problem {
            return self.show_problem(&Problem::NoAgent(id.clone()));
        }
        let status = match problem {
            Problem::Malformed(_) | Problem::NotConfigured => 400,
            Problem::Invalid(_) | Problem::InvalidNumber(..) | Problem::VariablesMissing(_) => 422,
            Problem::NoKey | Problem::WrongKey => 401,
            Problem::WrongCategory
            | Problem::NotAllowed
            | Problem::OrganizationInactive
            | Problem::OutsideHours { .. }
            | Problem::OutsideWindow { .. }
            | Problem::Suppressed
            | Problem::AttemptCap { .. }
            | Problem::Forged => 403,
            Problem::NoAgent(_)
            | Problem::ForeignAgent(_)
            | Problem::AgentWithoutOwner(_)
            | Problem::AgentWithoutOrganization(_)
            | Problem::NoTelephony
            | Problem::NoCaller
            | Problem::NoCall(_)
            | Problem::NoWebhook
            | Problem::NoDelivery
            | Problem::NoSuppression
            | Problem::NoRoute => 404,
            Problem::NoSeat(_) | Problem::ProviderBusy => 429,
            Problem::ProviderRefused {
                number_at_fault: true,
                ..
            } => 422,
            Problem::ProviderRefused {
                number_at_fault: false,
                ..
            } => 502,
            Problem::DialUnknown(_)
            | Problem::IdempotencyConflict
            | Problem::IdempotencyInProgress
            | Problem::IdempotencyUnknown { .. }
            | Problem::CallUnderWay(_)
            | Problem::CallOver(_) => 409,
            Problem::Replayed(first) => return self.show_problem(first),
            Problem::AtGate(why, gates) => {
                let (status, mut body) = self.show_problem(why);
                body["gates"] = gates.iter().map(explain::show_gate).collect();
                return (status, body);
            }
            Problem::Method(_) => 405,
            Problem::TooLarge => 413,
            Problem::MediaType(_) => 415,
            Problem::UpgradeRequired => 426,
            Problem::NoVoice | Problem::NoChat { .. } => 503,
            Problem::AgentUnread(_) | Problem::Broken(_) => 500,
        };
        let mut body = json!({
            "type": "about:blank",
            "title": http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()),
            "status": status,
            "code": problem.code(),
            "detail": problem.text(),
        });
        if let Problem::Invalid(issues) = problem {
            let errors: Vec<Value> = issues
                .iter()
                .map(|issue| json!({ "field": issue.field, "message": issue.rule.text() }))
                .collect();
            body["errors"] = json!(errors);
        }
        if let Problem::InvalidNumber(field, why) = problem {
            body["errors"] = json!([{ "field": field, "message": why.text() }]);
        }
        if let Some(seconds) = problem.retry_after_s() {
            body["retry_after_s"] = json!(seconds);
        }
        if let Problem::NoSeat(full) = problem {
            body["capacity"] = json!({
                "limit": full.limit.word(), "taken": full.taken, "most": full.most,
            });
        }
        if let Some(next) = problem.next_allowed_at() {
            body["next_allowed_at"] = json!(next.rfc3339());
        }
        (status, body)
    }

    fn value_of(&self, known: &Known, path: &str) -> Option<String> {
        known.variables.at(path).or_else(|| known.named(path))
    }

    fn when_missing(&self) -> WhenMissing {
        WhenMissing::Empty
    }
}

impl Details for Ringdown {
    fn show_call(&self, record: &Record, call: &Call, now: Time) -> Value {
        let ended = call.ended();
        let by_phone = record.kind == Kind::Phone;
        let time = |at: Option<Time>| at.map(Time::rfc3339);
        let mut shown = json!({
            "id": record.id,
            "status": call.stage(record).word(),
            "outcome": ended.as_ref().map(|verdict| verdict.outcome.word()),
            "end_reason": ended.as_ref().map(|verdict| verdict.reason.as_str()),
            "ended_by": ended.as_ref().and_then(|verdict| verdict.by),
            "organization": record.organization,
            "agent_id": record.agent.id,
            "agent_name": record.agent.name,
            "mode": record.mode,
            "direction": record.direction(),
            "created_through": record.dialect,
            "to": record.to,
            "from": record.from,
            "telephony_configuration_id": by_phone.then_some(record.telephony.id),
            "provider": if by_phone { "twilio" } else { "dialler" },
            "provider_sid": call.sid(),
            "answered_by": call.answered_by(),
            "created_at": record.created_at.rfc3339(),
            "dialled_at": time(call.dialled_at()),
            "ringing_at": time(call.ringing_at()),
            "answered_at": time(call.answered_at()),
            "media_started_at": time(call.media_started_at()),
            "first_audio_at": time(call.first_audio_at()),
            "ended_at": time(ended.as_ref().and_then(|_| call.hung_up_at())),
            "duration_s": call.duration_s(now),
            "variables": record.variables,
            "unresolved_variables": record.unresolved,
            "pre_fetch": record.fetched,
            "greeting": record.agent.greeting,
            "agenda": record.agent.agenda,
            "external_id": record.external_id,
            "metadata": record.metadata,
            "contact": record.contact.as_ref().map(|contact| json!({ "id": contact.id, "name": contact.name })),
            "callback_url": record.callback_url,
            "transcript": call.transcript().iter().map(|line| show_line(record, line)).collect::<Vec<_>>(),
            "recording_url": call.recording_url(),
            "post_call_analysis": call.analysis(),
            "timeline": timeline(record, call),
            "links": links(record, call),
        });
        // "Whether received via webhook or CRM push, call results include …"
        if record.dialect == Dialout.word() && ended.is_some() {
            shown["result"] = result::record(record, call, now);
        }
        if let (Value::Object(shown), Value::Object(planned)) = (&mut shown, planned(record, call))
        {
            shown.extend(planned);
        }
        shown
    }
}

/// When the call is dialled, and which attempt of how many it is.
fn planned(record: &Record, call: &Call) -> Value {
    let time = |at: Option<Time>| at.map(Time::rfc3339);
    json!({
        "earliest_at": time(record.schedule.map(|plan| plan.earliest_at)),
        "latest_at": time(record.schedule.map(|plan| plan.latest_at)),
        "attempt": plan::attempt(record),
        "max_attempts": record.retry.as_ref().map_or(1, |retry| retry.max_attempts),
        "is_last_attempt": plan::is_last(record, call),
        "next_attempt_at": time(call.next_attempt().map(|(_, due)| due)),
        "first_call_id": plan::first(record),
        "next_call_id": call.next_attempt().map(|(id, _)| id),
        "message_left": call.message_left(record),
    })
}

/// Where more is to be had of the call, as paths of this API; `cancel` while there is something to cancel.
fn links(record: &Record, call: &Call) -> Value {
    let at = |part: &str| format!("/v1/calls/{}{part}", record.id);
    let mut links = json!({
        "self": at(""),
        "events": at("/events"),
        "transcript": at("/transcript"),
        "explain": at("/explain"),
        "deliveries": at("/deliveries"),
        "hangup": at("/hangup"),
    });
    let more_follow = call.ended().is_some() && plan::is_last(record, call) != Some(true);
    if call.waits(record) || (more_follow && !call.stopped()) {
        links["cancel"] = json!(at("/cancel"));
    }
    links
}

fn mode(word: &str) -> Option<&'static str> {
    ["live", "draft"].into_iter().find(|mode| *mode == word)
}

/// Every event with its time, its source, seconds since the call was created, and what it says.
pub fn timeline(record: &Record, call: &Call) -> Vec<Value> {
    let created = json!({
        "at": record.created_at.rfc3339(), "offset_s": 0.0, "event": "created", "source": "gateway",
    });
    let events = call.timeline();
    let events = events.iter().map(|event| {
        let mut shown = json!({
            "at": event.at().rfc3339(),
            "offset_s": event.at().seconds_since(record.created_at),
            "event": word(event),
            "source": event.source(),
        });
        if let Some(detail) = what(event) {
            shown["detail"] = json!(detail);
        }
        shown
    });
    std::iter::once(created).chain(events).collect()
}

fn word(event: &Event) -> String {
    match event {
        Event::Provider { status, .. } => match status.word() {
            "in-progress" => "answered".to_owned(),
            word => word.replace('-', "_"),
        },
        Event::Voice(VoiceEvent::MediaStarted { .. }) => "media_started".to_owned(),
        Event::Voice(VoiceEvent::FirstAudio { .. }) => "greeting".to_owned(),
        Event::Voice(VoiceEvent::Line { .. }) => "line".to_owned(),
        event => event.name().replace('-', "_"),
    }
}

fn what(event: &Event) -> Option<String> {
    match event {
        Event::DialRefused { status, code, .. } => Some(match code {
            Some(code) => format!("error {code}, status {status}"),
            None => format!("status {status}"),
        }),
        Event::NoSeat { full, .. } => Some(full.limit.word().to_owned()),
        Event::DialUnknown { cause, .. }
        | Event::AudioFailed { cause, .. }
        | Event::AnalysisFailed { cause, .. } => Some(cause.clone()),
        Event::Provider {
            told: Told::Poll, ..
        } => Some("the provider was asked".to_owned()),
        Event::AnsweredBy { answered_by, .. } => Some(answered_by.clone()),
        Event::Voice(VoiceEvent::Line { line, .. }) => {
            Some(format!("{}: {}", speaker(line.speaker), line.text))
        }
        Event::Voice(VoiceEvent::Ended { reason, .. }) => Some(reason.clone()),
        Event::Voice(VoiceEvent::Lost { cause, .. }) => Some(cause.clone()),
        Event::Postponed { until, why, .. } => Some(format!("until {}: {why}", until.rfc3339())),
        Event::GateClosed { reason, .. } | Event::ChainEnded { reason, .. } => Some(reason.clone()),
        Event::NextAttempt { call, due, .. } => Some(format!("{call} at {}", due.rfc3339())),
        Event::Lost { evidence, .. } => Some(evidence.clone()),
        Event::Ended {
            outcome, reason, ..
        } => Some(format!("{}: {reason}", outcome.word())),
        _ => None,
    }
}

fn show_line(record: &Record, line: &Line) -> Value {
    json!({
        "speaker": speaker(line.speaker),
        "text": line.text,
        "at": line.at.rfc3339(),
        "offset_s": line.at.seconds_since(record.created_at),
    })
}

/// An RFC 3339 time; an empty text counts as absent.
fn time(fields: &mut Fields, name: &str) -> Option<Time> {
    let text = fields.text(name).filter(|text| !text.is_empty())?;
    let time = Time::parse_rfc3339(&text);
    if time.is_none() {
        let why = "must be an RFC 3339 time such as 2026-11-20T09:30:00Z";
        fields.refuse(name, Rule::Other(why.to_owned()));
    }
    time
}

fn speaker(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Agent => "agent",
        Speaker::Contact => "contact",
    }
}
