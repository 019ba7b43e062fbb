//! A WebSocket client for tests: it follows a redirect, and hears nothing for a moment at most.

use http::{Request, Response};
use serde_json::Value;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

/// How long one look at the socket waits.
const LOOK: Duration = Duration::from_millis(10);

pub struct Socket {
    socket: WebSocket<TcpStream>,
    /// The close code, once it is closed; 1006 without a close message.
    pub closed: Option<u16>,
}

/// A refusal before the upgrade.
pub type Refused = Box<Response<Vec<u8>>>;

impl Socket {
    /// Opens `path` at `gateway`, or where that redirects to.
    pub fn open(gateway: &str, path: &str, headers: &[(&str, &str)]) -> Result<Socket, Refused> {
        let mut url = format!("{gateway}{path}");
        loop {
            match connect(&url, headers) {
                Err(answer) if answer.status() == 307 => {
                    let location = answer.headers()["location"].to_str().expect("a URL");
                    // It names no scheme where that is the gateway's.
                    let there = match location.starts_with("//") {
                        true => format!("http:{location}"),
                        false => location.to_owned(),
                    };
                    assert_ne!(there, url, "it redirects to itself");
                    url = there;
                }
                settled => return settled,
            }
        }
    }

    pub fn send(&mut self, message: Message) {
        // Fails only on a socket that is closed, which reading it tells.
        let _ = self.socket.send(message);
    }

    pub fn says(&mut self, frame: &Value) {
        self.send(Message::text(frame.to_string()));
    }

    /// The next frame, if there is one already or in a moment.
    pub fn look(&mut self) -> Option<Value> {
        if self.closed.is_some() {
            return None;
        }
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                return Some(serde_json::from_str(&text).expect("frames are JSON"));
            }
            Ok(Message::Close(frame)) => {
                self.closed = Some(frame.map_or(1005, |frame| frame.code.into()));
                // Sends the answer to it.
                let _ = self.socket.flush();
            }
            Ok(_) => {}
            Err(Error::Io(error)) if is_timeout(&error) => {}
            Err(_) => self.closed = Some(1006),
        }
        None
    }

    /// The next frame for which `wanted` holds; others are passed over.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            if let Some(frame) = self.look()
                && wanted(&frame)
            {
                return frame;
            }
            assert!(
                self.closed.is_none() && begun.elapsed() < Duration::from_secs(40),
                "no {what} after {:?}, closed: {:?}",
                begun.elapsed(),
                self.closed
            );
        }
    }

    /// All frames until the socket is closed, and the code.
    pub fn rest(&mut self) -> (Vec<Value>, u16) {
        let begun = Instant::now();
        let mut frames = Vec::new();
        loop {
            frames.extend(self.look());
            if let Some(code) = self.closed {
                return (frames, code);
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "not closed");
        }
    }
}

fn connect(url: &str, headers: &[(&str, &str)]) -> Result<Socket, Refused> {
    let (_, rest) = url.split_once("://").expect("a URL");
    let address = rest.split(['/', '?']).next().expect("an address");
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_nodelay(true).expect("a socket");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket");
    let mut request = Request::get(format!("ws://{rest}"))
        .header("host", address)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header(
            "sec-websocket-key",
            tungstenite::handshake::client::generate_key(),
        );
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match tungstenite::client(request.body(()).expect("a request"), stream) {
        Ok((socket, _)) => {
            let stream = socket.get_ref();
            stream.set_read_timeout(Some(LOOK)).expect("a socket");
            Ok(Socket {
                socket,
                closed: None,
            })
        }
        Err(HandshakeError::Failure(Error::Http(answer))) => {
            Err(Box::new(answer.map(Option::unwrap_or_default)))
        }
        Err(error) => panic!("{url}: {error}"),
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
