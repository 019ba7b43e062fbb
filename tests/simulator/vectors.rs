//! Signed requests, one JSON object per line, for the official library to check: `simulator --print-vectors`.

use crate::sign::{signature, signed_url, with_body_hash};
use serde_json::{Value, json};

/// Forms as they are posted to us, a body signed through its hash, and a media handshake.
pub fn vectors() -> Vec<Value> {
    let token = "41414141414141414141414141414141";
    let status = [
        ("CallSid", "CA00000000000000000000000000000001"),
        ("CallStatus", "completed"),
        ("To", "+15005550006"),
        ("Timestamp", "Fri, 20 Nov 2026 12:00:00 +0000"),
        ("FromCity", ""),
        ("Name", "Zoë & Søn, 100% +1"),
    ];
    let repeated = [("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")];
    let forms: [(&str, &[(&str, &str)]); 6] = [
        ("http://127.0.0.1:8787/callbacks/status/abc.def", &status),
        (
            "https://gw.example/callbacks/status/abc?x=a%20b&y=c+d#rc=3&rp=5xx,ct",
            &status,
        ),
        ("https://gw.example:8443/twiml/abc/", &status),
        ("https://gw.example/twiml/abc", &repeated),
        (
            "https://gw.example/twiml/abc?CallSid=CA1&To=%2B15005550006",
            &[],
        ),
        ("wss://gw.example/media/abc.def", &[]),
    ];
    let mut lines: Vec<Value> = forms
        .iter()
        .map(|(url, fields)| {
            let fields: Vec<(String, String)> = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let signature = signature(token, url, &fields);
            let url = signed_url(url);
            json!({ "token": token, "url": url, "params": fields, "signature": signature })
        })
        .collect();
    let body = r#"{"property": "value", "boolean": true}"#;
    let url = with_body_hash("https://gw.example/events?a=1", body.as_bytes());
    let signature = signature(token, &url, &[]);
    lines.push(json!({ "token": token, "url": url, "body": body, "signature": signature }));
    lines
}
