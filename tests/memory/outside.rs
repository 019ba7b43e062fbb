//! Every server that is not Twilio.

use super::Memory;
use functions::SendError;
use http::{Request, Response};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Every server that is not Twilio: customers' endpoints, CRMs, a model.
#[derive(Default)]
pub struct Outside {
    /// What was sent to them, in order.
    pub seen: RefCell<Vec<Request<Vec<u8>>>>,
    /// What the server at a URL answers, one after the other; 200 and nothing once there is no more.
    pub answers: RefCell<BTreeMap<String, VecDeque<Answered>>>,
    /// Whether every call is woken once more while one of them waits for its answer.
    pub wakes: Cell<bool>,
    /// What happens while the next request waits for its answer.
    pub meanwhile: RefCell<Option<Happens>>,
    /// URLs whose servers take requests and never answer.
    pub hanging: RefCell<BTreeSet<String>>,
}

type Happens = Box<dyn FnOnce(&Memory)>;
type Answered = Result<Response<Vec<u8>>, SendError>;

impl Outside {
    /// Has the server at `url` answer this after what it was told before.
    pub fn will_answer(&self, url: &str, answer: Answered) {
        let mut answers = self.answers.borrow_mut();
        answers.entry(url.to_owned()).or_default().push_back(answer);
    }

    /// Whether nobody will ever answer this request, which has then arrived all the same.
    pub(crate) fn hangs(&self, request: &Request<Vec<u8>>) -> bool {
        let url = request.uri().to_string();
        let hangs = self.hanging.borrow().contains(&url);
        if hangs {
            self.seen.borrow_mut().push(request.clone());
        }
        hangs
    }

    pub(crate) fn answer(&self, request: Request<Vec<u8>>) -> Answered {
        let url = request.uri().to_string();
        self.seen.borrow_mut().push(request);
        let mut answers = self.answers.borrow_mut();
        let next = answers.get_mut(&url).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| Ok(Response::new(Vec::new())))
    }
}
