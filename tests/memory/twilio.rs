//! The small Twilio beside the platform in memory: what it was asked for, what it placed, what it answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calls::time::Time;
use functions::SendError;
use http::{Request, Response};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The accounts of the demo organizations by the end of their SIDs, which their auth tokens repeat.
const ACCOUNTS: [&str; 3] = ["41", "42", "77"];

/// Twilio's side: what was posted, what it placed, and what it answers when asked.
#[derive(Default)]
pub struct Twilio {
    /// The forms of `Calls.json` requests.
    pub asked: RefCell<Vec<BTreeMap<String, String>>>,
    /// SID and form of every call placed.
    pub placed: RefCell<Vec<(String, BTreeMap<String, String>)>>,
    /// When each was placed, by SID.
    placed_at: RefCell<BTreeMap<String, Time>>,
    /// The status each call has, for polls. None: Twilio cannot be reached.
    pub standing: RefCell<BTreeMap<String, String>>,
    pub down: Cell<bool>,
    /// Its lists show nothing.
    pub forgetful: Cell<bool>,
    pub hung_up: RefCell<Vec<String>>,
    /// SID of every call that was to go on with another TwiML, and where that is.
    pub sent_on: RefCell<Vec<(String, String)>>,
    /// The auth tokens of accounts that have another one by now, by SID.
    pub tokens: RefCell<BTreeMap<String, String>>,
    /// What lists are answered with while it has trouble of its own.
    pub garbled: Cell<bool>,
    /// Takes no changes of calls.
    pub stubborn: Cell<bool>,
}

impl Twilio {
    pub(super) fn answer(
        &self,
        request: &Request<Vec<u8>>,
        now: Time,
    ) -> Result<Response<Vec<u8>>, SendError> {
        if self.down.get() {
            return Err(SendError::Unclear("Twilio does not answer".to_owned()));
        }
        let path = request.uri().path().to_owned();
        let form: BTreeMap<String, String> = form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let sid_asked = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".json")
            .to_owned();
        let dials = request.method() == "POST" && path.ends_with("/Calls.json");
        if !self.knows(request) {
            if dials {
                self.asked.borrow_mut().push(form);
            }
            return Ok(reply(401, &json!({ "code": 20003, "status": 401 })));
        }
        if dials {
            return self.place(form, now);
        }
        if request.method() == "POST" && self.stubborn.get() {
            return Ok(reply(500, &json!({ "code": 20500, "status": 500 })));
        }
        if let Some(url) = form.get("Url")
            && request.method() == "POST"
        {
            self.sent_on
                .borrow_mut()
                .push((sid_asked.clone(), url.clone()));
            return Ok(reply(200, &json!({ "sid": sid_asked })));
        }
        if request.method() == "POST" {
            self.hung_up.borrow_mut().push(sid_asked.clone());
            return Ok(reply(
                200,
                &json!({ "sid": sid_asked, "status": "completed" }),
            ));
        }
        if path.ends_with("/Calls.json") && self.garbled.get() {
            return Ok(Response::new(b"{\"calls\": [{\"sid".to_vec()));
        }
        if path.ends_with("/Calls.json") {
            let calls: Vec<_> = self
                .placed
                .borrow()
                .iter()
                .filter(|_| !self.forgetful.get())
                .map(|(sid, _)| {
                    let date = rfc2822(self.placed_at.borrow()[sid]);
                    json!({ "sid": sid, "status": self.status(sid), "date_created": date })
                })
                .collect();
            return Ok(reply(200, &json!({ "calls": calls })));
        }
        match self
            .placed
            .borrow()
            .iter()
            .any(|(sid, _)| *sid == sid_asked)
        {
            true => Ok(reply(
                200,
                &json!({ "sid": sid_asked, "status": self.status(&sid_asked), "duration": "7" }),
            )),
            false => Ok(reply(404, &json!({ "code": 20404 }))),
        }
    }

    /// Whether the request is of an account, with the auth token it has now.
    fn knows(&self, request: &Request<Vec<u8>>) -> bool {
        let given = request.headers()["authorization"].to_str();
        let given = given.ok().and_then(|text| text.strip_prefix("Basic "));
        let given = given.and_then(|text| STANDARD.decode(text).ok());
        let given = given.and_then(|bytes| String::from_utf8(bytes).ok());
        let tokens = self.tokens.borrow();
        ACCOUNTS.into_iter().any(|end| {
            let sid = format!("AC{end:0>32}");
            let token = tokens.get(&sid).cloned();
            let token = token.unwrap_or_else(|| end.repeat(16));
            given.as_deref() == Some(format!("{sid}:{token}").as_str())
        })
    }

    fn status(&self, sid: &str) -> String {
        self.standing
            .borrow()
            .get(sid)
            .cloned()
            .unwrap_or_else(|| "queued".to_owned())
    }

    fn place(
        &self,
        form: BTreeMap<String, String>,
        now: Time,
    ) -> Result<Response<Vec<u8>>, SendError> {
        self.asked.borrow_mut().push(form.clone());
        let to = form.get("To").cloned().unwrap_or_default();
        let refused =
            |status: u16, code: u32| Ok(reply(status, &json!({ "code": code, "status": status })));
        match to.as_str() {
            "+15005550001" => return refused(400, 21_217),
            "+15005550002" => return refused(400, 21_214),
            "+15005550003" => return refused(400, 21_215),
            "+15005550004" => return refused(400, 21_216),
            "+15005550019" => return refused(429, 20_429),
            _ => {}
        }
        let sid = format!("CA{:032x}", self.placed.borrow().len() + 1);
        self.placed_at.borrow_mut().insert(sid.clone(), now);
        self.placed.borrow_mut().push((sid.clone(), form));
        match to.as_str() {
            "+15005550017" => refused(500, 20_500),
            "+15005550018" => Err(SendError::Unclear("no answer in time".to_owned())),
            _ => Ok(reply(201, &json!({ "sid": sid, "status": "queued" }))),
        }
    }
}

fn reply(status: u16, body: &serde_json::Value) -> Response<Vec<u8>> {
    let mut reply = Response::new(body.to_string().into_bytes());
    *reply.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    reply
}

/// `Fri, 20 Nov 2026 09:30:00 +0000`
fn rfc2822(at: Time) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = at.rfc3339();
    let month: usize = text[5..7].parse().expect("a month");
    format!(
        "Day, {} {} {} {} +0000",
        &text[8..10],
        MONTHS[month - 1],
        &text[..4],
        &text[11..19]
    )
}
