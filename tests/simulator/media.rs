//! One media stream from its handshake to its end.

use crate::call::Leg;
use crate::clock::now_ms;
use crate::outbox::outbox;
use crate::record::{Media, Stream};
use crate::session::{Over, Session};
use crate::socket::{self, Refused, Socket};
use crate::stream_status::StreamStatus;
use crate::twilio::new_sid;
use crate::twiml::StreamTo;
use crate::verbs::Step;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;

/// Twilio waits this long for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Streams until either side ends it; says who did when the document is to go on.
pub(crate) async fn run(
    leg: &mut Leg<'_>,
    to: &StreamTo,
    base: Option<&str>,
) -> Result<&'static str, Step> {
    let (url, signature) = socket::address(&leg.call.account, &to.url);
    let stream_sid = new_sid("MZ");
    let status = StreamStatus::new(leg, to, base, &stream_sid);
    let at = {
        let mut record = leg.call.record();
        record.streams.push(Stream {
            stream_sid: stream_sid.clone(),
            url: url.clone(),
            signature: signature.clone(),
            parameters: to.parameters.clone(),
            handshake_status: None,
            handshake_ms: 0,
            opened_at_ms: None,
            closed_at_ms: None,
            closed_by: None,
            close_code: None,
            media: Media::default(),
        });
        record.streams.len() - 1
    };
    let start = Instant::now();
    let opened = leg
        .during(timeout(HANDSHAKE, socket::open(&url, &signature)))
        .await?;
    let handshake_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    leg.call.record().streams[at].handshake_ms = handshake_ms;
    match opened.unwrap_or_else(|_| Err(Refused::late())) {
        Ok(socket) => {
            let (outbox, queued) = outbox(stream_sid);
            let mut session = Session::new(leg.call, at, outbox);
            {
                let mut record = leg.call.record();
                record.streams[at].handshake_status = Some(101);
                record.streams[at].opened_at_ms = Some(now_ms());
            }
            status.tell("stream-started", None);
            session.outbox.greet(leg.call, to);
            let over = stream(leg, session, socket, queued).await;
            close(leg, at, over, &status)
        }
        Err(refused) => {
            let mut record = leg.call.record();
            record.streams[at].handshake_status = refused.status;
            record.streams[at].closed_by = Some("error");
            record.notify(refused.code, refused.message.as_str());
            status.tell("stream-error", Some(&refused.message));
            Ok("error")
        }
    }
}

/// Both directions in real time, until something ends it.
async fn stream(
    leg: &mut Leg<'_>,
    mut session: Session,
    socket: Socket,
    mut queued: mpsc::Receiver<Message>,
) -> Over {
    let (mut sink, mut incoming) = socket.split();
    let writer = tokio::spawn(async move {
        while let Some(message) = queued.recv().await {
            if sink.send(message).await.is_err() {
                break;
            }
        }
        // Nobody may be there any more to hear the close.
        let _ = sink.close().await;
    });
    let mut frames = interval(Duration::from_millis(20));
    frames.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let over = loop {
        let over = tokio::select! {
            _ = frames.tick() => session.tick(leg),
            message = incoming.next() => match message {
                Some(Ok(Message::Text(text))) => session.receive(&text),
                Some(Ok(Message::Binary(_))) => {
                    Some(Over::Wrong(31950, "A binary message".to_owned()))
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
                last => Some(socket::end(last).map_or_else(Over::Broken, Over::Agent)),
            },
            Some(steer) = leg.steering.recv() => session.steer(steer, leg),
        };
        if let Some(over) = over {
            break over;
        }
    };
    session.publish();
    match &over {
        Over::Leaves(_) => {
            session.outbox.stop(leg.call);
            session.outbox.close(1000);
        }
        Over::Wrong(..) => session.outbox.close(1008),
        Over::Agent(_) => {}
        Over::Broken(_) => writer.abort(),
    }
    // Without its outbox the writer finishes.
    drop(session);
    // What was queued goes out, the close is answered, and a reader who hangs does not hold the call up.
    let rest = async {
        while incoming.next().await.is_some_and(|message| message.is_ok()) {}
        let _ = writer.await;
    };
    if !matches!(over, Over::Broken(_)) {
        let _ = timeout(Duration::from_millis(500), rest).await;
    }
    over
}

/// Writes down how the stream ended, and says whether the document goes on.
fn close(
    leg: &Leg<'_>,
    at: usize,
    over: Over,
    status: &StreamStatus,
) -> Result<&'static str, Step> {
    let mut record = leg.call.record();
    let (by, code, next) = match over {
        Over::Agent(code) => ("agent", Some(code), Ok("agent")),
        Over::Broken(error) => {
            record.notify(31903, format!("The stream broke: {error}"));
            ("broken", None, Ok("broken"))
        }
        Over::Wrong(code, complaint) => {
            record.notify(code, complaint.as_str());
            status.tell("stream-error", Some(&complaint));
            ("error", Some(1008), Ok("error"))
        }
        Over::Leaves(step) => {
            let by = match &step {
                Step::End(ending) => ending.by,
                Step::Goto(..) => "api",
            };
            (by, Some(1000), Err(step))
        }
    };
    let stream = &mut record.streams[at];
    stream.closed_at_ms = Some(now_ms());
    stream.closed_by = Some(by);
    stream.close_code = code;
    status.tell("stream-stopped", None);
    next
}
