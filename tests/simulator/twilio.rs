//! The whole of the simulated Twilio: its accounts, its calls, and what a test has asked of it.

use crate::call::{Call, Steer};
use crate::faults::{Asked, Step};
use crate::inbox::Inbox;
use crate::order::Order;
use crate::record::Fields;
use crate::scenario::Scenario;
use crate::speech::Speech;
use crate::webhook::Http;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Ended calls whose audio is kept: at 25 s and both directions about 80 MB.
const CALLS_WITH_AUDIO: usize = 200;
/// Calls remembered at all; the oldest ended ones go first.
const CALLS_KEPT: usize = 5000;

/// An account and the token that opens it and signs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub sid: String,
    pub auth_token: String,
}

/// How the simulator is to behave; times in milliseconds.
#[derive(Clone)]
pub struct Config {
    pub accounts: Vec<Account>,
    pub speech: Speech,
    /// From ringing to the answer.
    pub ring_ms: u64,
    /// How long an unanswered call rings at most; `Timeout` may shorten it.
    pub no_answer_ms: u64,
    /// From the answer until the person called hangs up, whatever is being said.
    pub call_ms: u64,
    /// Turns the person speaks before hanging up.
    pub turns: usize,
    /// How late the callbacks of `+15005550014` come.
    pub late_ms: u64,
    /// How long the create of `+15005550018` is left without an answer.
    pub hang_ms: u64,
    /// How long answering-machine detection takes.
    pub detection_ms: u64,
}

impl Config {
    pub fn new(speech: Speech) -> Self {
        let account = |number: &str, digits: &str| Account {
            sid: format!("AC{number:0>32}"),
            auth_token: digits.repeat(16),
        };
        Self {
            accounts: vec![
                account("41", "41"),
                account("42", "42"),
                account("77", "77"),
            ],
            speech,
            ring_ms: 2000,
            no_answer_ms: 4000,
            call_ms: 25_000,
            turns: 3,
            late_ms: 4000,
            hang_ms: 30_000,
            detection_ms: 2000,
        }
    }
}

/// The running simulator, shared by every request and every call.
pub(crate) struct Twilio {
    pub config: Config,
    /// Where this API is reached: `http://127.0.0.1:8790`.
    pub base_url: String,
    pub http: Http,
    pub inbox: Inbox,
    faults: Mutex<Asked>,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    /// Oldest first.
    all: VecDeque<Arc<Call>>,
    by_sid: HashMap<String, Arc<Call>>,
    with_audio: VecDeque<Arc<Call>>,
    stats: Stats,
}

/// Counts since the start.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Stats {
    /// Create requests that came, whatever became of them.
    pub(crate) asked: u64,
    pub calls_created: u64,
    pub calls_live: u64,
    pub most_calls_live: u64,
}

impl Twilio {
    pub(crate) fn new(config: Config, base_url: String) -> anyhow::Result<Self> {
        Ok(Self {
            config,
            base_url,
            http: Http::new()?,
            inbox: Inbox::default(),
            faults: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    pub(crate) fn account(&self, sid: &str) -> Option<&Account> {
        self.config
            .accounts
            .iter()
            .find(|account| account.sid == sid)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Asked> {
        lock(&self.faults)
    }

    /// What is to happen to a call to this number.
    pub(crate) fn scenario(&self, to: &str) -> Scenario {
        let asked = self.faults().of(to).story;
        asked.unwrap_or_else(|| Scenario::of(to))
    }

    /// Waits as long as calls to this number are held up before `step`.
    pub(crate) async fn hold(&self, to: &str, step: Step) {
        let mut counted = None;
        while self.faults().holds(to, step, &mut counted) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Counts a create request.
    pub(crate) fn asked(&self) {
        lock(&self.calls).stats.asked += 1;
    }

    /// Takes a checked order in and starts the call.
    pub(crate) fn place(
        self: &Arc<Self>,
        account: &Account,
        order: Order,
        parameters: Fields,
    ) -> Arc<Call> {
        let scenario = self.scenario(&order.to);
        let (steer, steered) = mpsc::unbounded_channel();
        let call = Arc::new(Call::new(
            account.clone(),
            order,
            scenario,
            parameters,
            steer,
        ));
        {
            let mut calls = lock(&self.calls);
            calls.stats.calls_created += 1;
            calls.stats.calls_live += 1;
            calls.stats.most_calls_live = calls.stats.most_calls_live.max(calls.stats.calls_live);
            calls.all.push_back(call.clone());
            calls.by_sid.insert(call.sid.clone(), call.clone());
            calls.forget_oldest();
        }
        tokio::spawn(crate::call::live(self.clone(), call.clone(), steered));
        call
    }

    pub(crate) fn call(&self, sid: &str) -> Option<Arc<Call>> {
        lock(&self.calls).by_sid.get(sid).cloned()
    }

    /// Every call, oldest first.
    pub(crate) fn calls(&self) -> Vec<Arc<Call>> {
        lock(&self.calls).all.iter().cloned().collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        lock(&self.calls).stats
    }

    /// Counts a call as ended and keeps its audio as long as there is room.
    pub(crate) fn ended(&self, call: &Arc<Call>) {
        let mut calls = lock(&self.calls);
        calls.stats.calls_live = calls.stats.calls_live.saturating_sub(1);
        if !call.audio().agent.is_empty() {
            calls.with_audio.push_back(call.clone());
        }
        if calls.with_audio.len() > CALLS_WITH_AUDIO
            && let Some(oldest) = calls.with_audio.pop_front()
        {
            oldest.audio().forget();
        }
    }

    /// Forgets the calls that have ended.
    pub(crate) fn forget_ended(&self) -> usize {
        let mut calls = lock(&self.calls);
        let before = calls.all.len();
        calls.all.retain(|call| !call.record().is_over());
        calls.by_sid.retain(|_, call| !call.record().is_over());
        calls.with_audio.clear();
        before - calls.all.len()
    }
}

impl Calls {
    fn forget_oldest(&mut self) {
        if self.all.len() > CALLS_KEPT
            && let Some(at) = self.all.iter().position(|call| call.record().is_over())
            && let Some(oldest) = self.all.remove(at)
        {
            self.by_sid.remove(&oldest.sid);
        }
    }
}

/// A thread that panicked leaves complete records behind: each is changed in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A resource id: two letters and 32 hexadecimal digits.
pub(crate) fn new_sid(kind: &str) -> String {
    format!("{kind}{}", uuid::Uuid::new_v4().simple())
}

pub(crate) type Steering = mpsc::UnboundedReceiver<Steer>;
