//! What goes wrong in the suite, one row each.

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

/// Calls that the kill finds at a step: held there by the simulator, or on their way.
pub(crate) struct Cut {
    pub(crate) name: &'static str,
    pub(crate) faults: Value,
    pub(crate) calls: usize,
    pub(crate) at: At,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Before a step that Twilio takes after it answered the create.
    Later,
    /// While the create is unanswered.
    Create,
    /// In conversation.
    Talking,
    /// Anywhere: requests are sent a few milliseconds apart around the kill.
    Anywhere,
}

const BUSY: &[&str] = &["busy"];
const LOST: &[&str] = &["lost"];
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

/// Where the kill finds calls. Those that are held longest come first.
pub(crate) fn cuts() -> Vec<Cut> {
    let held = |step: &str| talk(json!({ "hold": step }));
    let cut = |name, faults, at| Cut {
        name,
        faults,
        calls: 2,
        at,
    };
    vec![
        cut(
            "killed before the end is told",
            busy(json!({"hold": "end"})),
            At::Later,
        ),
        cut("killed before it rings", held("ring"), At::Later),
        cut(
            "killed before the answer is told",
            held("answer"),
            At::Later,
        ),
        cut("killed before the TwiML", held("twiml"), At::Later),
        cut("killed before the media socket", held("media"), At::Later),
        cut(
            "killed in conversation",
            json!({"ring_ms": 300, "call_ms": 20_000}),
            At::Talking,
        ),
        cut(
            "killed before Twilio takes the call",
            held("create"),
            At::Create,
        ),
        cut(
            "killed before Twilio's answer to the create",
            held("create_answer"),
            At::Create,
        ),
        Cut {
            name: "killed anywhere",
            faults: busy(json!({})),
            calls: 10,
            at: At::Anywhere,
        },
    ]
}
