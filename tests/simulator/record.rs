//! What the simulator remembers of a call: everything `GET /_sim/calls/{sid}` shows.

use crate::clock::now_ms;
use crate::scenario::Scenario;
use serde::Serialize;

pub(crate) type Fields = Vec<(String, String)>;

/// One call, from its creation on. Times are unix milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub sid: String,
    pub account_sid: String,
    pub from: String,
    pub to: String,
    pub scenario: Scenario,
    /// Twilio's word: queued, ringing, in-progress, completed, busy, failed, no-answer, canceled.
    pub status: &'static str,
    pub created_at_ms: u64,
    pub ringing_at_ms: Option<u64>,
    pub answered_at_ms: Option<u64>,
    pub ended_at_ms: Option<u64>,
    /// Seconds from answer to end, rounded up; 0 when never answered.
    pub duration_s: Option<u64>,
    /// Who ended it: `contact` (the person called), `agent` (our side closed the media socket),
    /// `twiml` (the document ran out or said so), `api` (a REST request), `carrier` (busy and the
    /// like), `twilio` (an application error or the time limit).
    pub ended_by: Option<&'static str>,
    pub answered_by: Option<&'static str>,
    pub sip_response_code: Option<u16>,
    pub error_code: Option<u32>,
    /// The fields of the create request, as posted.
    pub parameters: Fields,
    /// How the create was answered: an HTTP status, or 0 for not at all.
    pub create_answer: u16,
    pub twiml: Vec<Document>,
    pub callbacks: Vec<Callback>,
    /// All media streams of the call, added up.
    pub media: Media,
    pub streams: Vec<Stream>,
    /// What `<Say>` and `<Play>` were asked to play, in order.
    pub said: Vec<String>,
    /// What a mailbox recorded; none where a person answered, or nobody.
    pub mailbox: Option<Mailbox>,
    /// What Twilio's error log would show.
    pub notifications: Vec<Notification>,
    /// Changes made through `POST Calls/{sid}.json` and `POST /_sim/calls/{sid}`.
    pub changes: Vec<Change>,
    #[serde(skip)]
    pub recording_sid: Option<String>,
}

/// A mailbox that answered: it speaks its greeting, beeps, and records from then on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mailbox {
    pub beeps_at_ms: u64,
    /// Every `<Say>` that began after the beep and was spoken to its end.
    pub message: Vec<String>,
}

/// A TwiML document we were given, or the failure to get one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Document {
    /// Where it came from; `inline` when it was in the create request.
    pub url: String,
    /// The fields we posted to get it.
    pub fields: Fields,
    pub attempts: Vec<Attempt>,
    pub content_type: Option<String>,
    pub body: String,
}

/// One callback: a status event, or the result of answering-machine detection, a stream, a recording.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Callback {
    /// `status`, `amd`, `stream` or `recording`.
    pub kind: &'static str,
    /// The event: `initiated`, `ringing`, `answered`, `completed`; else the status it reports.
    pub event: String,
    pub url: String,
    pub fields: Fields,
    /// When it happened; the attempts say when it was told.
    pub happened_at_ms: u64,
    /// Withheld on purpose (scenario or fault), so there are no attempts.
    pub dropped: bool,
    /// Sent a second time on purpose.
    pub duplicate: bool,
    pub attempts: Vec<Attempt>,
}

/// One HTTP request of ours and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Attempt {
    pub at_ms: u64,
    pub took_ms: u64,
    pub status: Option<u16>,
    pub error: Option<String>,
    /// The answer's first characters.
    pub body: String,
    pub signature: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Notification {
    pub at_ms: u64,
    pub code: u32,
    pub message: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    pub at_ms: u64,
    /// `api` or `sim`.
    pub by: &'static str,
    pub what: String,
}

/// Media of one stream, or of the whole call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Media {
    /// `media` messages we sent: the caller's audio.
    pub frames_sent: u64,
    /// Frames left out because our side did not read fast enough.
    pub frames_dropped: u64,
    pub caller_speech_ms: u64,
    /// `media` messages received: the agent's audio.
    pub frames_received: u64,
    pub bytes_received: u64,
    /// Received audio that is not silence.
    pub agent_speech_ms: u64,
    /// Audio really played to the caller, which barge-in (`clear`) shortens.
    pub played_ms: u64,
    pub cleared_ms: u64,
    pub clears: u64,
    pub marks_received: u64,
    pub marks_echoed: u64,
    pub dtmf_sent: u64,
    pub turns_spoken: u64,
    /// From the open media socket (101 received) to the first agent audio that is not silence.
    pub first_audio_ms: Option<u64>,
}

impl Media {
    pub(crate) fn add(&mut self, other: &Self) {
        self.frames_sent += other.frames_sent;
        self.frames_dropped += other.frames_dropped;
        self.caller_speech_ms += other.caller_speech_ms;
        self.frames_received += other.frames_received;
        self.bytes_received += other.bytes_received;
        self.agent_speech_ms += other.agent_speech_ms;
        self.played_ms += other.played_ms;
        self.cleared_ms += other.cleared_ms;
        self.clears += other.clears;
        self.marks_received += other.marks_received;
        self.marks_echoed += other.marks_echoed;
        self.dtmf_sent += other.dtmf_sent;
        self.turns_spoken += other.turns_spoken;
        self.first_audio_ms = self.first_audio_ms.or(other.first_audio_ms);
    }
}

/// One media stream of a call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stream {
    pub stream_sid: String,
    pub url: String,
    pub signature: String,
    pub parameters: Fields,
    /// The answer to the handshake; none when there was none.
    pub handshake_status: Option<u16>,
    pub handshake_ms: u64,
    pub opened_at_ms: Option<u64>,
    pub closed_at_ms: Option<u64>,
    /// `agent`, `contact`, `api`, `twilio`, `broken` or `error`.
    pub closed_by: Option<&'static str>,
    pub close_code: Option<u16>,
    pub media: Media,
}

impl Record {
    /// Adds a line to what would be Twilio's error log.
    pub(crate) fn notify(&mut self, code: u32, message: impl Into<String>) {
        self.error_code.get_or_insert(code);
        self.notifications.push(Notification {
            at_ms: now_ms(),
            code,
            message: message.into(),
        });
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ended_at_ms.is_some()
    }
}
