//! The life of one call, from queued to its end.

use crate::callbacks::{self, Teller};
use crate::clock::now_ms;
use crate::contact::Contact;
use crate::faults::Step;
use crate::order::{Order, Twiml};
use crate::record::{Change, Fields, Mailbox, Media, Record};
use crate::recording;
use crate::scenario::Scenario;
use crate::twilio::{Account, Steering, Twilio, lock, new_sid};
use crate::verbs;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// From the create to the network: long enough for the answer to be on its way first.
const QUEUED: Duration = Duration::from_millis(50);
/// How long a line takes to say that it is busy, or not a line.
const REFUSED: Duration = Duration::from_millis(300);

/// One call, shared between its own task and whoever asks about it.
pub(crate) struct Call {
    pub sid: String,
    pub account: Account,
    pub order: Order,
    pub scenario: Scenario,
    steer: UnboundedSender<Steer>,
    record: Mutex<Record>,
    audio: Mutex<Audio>,
}

/// Something done to a live call from outside.
#[derive(Clone, Debug)]
pub(crate) enum Steer {
    /// The person called hangs up.
    ContactHangsUp,
    /// `Status=completed` or `canceled` through the REST API.
    ApiEnds,
    /// `Url` or `Twiml` through the REST API.
    Replace(Twiml),
    Dtmf(char),
    /// The person called speaks now.
    Speak,
    /// The media socket breaks without a goodbye.
    DropMedia,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub status: &'static str,
    pub by: &'static str,
    pub sip: u16,
}

impl Ending {
    /// An answered call that was hung up.
    pub(crate) fn completed(by: &'static str) -> Self {
        Self {
            status: "completed",
            by,
            sip: 200,
        }
    }

    fn unanswered(status: &'static str, by: &'static str, sip: u16) -> Self {
        Self { status, by, sip }
    }
}

/// What was heard on both sides, at most 60 s each.
#[derive(Default)]
pub(crate) struct Audio {
    pub agent: Vec<u8>,
    pub caller: Vec<u8>,
    pub forgotten: bool,
}

impl Audio {
    pub(crate) fn add(&mut self, agent: &[u8], caller: &[u8]) {
        if self.agent.len() < 60 * 8000 {
            self.agent.extend(agent);
            self.caller.extend(caller);
        }
    }

    pub(crate) fn forget(&mut self) {
        *self = Self {
            forgotten: true,
            ..Self::default()
        };
    }
}

impl Call {
    pub(crate) fn new(
        account: Account,
        order: Order,
        scenario: Scenario,
        parameters: Fields,
        steer: UnboundedSender<Steer>,
    ) -> Self {
        let sid = new_sid("CA");
        let mut record = Record {
            sid: sid.clone(),
            account_sid: account.sid.clone(),
            from: order.from.clone(),
            to: order.to.clone(),
            scenario,
            status: "queued",
            created_at_ms: now_ms(),
            ringing_at_ms: None,
            answered_at_ms: None,
            ended_at_ms: None,
            duration_s: None,
            ended_by: None,
            answered_by: None,
            sip_response_code: None,
            error_code: None,
            parameters,
            create_answer: 0,
            twiml: Vec::new(),
            callbacks: Vec::new(),
            media: Media::default(),
            streams: Vec::new(),
            said: Vec::new(),
            mailbox: None,
            notifications: Vec::new(),
            changes: Vec::new(),
            recording_sid: None,
        };
        for event in &order.wrong_events {
            record.notify(21626, format!("Invalid StatusCallbackEvent: {event}"));
        }
        Self {
            sid,
            account,
            order,
            scenario,
            steer,
            record: Mutex::new(record),
            audio: Mutex::default(),
        }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    pub(crate) fn audio(&self) -> MutexGuard<'_, Audio> {
        lock(&self.audio)
    }

    /// Hands a change to the call's own task; an ended call ignores it.
    pub(crate) fn steer(&self, steer: Steer, by: &'static str, what: impl Into<String>) {
        self.record().changes.push(Change {
            at_ms: now_ms(),
            by,
            what: what.into(),
        });
        // The receiver is gone once the call has ended, and then there is nothing to steer.
        let _ = self.steer.send(steer);
    }
}

/// An answered call: what the TwiML verbs act on.
pub(crate) struct Leg<'a> {
    pub twilio: &'a Arc<Twilio>,
    pub call: &'a Arc<Call>,
    pub steering: &'a mut Steering,
    pub contact: Contact,
    /// When the person called has had enough, and when Twilio has.
    pub patience: Instant,
    pub limit: Instant,
}

impl Leg<'_> {
    /// What the clock says about the call, if it says that it is over.
    pub(crate) fn overdue(&self) -> Option<Ending> {
        let now = Instant::now();
        if now >= self.limit {
            Some(Ending::completed("twilio"))
        } else {
            (now >= self.patience).then(|| Ending::completed("contact"))
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.patience.min(self.limit)
    }
}

/// Plays a call through, from queued to its last callback.
pub(crate) async fn live(twilio: Arc<Twilio>, call: Arc<Call>, mut steering: Steering) {
    let to = &call.order.to;
    let teller = callbacks::start(twilio.clone(), call.clone());
    let ending = play(&twilio, &call, &mut steering, &teller).await;
    let ended_at_ms = now_ms();
    {
        let mut record = call.record();
        record.status = ending.status;
        record.ended_by = Some(ending.by);
        record.sip_response_code = Some(ending.sip);
        record.duration_s = Some(
            record
                .answered_at_ms
                .map_or(0, |from| ended_at_ms.saturating_sub(from).div_ceil(1000)),
        );
        if call.order.recording.is_some() && record.answered_at_ms.is_some() {
            record.recording_sid = Some(new_sid("RE"));
        }
        record.ended_at_ms = Some(ended_at_ms);
    }
    twilio.ended(&call);
    twilio.hold(to, Step::End).await;
    teller.tell("completed", ending.status);
    recording::tell(&twilio, &call).await;
}

async fn play(
    twilio: &Arc<Twilio>,
    call: &Arc<Call>,
    steering: &mut Steering,
    teller: &Teller,
) -> Ending {
    let to = &call.order.to;
    let queue_ms = twilio.faults().of(to).queue_ms;
    let queued = queue_ms.map_or(QUEUED, Duration::from_millis);
    if let Some(ending) = unanswered_for(queued, steering).await {
        return ending;
    }
    twilio.hold(to, Step::Ring).await;
    teller.tell("initiated", "initiated");
    if call.scenario == Scenario::Failed {
        let ended = unanswered_for(REFUSED, steering).await;
        call.record()
            .notify(13224, "The called number is not in service");
        return ended.unwrap_or(Ending::unanswered("failed", "carrier", 404));
    }
    if let Some(ending) = unanswered_for(QUEUED, steering).await {
        return ending;
    }
    {
        let mut record = call.record();
        record.status = "ringing";
        record.ringing_at_ms = Some(now_ms());
    }
    teller.tell("ringing", "ringing");
    let config = &twilio.config;
    let (ring_ms, call_ms) = {
        let mut faults = twilio.faults();
        let faults = faults.of(to);
        (faults.ring_ms, faults.call_ms)
    };
    let no_answer = Ending::unanswered("no-answer", "carrier", 487);
    let patience = Duration::from_secs(call.order.timeout_s);
    let answers_after = Duration::from_millis(ring_ms.unwrap_or(config.ring_ms));
    let (rings, then) = match call.scenario {
        Scenario::Busy => (REFUSED, Some(Ending::unanswered("busy", "carrier", 486))),
        Scenario::NoAnswer => {
            let longest = Duration::from_millis(config.no_answer_ms);
            (longest.min(patience), Some(no_answer))
        }
        _ if patience < answers_after => (patience, Some(no_answer)),
        _ => (answers_after, None),
    };
    if let Some(ending) = unanswered_for(rings, steering).await.or(then) {
        return ending;
    }
    {
        let mut record = call.record();
        record.status = "in-progress";
        let answered_at_ms = now_ms();
        record.answered_at_ms = Some(answered_at_ms);
        // Its greeting is 8000 samples a second.
        record.mailbox = (call.scenario == Scenario::Voicemail).then(|| Mailbox {
            beeps_at_ms: answered_at_ms + config.speech.mailbox.len() as u64 / 8,
            message: Vec::new(),
        });
    }
    twilio.hold(to, Step::Answer).await;
    teller.tell("answered", "in-progress");
    let now = Instant::now();
    let contact = if call.scenario == Scenario::Voicemail {
        Contact::mailbox(&config.speech)
    } else {
        Contact::person(&config.speech, config.turns)
    };
    let mut leg = Leg {
        twilio,
        call,
        steering,
        contact,
        patience: now + Duration::from_millis(call_ms.unwrap_or(config.call_ms)),
        limit: now + Duration::from_secs(call.order.time_limit_s.unwrap_or(14_400)),
    };
    verbs::run(&mut leg).await
}

/// Waits while nobody has answered; an ending when somebody gave up.
async fn unanswered_for(time: Duration, steering: &mut Steering) -> Option<Ending> {
    let until = Instant::now() + time;
    loop {
        let steer = tokio::select! {
            () = tokio::time::sleep_until(until) => return None,
            steer = steering.recv() => steer?,
        };
        match steer {
            Steer::ApiEnds => return Some(Ending::unanswered("canceled", "api", 487)),
            Steer::ContactHangsUp => return Some(Ending::unanswered("busy", "contact", 486)),
            Steer::Replace(_) | Steer::Dtmf(_) | Steer::Speak | Steer::DropMedia => {}
        }
    }
}
