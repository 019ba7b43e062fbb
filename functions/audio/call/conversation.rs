//! Drives one [`Session`]: its socket, its clock, its speech and its reports.

use super::hearing::{Change, Hearing};
use crate::report::Reporter;
use crate::{now, speech};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use calls::media::{Input, Output, Session};
use calls::time::Time;
use calls::voice::StartOrder;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout};

/// How long Twilio may take to read what is sent to it, and to answer a close.
const SEND: Duration = Duration::from_secs(5);
const CLOSE: Duration = Duration::from_secs(2);

/// What the rest of the process tells a conversation.
pub(super) enum Command {
    Stream(Box<WebSocket>),
    Speech { words: usize, audio: Vec<u8> },
    SpeechFailed,
    Stop,
}

/// Holds the conversation from the order to its end.
pub(super) async fn hold(
    order: StartOrder,
    flite: PathBuf,
    reporter: &Reporter,
    commands: UnboundedSender<Command>,
    mut incoming: UnboundedReceiver<Command>,
) {
    let clock = Clock::new();
    let texts = speak_in_turn(order.call.clone(), flite, commands);
    let mut session = Session::new(order, clock.now());
    let mut line = Line {
        socket: None,
        hearing: None,
        sent: true,
    };
    loop {
        while let Some(output) = session.output() {
            match output {
                // Fails only when speech has failed, which comes in as a command.
                Output::Synthesize { words, text } => _ = texts.send((words, text)),
                Output::Send(text) => line.send(text).await,
                Output::Report(event) => reporter.report(event),
                Output::Close => line.close().await,
                Output::Hear(audio) => {
                    for change in line.hear(&audio) {
                        let input = match change {
                            Change::Speaks => Input::ContactSpeaks,
                            Change::Pauses => Input::ContactPauses,
                        };
                        session.handle(input, clock.now());
                    }
                }
            }
        }
        let Some(deadline) = session.deadline() else {
            return;
        };
        tokio::select! {
            command = incoming.recv() => match command {
                Some(Command::Stream(socket)) => line.open(*socket),
                Some(Command::Speech { words, audio }) => {
                    session.handle(Input::Speech { words, audio }, clock.now());
                }
                Some(Command::SpeechFailed) => session.handle(Input::SpeechFailed, clock.now()),
                Some(Command::Stop) | None => session.handle(Input::Stop, clock.now()),
            },
            event = line.next() => match event {
                Event::Text(text) => session.handle(Input::Twilio(&text), clock.now()),
                Event::Closed { orderly } => session.handle(Input::Closed { orderly }, clock.now()),
            },
            () = sleep_until(clock.instant(deadline)) => session.handle(Input::Tick, clock.now()),
        }
    }
}

/// Synthesizes one text after the other, in the order they will be needed.
fn speak_in_turn(
    call: String,
    flite: PathBuf,
    commands: UnboundedSender<Command>,
) -> UnboundedSender<(usize, String)> {
    let (texts, mut incoming) = unbounded_channel::<(usize, String)>();
    tokio::spawn(async move {
        while let Some((words, text)) = incoming.recv().await {
            let command = match speech::synthesize(&flite, &text).await {
                Ok(audio) => Command::Speech { words, audio },
                Err(error) => {
                    eprintln!("call {call}: {error:#}");
                    Command::SpeechFailed
                }
            };
            if commands.send(command).is_err() {
                return;
            }
        }
    });
    texts
}

/// The wall clock, read once: a conversation's time never jumps.
struct Clock {
    wall: Time,
    started: Instant,
}

impl Clock {
    fn new() -> Clock {
        Clock {
            wall: now(),
            started: Instant::now(),
        }
    }

    fn now(&self) -> Time {
        Time(self.wall.0 + self.started.elapsed().as_millis() as u64)
    }

    fn instant(&self, time: Time) -> Instant {
        self.started + Duration::from_millis(time.0.saturating_sub(self.wall.0))
    }
}

enum Event {
    Text(String),
    Closed { orderly: bool },
}

/// The line to the contact: Twilio's socket, and the ear on it.
struct Line {
    socket: Option<WebSocket>,
    hearing: Option<Hearing>,
    /// Whether everything could be sent so far.
    sent: bool,
}

impl Line {
    fn open(&mut self, socket: WebSocket) {
        self.socket = Some(socket);
        self.hearing = Hearing::new()
            .inspect_err(|error| eprintln!("cannot hear: {error:#}"))
            .ok();
    }

    fn hear(&mut self, audio: &[u8]) -> Vec<Change> {
        self.hearing
            .as_mut()
            .map_or_else(Vec::new, |hearing| hearing.hear(audio))
    }

    async fn send(&mut self, text: String) {
        if let Some(socket) = self.socket.as_mut().filter(|_| self.sent) {
            let sending = socket.send(Message::Text(text.into()));
            self.sent = matches!(timeout(SEND, sending).await, Ok(Ok(())));
        }
    }

    /// What comes next on the line; nothing ever while there is no socket.
    async fn next(&mut self) -> Event {
        let Some(socket) = &mut self.socket else {
            return std::future::pending().await;
        };
        let orderly = loop {
            // A line that takes nothing may still hold Twilio's goodbye, but not for long.
            let patience = if self.sent { Duration::MAX } else { CLOSE };
            match timeout(patience, socket.recv()).await {
                Ok(Some(Ok(Message::Text(text)))) => return Event::Text(text.to_string()),
                Ok(Some(Ok(Message::Close(frame)))) => {
                    break frame.is_some_and(|frame| frame.code == close_code::NORMAL);
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) | Err(_) => break false,
            }
        };
        self.socket = None;
        Event::Closed { orderly }
    }

    /// Closes the socket and waits for Twilio to do the same.
    async fn close(&mut self) {
        let Some(mut socket) = self.socket.take() else {
            return;
        };
        let bye = Message::Close(Some(CloseFrame {
            code: close_code::NORMAL,
            reason: "".into(),
        }));
        let closing = async {
            socket.send(bye).await?;
            while let Some(message) = socket.recv().await {
                message?;
            }
            Ok::<(), axum::Error>(())
        };
        // A socket that cannot be closed in time is dropped, which closes it too.
        let _ = timeout(CLOSE, closing).await;
    }
}
