//! Requests with the answers they got in-process.

use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tests::case;
use tests::driver::{Driver, run};
use tests::memory::Memory;

/// One request and its answer.
pub(crate) struct Exchange {
    /// The case it belongs to.
    pub(crate) case: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) answer_headers: BTreeMap<String, String>,
    pub(crate) answer: Vec<u8>,
}

impl Exchange {
    pub(crate) fn sent(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn told(&self) -> Option<Value> {
        serde_json::from_slice(&self.answer).ok()
    }
}

/// A platform that writes everything down.
pub(crate) struct Writing<'a> {
    pub(crate) memory: Memory,
    pub(crate) case: &'a str,
    pub(crate) written: &'a RefCell<Vec<Exchange>>,
}

/// Those of the contract cases, in their order.
pub(crate) fn of_cases() -> Vec<Exchange> {
    let written = RefCell::default();
    for case in case::all() {
        let writing = Writing {
            memory: Memory::demo(),
            case: &case.name,
            written: &written,
        };
        // Whether it is answered as expected is not asked here.
        let _ = run(&writing, &case);
    }
    written.into_inner()
}

impl Driver for Writing<'_> {
    fn put_to(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let asked = request.clone();
        let mut answer = self.memory.put_to(request);
        if answer.body() == b"the media socket" {
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        let answer_headers = answer.headers().iter().map(|(name, value)| {
            let value = value.to_str().expect("text");
            (name.as_str().to_owned(), value.to_owned())
        });
        self.written.borrow_mut().push(Exchange {
            case: self.case.to_owned(),
            method: asked.method().as_str().to_owned(),
            path: asked.uri().path().to_owned(),
            query: asked.uri().query().unwrap_or_default().to_owned(),
            headers: asked.headers().clone(),
            body: asked.into_body(),
            status: answer.status().as_u16(),
            answer_headers: answer_headers.collect(),
            answer: answer.body().clone(),
        });
        answer
    }

    fn dialled(&self) -> usize {
        self.memory.dialled()
    }

    fn simulator(&self) -> &str {
        self.memory.simulator()
    }

    fn becomes(&self, call: &str, word: &str, key: &HeaderMap) -> Result<(), String> {
        self.memory.becomes(call, word, key)
    }

    fn letter(&self, inbox: &str) -> Option<Vec<u8>> {
        self.memory.letter(inbox)
    }

    fn will_answer(&self, inbox: &str, body: Vec<u8>) {
        self.memory.will_answer(inbox, body);
    }
}
