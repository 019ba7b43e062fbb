//! The other end of a dialler's or a chat's socket.

use crate::outside::LONG;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes on a socket.
#[derive(Debug)]
pub(crate) enum Came {
    Frame(Value),
    /// With this code; 1006 if without a close message.
    Closed(u16),
}

/// Status, `x-error-code` and body of a refused upgrade.
pub(crate) type Refused = (u16, String, Value);

impl Socket {
    pub(crate) async fn open(url: &str, header: (&'static str, &str)) -> Result<Socket, Refused> {
        let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
        request
            .headers_mut()
            .insert(header.0, header.1.parse().unwrap());
        match connect_async_with_config(request, None, true).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(refused)) => {
                let code = refused.headers().get("x-error-code");
                let code = code.map_or("", |code| code.to_str().unwrap()).to_owned();
                let body = refused.body().clone().unwrap_or_default();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                Err((refused.status().as_u16(), code, body))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn says(&mut self, frame: Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn next(&mut self) -> Came {
        loop {
            match timeout(LONG, self.0.next()).await.expect("nothing comes") {
                Some(Ok(Message::Text(text))) => {
                    return Came::Frame(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Came::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Closed(1006),
            }
        }
    }

    /// The next frame for which `wanted` holds; others are passed over.
    pub(crate) async fn frame(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next().await {
                Came::Frame(frame) if wanted(&frame) => return frame,
                Came::Frame(_) => {}
                Came::Closed(code) => panic!("closed with {code}"),
            }
        }
    }

    /// All frames until the socket is closed, and the code.
    pub(crate) async fn rest(&mut self) -> (Vec<Value>, u16) {
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Came::Frame(frame) => frames.push(frame),
                Came::Closed(code) => return (frames, code),
            }
        }
    }
}
