//! Twilio's end of a media socket: plays what it is sent in real time, and tells when marks are reached.

use crate::outside::LONG;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

pub(crate) struct Twilio {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Marks, and when the audio before them has been played.
    marks: Vec<(Instant, String)>,
    plays_until: Instant,
    pub(crate) media: usize,
    pub(crate) clears: usize,
    pub(crate) played: Vec<u8>,
    closed: Option<u16>,
}

impl Twilio {
    /// Opens the socket, or tells the HTTP status it was refused with.
    pub(crate) async fn open(url: &str, header: (&'static str, &str)) -> Result<Twilio, u16> {
        let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
        request
            .headers_mut()
            .insert(header.0, header.1.parse().unwrap());
        let socket = match connect_async_with_config(request, None, true).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(refused)) => return Err(refused.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        Ok(Twilio {
            socket,
            marks: Vec::new(),
            plays_until: Instant::now(),
            media: 0,
            clears: 0,
            played: Vec::new(),
            closed: None,
        })
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    pub(crate) async fn start(&mut self) {
        self.send(json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            .await;
        self.send(
            json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
            "accountSid": "AC1", "callSid": "CA1", "streamSid": "MZ1", "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {}}}),
        )
        .await;
    }

    pub(crate) async fn press(&mut self, digit: &str) {
        self.send(json!({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}}))
            .await;
    }

    /// The contact says `audio`, in real time, while the agent's audio keeps playing.
    pub(crate) async fn say(&mut self, audio: &[u8]) {
        let mut at = Instant::now();
        for frame in audio.chunks(160) {
            let payload = STANDARD.encode(frame);
            self.send(json!({"event": "media", "media": {"track": "inbound", "payload": payload}}))
                .await;
            at += Duration::from_millis(20);
            if self.play(Some(at)).await.is_some() {
                return;
            }
        }
    }

    /// How long a ping takes to the voice and back.
    pub(crate) async fn ping(&mut self) -> Duration {
        let sent = Instant::now();
        self.socket.send(Message::Ping("?".into())).await.unwrap();
        loop {
            let next = timeout(LONG, self.socket.next()).await;
            match next.unwrap().unwrap().unwrap() {
                Message::Pong(_) => return sent.elapsed(),
                Message::Text(text) => self.take(&serde_json::from_str(&text).unwrap()),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn hang_up(mut self) {
        self.send(json!({"event": "stop", "stop": {"accountSid": "AC1", "callSid": "CA1"}}))
            .await;
        self.socket.close(None).await.unwrap();
    }

    /// Plays until then, or until the voice closes the socket; gives the close code if it does.
    pub(crate) async fn play(&mut self, until: Option<Instant>) -> Option<u16> {
        let end = until.unwrap_or_else(|| Instant::now() + LONG);
        while self.closed.is_none() {
            let next_mark = self.marks.first().map_or(end, |mark| mark.0).min(end);
            let wait = next_mark.saturating_duration_since(Instant::now());
            match timeout(wait, self.socket.next()).await {
                Err(_) if !self.marks.is_empty() && self.marks[0].0 <= Instant::now() => {
                    let (_, name) = self.marks.remove(0);
                    self.send(json!({"event": "mark", "mark": {"name": name}}))
                        .await;
                }
                Err(_) if until.is_some() => return None,
                Err(_) => panic!("the voice does not close its socket"),
                Ok(Some(Ok(Message::Text(text)))) => {
                    self.take(&serde_json::from_str(&text).unwrap())
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    self.closed = frame.map_or(Some(1005), |frame| Some(frame.code.into()))
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) => self.closed = Some(1006),
            }
        }
        self.closed
    }

    fn take(&mut self, message: &Value) {
        let now = Instant::now();
        assert_eq!(message["streamSid"], "MZ1");
        match message["event"].as_str().unwrap() {
            "media" => {
                let audio = STANDARD
                    .decode(message["media"]["payload"].as_str().unwrap())
                    .unwrap();
                self.plays_until =
                    self.plays_until.max(now) + Duration::from_micros(audio.len() as u64 * 125);
                self.media += 1;
                self.played.extend(audio);
            }
            "mark" => {
                let name = message["mark"]["name"].as_str().unwrap().to_owned();
                self.marks.push((self.plays_until.max(now), name));
            }
            "clear" => {
                self.clears += 1;
                self.plays_until = now;
                self.marks.iter_mut().for_each(|mark| mark.0 = now);
            }
            other => panic!("Twilio knows no {other}"),
        }
    }

    /// The first message of agent audio, and how long it took.
    pub(crate) async fn first_audio(&mut self) -> Duration {
        let asked = Instant::now();
        while self.media == 0 {
            let message = timeout(LONG, self.socket.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            self.take(&serde_json::from_str(message.to_text().unwrap()).unwrap());
        }
        asked.elapsed()
    }
}
