//! Drives one [`Session`]: its socket, its clock, its speech and its reports.

use super::clock::Clock;
use super::hearing::{Change, Hearing};
use super::line::{Event, Line};
use crate::report::Reporter;
use crate::speech;
use axum::extract::ws::WebSocket;
use calls::media::{Input, Output, Session};
use calls::voice::StartOrder;
use std::path::PathBuf;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;

/// What the rest of the process tells a conversation.
pub(super) enum Command {
    Stream(Box<WebSocket>),
    Speech {
        words: usize,
        audio: Vec<u8>,
    },
    SpeechFailed,
    Stop,
    /// The launcher is gone, and with it the way to the other side.
    Abandon,
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
    let mut crm = reporter.crm();
    let mut opted_out = reporter.opted_out();
    let mut line = Line::unopened();
    let mut hearing = Hearing::new()
        .inspect_err(|error| eprintln!("cannot hear: {error:#}"))
        .ok();
    loop {
        while let Some(output) = session.output() {
            match output {
                // Fails only when speech has failed, which comes in as a command.
                Output::Synthesize { words, text } => _ = texts.send((words, text)),
                Output::Send(text) => line.send(text).await,
                Output::Report(event) => reporter.report(event),
                Output::Close(close) => line.close(close).await,
                Output::Hear(audio) => {
                    let changes = hearing.as_mut().map(|hearing| hearing.hear(&audio));
                    for change in changes.into_iter().flatten() {
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
                Some(Command::Stream(socket)) => {
                    line.open(*socket);
                    session.handle(Input::Opened, clock.now());
                }
                Some(Command::Speech { words, audio }) => {
                    session.handle(Input::Speech { words, audio }, clock.now());
                }
                Some(Command::SpeechFailed) => session.handle(Input::SpeechFailed, clock.now()),
                Some(Command::Stop) | None => session.handle(Input::Stop, clock.now()),
                Some(Command::Abandon) => session.handle(Input::Abandoned, clock.now()),
            },
            event = line.next() => match event {
                Event::Text(text) => session.handle(Input::Text(&text), clock.now()),
                Event::Unusable(what) => session.handle(Input::Unusable(what), clock.now()),
                Event::Closed { code } => session.handle(Input::Closed { code }, clock.now()),
            },
            // An error means that no report will be answered any more.
            Ok(()) = crm.changed() => {
                let values = crm.borrow_and_update().clone();
                session.handle(Input::Crm(values.unwrap_or_default()), clock.now());
            }
            Ok(()) = opted_out.changed() => session.handle(Input::OptedOut, clock.now()),
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
