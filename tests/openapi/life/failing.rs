//! Exchanges with hosts whose stores fail, and with those that can start no voice.

use super::one::Life;
use super::{DORMANT, KEY};
use crate::document::{Document, Operation};
use crate::exchange::Exchange;
use calls::voice::VoiceEvent;
use serde_json::Value;
use std::cell::RefCell;
use tests::memory::Memory;

/// Callbacks and reports that cannot be read or kept.
pub(super) fn callbacks_without_a_store(written: &RefCell<Vec<Exchange>>) {
    let life = Life::begun(Memory::demo(), written);
    life.host.memory.fail_after(0);
    let status = life.path("StatusCallback");
    life.callback(&status, &[("CallStatus", "ringing")]);
    life.callback(&life.path("Url"), &[]);
    let amd = life.path("AsyncAmdStatusCallback");
    life.callback(&amd, &[("AnsweredBy", "human")]);
    let recording = status.replace("/status/", "/recording/");
    life.callback(&recording, &[("RecordingUrl", "https://api.twilio.com/r")]);
    life.report(vec![VoiceEvent::Ready { at: life.now() }]);
    life.host.memory.unread.set(true);
    life.media("wss://gw.example");
}

/// Every operation with its example while a store is down: first the one of configuration, then that of calls.
pub(super) fn without_stores(written: &RefCell<Vec<Exchange>>, document: &Document) {
    for configuration in [true, false] {
        for operation in document.operations() {
            let life = Life::begun(Memory::demo(), written);
            let example = Example::of(document, &operation, &life);
            match configuration {
                true => life.host.memory.unread.set(true),
                false => life.host.memory.fail_after(0),
            }
            example.send(&life, &[("x-api-key", example.key)], None);
        }
    }
}

/// An agent that cannot be read, while all else can.
pub(super) fn unread_agents(written: &RefCell<Vec<Exchange>>, document: &Document) {
    for operation in document.operations() {
        let once = |parameter: &&Value| parameter["name"] == "Idempotency-Key";
        let headers = document.parameters(&operation, "header");
        if !headers.iter().any(once) {
            continue;
        }
        let life = Life::begun(Memory::demo(), written);
        let config = &life.host.memory.config;
        let unreadable = ("agent/reminder".to_owned(), "{".to_owned());
        config.stored.borrow_mut().extend([unreadable]);
        config.catch_up();
        let example = Example::of(document, &operation, &life);
        example.send(&life, &[("x-api-key", example.key)], None);
    }
}

/// What every operation refuses alike: no key, a dormant organization's, and bodies that are too large, a form, or broken.
pub(super) fn refused(written: &RefCell<Vec<Exchange>>, document: &Document) {
    let large = "x".repeat(functions::BODY_LIMIT + 1);
    for operation in document.operations() {
        let life = Life::begun(Memory::demo(), written);
        let example = Example::of(document, &operation, &life);
        example.send(&life, &[], None);
        example.send(&life, &[("x-api-key", DORMANT)], None);
        let key = ("x-api-key", example.key);
        example.send(&life, &[key], Some(&large));
        let form = ("content-type", "application/x-www-form-urlencoded");
        example.send(&life, &[key, form], None);
        if example.body.is_some() {
            example.send(&life, &[key], Some("{"));
        }
    }
}

/// Requests sent twice with one idempotency key, while Twilio says nothing and while the host dies on the way.
pub(super) fn doubted(written: &RefCell<Vec<Exchange>>, document: &Document) {
    for operation in document.operations() {
        let once = |parameter: &&Value| parameter["name"] == "Idempotency-Key";
        let headers = document.parameters(&operation, "header");
        if !headers.iter().any(once) {
            continue;
        }
        for working in 0..=8 {
            let life = Life::begun(Memory::demo(), written);
            let example = Example::of(document, &operation, &life);
            let headers = [("x-api-key", example.key), ("idempotency-key", "once")];
            match working {
                0 => life.host.memory.twilio.down.set(true),
                working => life.host.memory.fail_after(working),
            }
            example.send(&life, &headers, None);
            life.host.memory.heal();
            example.send(&life, &headers, None);
        }
    }
}

/// A voice that cannot be started.
pub(super) fn voiceless(written: &RefCell<Vec<Exchange>>, document: &Document) {
    for operation in document.operations() {
        let life = Life::begun(Memory::demo(), written);
        life.host.memory.voiceless.set(true);
        let example = Example::of(document, &operation, &life);
        if document.statuses(&operation).contains(&101) {
            let path = match document.parameters(&operation, "query").first() {
                Some(query) if query["required"] == true => {
                    let value = query["example"].as_str().expect("an example");
                    let name = query["name"].as_str().expect("a name");
                    format!("{}?{name}={value}", example.path)
                }
                _ => example.path.clone(),
            };
            let headers = [("x-api-key", example.key), ("upgrade", "websocket")];
            life.send("GET", &path, &headers, String::new());
        }
    }
}

/// An operation's example, about a call that exists.
struct Example {
    method: String,
    path: String,
    key: &'static str,
    body: Option<String>,
}

impl Example {
    fn of(document: &Document, operation: &Operation, life: &Life) -> Example {
        let call = life.order().call;
        let mut path = operation.path.clone();
        for parameter in document.parameters(operation, "path") {
            let name = parameter["name"].as_str().expect("a name");
            let value = match (name, parameter["example"].as_str()) {
                ("token", _) => life.path("Url").replace("/twiml/", ""),
                (
                    "uuid" | "webhook" | "delivery" | "number" | "bot_id" | "workflow_id",
                    Some(example),
                ) => example.to_owned(),
                _ => call.clone(),
            };
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        let key = match document.operation(operation)["security"][0]["administrator"] {
            Value::Null => KEY,
            _ => Memory::ADMIN_TOKEN,
        };
        let asked = &document.operation(operation)["requestBody"];
        let body = document.media(asked).map(|(_, media)| {
            let named = media["examples"].as_object();
            let named = named.and_then(|all| all.values().next());
            let example = named.map_or(&media["example"], |example| &example["value"]);
            let text = example.as_str().map(str::to_owned);
            text.unwrap_or_else(|| example.to_string())
        });
        Example {
            method: operation.method.clone(),
            path,
            key,
            body,
        }
    }

    fn send(&self, life: &Life, headers: &[(&str, &str)], body: Option<&str>) {
        let body = body.or(self.body.as_deref()).unwrap_or_default();
        life.send(&self.method, &self.path, headers, body.to_owned());
    }
}
