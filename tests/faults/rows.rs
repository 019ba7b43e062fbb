//! What goes wrong in the suite, one row each.

use crate::blow::Blow;
use serde_json::{Value, json};

/// One kind of fault, met by calls of an organization of its own.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the simulator does: see its README.
    pub(crate) faults: Value,
    pub(crate) calls: usize,
    pub(crate) meanwhile: Meanwhile,
    /// How many requests are accepted, and how many calls Twilio places.
    pub(crate) accepted: usize,
    pub(crate) placed: usize,
    /// The outcomes that accepted calls may have.
    pub(crate) outcomes: &'static [&'static str],
    /// How the customer's endpoint answers reports, and what becomes of them.
    pub(crate) endpoint: Value,
    pub(crate) reported: &'static str,
}

/// What the suite does while the calls live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    Nothing,
    /// Sends forged callbacks about a call that is held up, then lets it go on.
    Forge,
    /// Has the media sockets break.
    DropMedia,
}

/// Calls that a blow finds at a step: held there by the simulator, or on their way.
pub(crate) struct Cut {
    pub(crate) name: &'static str,
    pub(crate) blow: Blow,
    pub(crate) at: At,
    pub(crate) faults: Value,
    pub(crate) calls: usize,
    /// The outcomes that its calls may have, and the one reason, if there is one.
    pub(crate) outcomes: &'static [&'static str],
    pub(crate) reason: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Before a step that Twilio takes after it answered the create. It is taken while the blow lasts.
    Later,
    /// While the create is unanswered.
    Create,
    /// In conversation.
    Talking,
    /// Anywhere: requests are sent a few milliseconds apart around the blow.
    Anywhere,
    /// Requests are sent while the blow lasts.
    Meanwhile,
}

const BUSY: &[&str] = &["busy"];
const LOST: &[&str] = &["lost"];
const FAILED: &[&str] = &["failed"];
/// Of calls that nobody is told the fate of.
const ANY: &[&str] = &["busy", "failed", "lost", "refused"];
/// A conversation on a machine that is busy with many: what counts is that it ends.
const TALKED: &[&str] = &["completed", "failed"];

/// A conversation of some seconds.
fn talk(mut faults: Value) -> Value {
    faults["ring_ms"] = json!(500);
    faults["call_ms"] = json!(4_000);
    faults
}

fn busy(mut faults: Value) -> Value {
    faults["story"] = json!("busy");
    faults
}

pub(crate) fn rows() -> Vec<Row> {
    let all = ["initiated", "ringing", "answered", "completed"];
    let create = |fault: Value| talk(json!({ "create": fault }));
    let callbacks = |faults: Value| json!({ "callbacks": faults });
    #[rustfmt::skip]
    let rows = vec![
        row("nothing", talk(json!({})), 3, TALKED),
        row("all callbacks lost, nobody answers", busy(callbacks(json!({"drop": all}))), 2, BUSY),
        row("all callbacks lost, a conversation", talk(callbacks(json!({"drop": all}))), 2, TALKED),
        row("callbacks told three times", talk(callbacks(json!({"duplicate": 2}))), 2, TALKED),
        row("callbacks in the wrong order", talk(callbacks(json!({"shuffle": true, "duplicate": 1}))), 2, TALKED),
        row("callbacks 5 s late", busy(callbacks(json!({"delay_ms": 5_000}))), 2, BUSY),
        row("each callback 50 times at once", busy(callbacks(json!({"duplicate": 49, "at_once": true}))), 2, BUSY),
        row("forged callbacks", busy(json!({"hold": "end"})), 1, BUSY).meanwhile(Meanwhile::Forge),
        row("media sockets break", json!({"ring_ms": 500, "call_ms": 25_000}), 2, TALKED).meanwhile(Meanwhile::DropMedia),
        row("Twilio answers 429", create(json!({"status": 429})), 2, &[]).accepted(0).placed(0),
        row("Twilio answers 400", create(json!({"status": 400, "code": 21211})), 2, &[]).accepted(0).placed(0),
        row("Twilio answers 500, nothing placed", create(json!({"status": 500})), 2, LOST).placed(0),
        row("Twilio answers 500, call placed", create(json!({"status": 500, "place": true})), 2, TALKED),
        row("connection reset, nothing placed", create(json!({"cut": true})), 2, LOST).placed(0),
        row("connection reset, call placed", create(json!({"cut": true, "place": true})), 2, TALKED),
        row("no answer in 12 s, nothing placed", create(json!({"cut": true, "delay_ms": 12_000})), 2, LOST).placed(0),
        row("no answer in 12 s, call placed", create(json!({"cut": true, "place": true, "delay_ms": 12_000})), 2, TALKED),
        row("callbacks lost, and Twilio fails when asked", busy(json!({
            "callbacks": {"drop": all}, "read": {"status": 500, "times": 2}})), 1, BUSY),
        row("a mailbox, and the first hang-up fails", json!({
            "story": "voicemail", "ring_ms": 500, "change": {"status": 500, "times": 1}}), 1, &["voicemail"]),
        row("Twilio keeps the calls in its queue for 30 s", busy(json!({"queue_ms": 30_000})), 2, BUSY),
        row("the customer's endpoint is down", busy(json!({})), 2, BUSY)
            .endpoint(json!([{"status": 503, "times": 2}, {"status": 200}]), "delivered"),
        row("the customer's endpoint is slow", busy(json!({})), 1, BUSY)
            .endpoint(json!([{"delay_ms": 12_000, "times": 1}, {"status": 200}]), "delivered"),
        row("the customer's endpoint redirects", busy(json!({})), 2, BUSY)
            .endpoint(json!({"status": 302, "headers": {"location": "/elsewhere"}}), "dead"),
        row("the customer's endpoint answers 410", busy(json!({})), 1, BUSY)
            .endpoint(json!({"status": 410}), "dead"),
    ];
    rows
}

fn row(name: &'static str, faults: Value, calls: usize, outcomes: &'static [&'static str]) -> Row {
    Row {
        name,
        faults,
        calls,
        meanwhile: Meanwhile::Nothing,
        accepted: calls,
        placed: calls,
        outcomes,
        endpoint: Value::Null,
        reported: "delivered",
    }
}

impl Row {
    fn meanwhile(self, meanwhile: Meanwhile) -> Row {
        Row { meanwhile, ..self }
    }

    fn endpoint(self, endpoint: Value, reported: &'static str) -> Row {
        Row {
            endpoint,
            reported,
            ..self
        }
    }

    fn accepted(self, accepted: usize) -> Row {
        Row { accepted, ..self }
    }

    fn placed(self, placed: usize) -> Row {
        Row { placed, ..self }
    }
}

/// Where each blow finds calls. Of those that the host's end finds, those that are held longest come first.
pub(crate) fn cuts() -> Vec<Cut> {
    use Blow::{Host, Launcher, Lock, Voices, Writes};
    const NONE: Blow = Writes(100);
    const SOME: Blow = Writes(30);
    let held = |step: &str| talk(json!({ "hold": step }));
    let talking = || json!({"ring_ms": 300, "call_ms": 20_000});
    #[rustfmt::skip]
    let cuts = vec![
        cut("its voice killed in conversation", Voices, At::Talking, talking(), FAILED).because("voice_lost"),
        cut("the launcher killed in conversation", Launcher, At::Talking, talking(), TALKED),
        cut("no write works while calls are placed", NONE, At::Meanwhile, busy(json!({})), BUSY),
        cut("no write works from ringing to the end", NONE, At::Later, busy(json!({"hold": "ring"})), BUSY),
        cut("no write works for 4 s of conversation", NONE, At::Talking, talk(json!({})), TALKED),
        cut("three writes of ten fail while calls are placed", SOME, At::Meanwhile, busy(json!({})), ANY).calls(10),
        cut("three writes of ten fail from ringing to the report", SOME, At::Later, busy(json!({"hold": "ring"})), BUSY).calls(5),
        cut("the store locked while calls are placed", Lock, At::Meanwhile, busy(json!({})), BUSY),
        cut("killed before the end is told", Host, At::Later, busy(json!({"hold": "end"})), BUSY),
        cut("killed before it rings", Host, At::Later, held("ring"), TALKED),
        cut("killed before the answer is told", Host, At::Later, held("answer"), TALKED),
        cut("killed before the TwiML", Host, At::Later, held("twiml"), TALKED),
        cut("killed before the media socket", Host, At::Later, held("media"), TALKED),
        cut("killed in conversation", Host, At::Talking, talking(), TALKED),
        cut("killed before Twilio takes the call", Host, At::Create, held("create"), LOST),
        cut("killed before Twilio's answer to the create", Host, At::Create, held("create_answer"), TALKED),
        cut("killed anywhere", Host, At::Anywhere, busy(json!({})), ANY).calls(10),
    ];
    cuts
}

fn cut(
    name: &'static str,
    blow: Blow,
    at: At,
    faults: Value,
    outcomes: &'static [&'static str],
) -> Cut {
    Cut {
        name,
        blow,
        at,
        faults,
        calls: 2,
        outcomes,
        reason: None,
    }
}

impl Cut {
    fn calls(self, calls: usize) -> Cut {
        Cut { calls, ..self }
    }

    fn because(self, reason: &'static str) -> Cut {
        Cut {
            reason: Some(reason),
            ..self
        }
    }
}
