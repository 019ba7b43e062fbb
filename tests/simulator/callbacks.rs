//! Status callbacks: what is told of a call's progress, when, how often and in which order.

use crate::call::Call;
use crate::clock::{now_ms, rfc2822};
use crate::order::Hook;
use crate::record::{Callback, Fields};
use crate::scenario::Scenario;
use crate::twilio::Twilio;
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Tells one call's progress. What is told is delivered in the background, also after the call's end.
pub(crate) struct Teller {
    call: Arc<Call>,
    sequence: AtomicU32,
    queue: UnboundedSender<Told>,
}

#[derive(Clone)]
struct Told {
    event: &'static str,
    fields: Fields,
    happened_at_ms: u64,
}

pub(crate) fn start(twilio: Arc<Twilio>, call: Arc<Call>) -> Teller {
    let (queue, told) = unbounded_channel();
    tokio::spawn(deliver(twilio, call.clone(), told));
    Teller {
        call,
        sequence: AtomicU32::new(0),
        queue,
    }
}

impl Teller {
    pub(crate) fn tell(&self, event: &'static str, status: &str) {
        let happened_at_ms = now_ms();
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let mut fields = call_fields(&self.call, status);
        let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
        add("CallbackSource", "call-progress-events".to_owned());
        add("SequenceNumber", sequence.to_string());
        add("Timestamp", rfc2822(happened_at_ms));
        let record = self.call.record();
        if let Some(sip) = record.sip_response_code {
            add("SipResponseCode", sip.to_string());
        }
        if let Some(duration) = record.duration_s {
            add("CallDuration", duration.to_string());
            add("Duration", duration.div_ceil(60).to_string());
            if let Some(code) = record.error_code.filter(|_| status == "failed") {
                add("ErrorCode", code.to_string());
            }
        }
        drop(record);
        // The deliverer lives as long as this sender.
        let _ = self.queue.send(Told {
            event,
            fields,
            happened_at_ms,
        });
    }
}

/// The fields that every request about a call carries.
pub(crate) fn call_fields(call: &Call, status: &str) -> Fields {
    let Call { order, account, .. } = call;
    let mut fields: Fields = [
        ("CallSid", call.sid.as_str()),
        ("AccountSid", &account.sid),
        ("From", &order.from),
        ("To", &order.to),
        ("Caller", &order.from),
        ("Called", &order.to),
        ("Direction", "outbound-api"),
        ("ApiVersion", "2010-04-01"),
        ("CallStatus", status),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    // Twilio knows nothing of the test numbers' places, and says so with empty fields.
    for side in ["From", "To", "Caller", "Called"] {
        for part in ["City", "State", "Zip"] {
            fields.push((format!("{side}{part}"), String::new()));
        }
        fields.push((format!("{side}Country"), "US".to_owned()));
    }
    fields
}

/// How callbacks come just now: the scenario's ways and the faults asked for.
struct Mood {
    delay: Duration,
    shuffled: bool,
    copies: u32,
    at_once: bool,
    dropped: Vec<String>,
}

fn mood(twilio: &Twilio, call: &Call) -> Mood {
    let faults = twilio.faults().of(&call.order.to).callbacks.clone();
    let mut mood = Mood {
        delay: Duration::from_millis(faults.delay_ms),
        shuffled: faults.shuffle,
        copies: faults.duplicate,
        at_once: faults.at_once,
        dropped: faults.drop,
    };
    match call.scenario {
        Scenario::CallbacksLate => mood.delay += Duration::from_millis(twilio.config.late_ms),
        Scenario::CallbacksShuffled => {
            mood.shuffled = true;
            mood.copies += 1;
        }
        Scenario::FinalCallbackLost => mood.dropped.push("completed".to_owned()),
        Scenario::Answered
        | Scenario::Busy
        | Scenario::NoAnswer
        | Scenario::Failed
        | Scenario::Voicemail
        | Scenario::CreateBreaks
        | Scenario::CreateHangs
        | Scenario::Refused(_) => {}
    }
    mood
}

async fn deliver(twilio: Arc<Twilio>, call: Arc<Call>, mut queue: UnboundedReceiver<Told>) {
    let Some(hook) = call.order.status.clone() else {
        return;
    };
    let mut held: Vec<Told> = Vec::new();
    while let Some(told) = queue.recv().await {
        if !call
            .order
            .status_events
            .iter()
            .any(|event| event == told.event)
        {
            continue;
        }
        let mood = mood(&twilio, &call);
        if mood.dropped.iter().any(|event| event == told.event) {
            let mut callback = callback(&hook, &told);
            callback.dropped = true;
            call.record().callbacks.push(callback);
            continue;
        }
        let age = Duration::from_millis(now_ms().saturating_sub(told.happened_at_ms));
        tokio::time::sleep(mood.delay.saturating_sub(age)).await;
        // Out of order: these two wait for the event after them and are told behind it.
        let waits = mood.shuffled && matches!(told.event, "initiated" | "answered");
        held.push(told);
        if waits {
            continue;
        }
        let copies = (0..mood.copies).map(|_| send(&twilio, &call, &hook, &held, true));
        if mood.at_once {
            let first = send(&twilio, &call, &hook, &held, false);
            join_all([first].into_iter().chain(copies)).await;
        } else {
            let last_first: Vec<Told> = held.iter().rev().cloned().collect();
            send(&twilio, &call, &hook, &last_first, false).await;
            for copy in copies {
                copy.await;
            }
        }
        held.clear();
    }
    send(&twilio, &call, &hook, &held, false).await;
}

async fn send(twilio: &Twilio, call: &Call, hook: &Hook, batch: &[Told], duplicate: bool) {
    for told in batch {
        let mut callback = callback(hook, told);
        callback.duplicate = duplicate;
        post(twilio, call, hook, callback).await;
    }
}

fn callback(hook: &Hook, told: &Told) -> Callback {
    Callback {
        kind: "status",
        event: told.event.to_owned(),
        url: hook.url.clone(),
        fields: told.fields.clone(),
        happened_at_ms: told.happened_at_ms,
        dropped: false,
        duplicate: false,
        attempts: Vec::new(),
    }
}

/// Sends one callback of any kind and keeps how it was answered.
async fn post(twilio: &Twilio, call: &Call, hook: &Hook, callback: Callback) {
    let fields = callback.fields.clone();
    let at = {
        let mut record = call.record();
        record.callbacks.push(callback);
        record.callbacks.len() - 1
    };
    let sent = twilio.http.send(&call.account, hook, &fields).await;
    let mut record = call.record();
    if sent.wrong_fragment {
        record.notify(11243, "A URL's fragment has a wrong value");
    }
    let refused = sent
        .answer
        .as_ref()
        .is_none_or(|answer| answer.status >= 400);
    if refused {
        record.notifications.push(crate::record::Notification {
            at_ms: now_ms(),
            code: 11200,
            message: "A callback was not answered with success".to_owned(),
        });
    }
    if let Some(callback) = record.callbacks.get_mut(at) {
        callback.attempts = sent.attempts;
    }
}

/// Sends a callback that is not about the call's progress, in the background.
pub(crate) fn post_aside(
    twilio: &Arc<Twilio>,
    call: &Arc<Call>,
    hook: Hook,
    kind: &'static str,
    event: &str,
    fields: Fields,
) {
    let callback = Callback {
        kind,
        event: event.to_owned(),
        url: hook.url.clone(),
        fields,
        happened_at_ms: now_ms(),
        dropped: false,
        duplicate: false,
        attempts: Vec::new(),
    };
    let (twilio, call) = (twilio.clone(), call.clone());
    tokio::spawn(async move { post(&twilio, &call, &hook, callback).await });
}
