//! Drives one [`Chat`]: its socket, its clock and its reports.

use super::clock::Clock;
use super::conversation::Command;
use super::line::{Event, Line};
use crate::report::Reporter;
use calls::chat::{Chat, Input, Output};
use calls::voice::StartOrder;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;

/// Holds the chat from the order to its end.
pub(super) async fn hold(
    order: StartOrder,
    reporter: &Reporter,
    mut incoming: UnboundedReceiver<Command>,
) {
    let clock = Clock::new();
    let mut chat = Chat::new(order, clock.now());
    let mut line = Line::unopened();
    loop {
        while let Some(output) = chat.output() {
            match output {
                Output::Send(text) => line.send(text).await,
                Output::Report(event) => reporter.report(event),
                Output::Close(close) => line.close(close).await,
            }
        }
        let Some(deadline) = chat.deadline() else {
            return;
        };
        tokio::select! {
            command = incoming.recv() => match command {
                Some(Command::Stream(socket)) => {
                    line.open(*socket);
                    chat.handle(Input::Opened, clock.now());
                }
                // Nobody makes speech for a chat.
                Some(Command::Speech { .. } | Command::SpeechFailed) => {}
                // A chat is not kept: nobody asks how it ended.
                Some(Command::Stop | Command::Abandon) | None => chat.handle(Input::Stop, clock.now()),
            },
            event = line.next() => match event {
                Event::Text(text) => chat.handle(Input::Text(&text), clock.now()),
                Event::Unusable(what) => chat.handle(Input::Unusable(what), clock.now()),
                Event::Closed { .. } => chat.handle(Input::Closed, clock.now()),
            },
            () = sleep_until(clock.instant(deadline)) => chat.handle(Input::Tick, clock.now()),
        }
    }
}
