//! Opening the media WebSocket: the signed handshake, and why it can fail.

use crate::sign::signature;
use crate::twilio::Account;
use reqwest::Url;
use std::net::IpAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Why there is no stream, in the words of Twilio's error log.
#[derive(Debug)]
pub(crate) struct Refused {
    pub code: u32,
    pub status: Option<u16>,
    pub message: String,
}

impl Refused {
    pub(crate) fn late() -> Self {
        refused(31920, "The handshake was not answered in time")
    }
}

fn refused(code: u32, message: impl Into<String>) -> Refused {
    Refused {
        code,
        status: None,
        message: message.into(),
    }
}

/// The URL that is requested: Twilio drops a query string. Also the signature over it.
pub(crate) fn address(account: &Account, url: &str) -> (String, String) {
    let url = url.split(['?', '#']).next().unwrap_or(url).to_owned();
    let signature = signature(&account.auth_token, &url, &[]);
    (url, signature)
}

/// Connects and upgrades. Plain `ws` is for loopback alone, as this machine is the only one it is meant for.
pub(crate) async fn open(url: &str, signature: &str) -> Result<Socket, Refused> {
    let parsed = Url::parse(url).map_err(|_| refused(31901, "The stream URL is not a URL"))?;
    let host = parsed.host_str().unwrap_or_default().to_owned();
    match parsed.scheme() {
        "ws" if is_loopback(&host) => {}
        "ws" => return Err(refused(31901, "A stream URL must be wss")),
        "wss" => {
            let message = "The simulator speaks plain ws on loopback, not TLS";
            return Err(refused(31910, message));
        }
        _ => return Err(refused(31901, "A stream URL must be wss")),
    }
    let address = (host.trim_matches(['[', ']']), parsed.port().unwrap_or(80));
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| refused(31901, format!("Connection failed: {error}")))?;
    // Else `start` waits behind `connected` for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut request = url
        .into_client_request()
        .map_err(|_| refused(31901, "The stream URL is not a URL"))?;
    let headers = request.headers_mut();
    if let Ok(value) = HeaderValue::from_str(signature) {
        headers.insert("x-twilio-signature", value);
    }
    headers.insert("user-agent", HeaderValue::from_static("Twilio.TmeWs/1.0"));
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(Refused {
            code: 31920,
            status: Some(response.status().as_u16()),
            message: format!("The handshake was answered {}", response.status().as_u16()),
        }),
        Err(error) => Err(refused(31920, format!("The handshake failed: {error}"))),
    }
}

/// How a socket that ended by itself ended: a close code, or an error for the log.
pub(crate) fn end(last: Option<Result<tungstenite::Message, Error>>) -> Result<u16, String> {
    match last {
        Some(Ok(tungstenite::Message::Close(frame))) => {
            Ok(frame.map_or(1005, |frame| frame.code.into()))
        }
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(_)) | None => Err("the connection ended without a close".to_owned()),
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
