//! The socket a voice talks over, with a bound on everything it may take.

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use calls::socket::{Close, LONGEST_MESSAGE, Unusable};
use std::time::Duration;
use tokio::time::timeout;

/// How long the other side may take to read what is sent to it, and to answer a close.
const SEND: Duration = Duration::from_secs(5);
const CLOSE: Duration = Duration::from_secs(2);
/// The code of a close message that names none (RFC 6455 §7.1.5).
const NO_CODE: u16 = 1005;

pub(super) enum Event {
    Text(String),
    Unusable(Unusable),
    /// By a close message with this code, or without one.
    Closed {
        code: Option<u16>,
    },
}

pub(super) struct Line {
    socket: Option<WebSocket>,
    /// Whether everything could be sent so far.
    sent: bool,
}

impl Line {
    pub(super) fn unopened() -> Line {
        Line {
            socket: None,
            sent: true,
        }
    }

    pub(super) fn open(&mut self, socket: WebSocket) {
        self.socket = Some(socket);
    }

    pub(super) async fn send(&mut self, text: String) {
        if let Some(socket) = self.socket.as_mut().filter(|_| self.sent) {
            let sending = socket.send(Message::Text(text.into()));
            self.sent = matches!(timeout(SEND, sending).await, Ok(Ok(())));
        }
    }

    /// What comes next on the line; nothing ever while there is no socket.
    pub(super) async fn next(&mut self) -> Event {
        let Some(socket) = &mut self.socket else {
            return std::future::pending().await;
        };
        let code = loop {
            // A line that takes nothing may still hold the other side's goodbye, but not for long.
            let patience = if self.sent { Duration::MAX } else { CLOSE };
            match timeout(patience, socket.recv()).await {
                Ok(Some(Ok(Message::Text(text)))) if text.len() > LONGEST_MESSAGE => {
                    return Event::Unusable(Unusable::TooLarge);
                }
                Ok(Some(Ok(Message::Text(text)))) => return Event::Text(text.to_string()),
                Ok(Some(Ok(Message::Binary(_)))) => return Event::Unusable(Unusable::Binary),
                Ok(Some(Ok(Message::Close(frame)))) => {
                    break Some(frame.map_or(NO_CODE, |frame| frame.code));
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) | Err(_) => break None,
            }
        };
        self.socket = None;
        Event::Closed { code }
    }

    /// Closes the socket and waits for the other side to do the same.
    pub(super) async fn close(&mut self, close: Close) {
        let Some(mut socket) = self.socket.take() else {
            return;
        };
        let bye = Message::Close(Some(CloseFrame {
            code: close.code,
            reason: close.reason.into(),
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
