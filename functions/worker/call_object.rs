//! The Durable Object of one call, named by the call's id: its facts, its alarm, its voice container.

use crate::audio::Container;
use crate::documents::Documents;
use crate::exchange;
use crate::facts::Store;
use crate::platform::Workers;
use calls::id::CallId;
use calls::time::Time;
use functions::Fault;
use std::cell::Cell;
use std::rc::Rc;
use worker::js_sys::Date;
use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, ScheduledTime, State, durable_object,
};

/// When a call is looked after again, in seconds, if waking it broke off without a word (a panic, a restart).
const AGAIN_S: u64 = 60;
/// The longest pause, in seconds, between attempts to wake a call that fail.
const LONGEST_PAUSE_S: u64 = 60;

#[durable_object(alarm)]
pub struct CallObject(Rc<Call>);

/// What the object holds, shared with the tasks that outlive the request they began in.
pub(crate) struct Call {
    pub(crate) state: State,
    pub(crate) env: Env,
    pub(crate) facts: Store,
    pub(crate) documents: Documents,
    pub(crate) container: Container,
    /// While the call is being woken: the earliest wake-up asked for meanwhile.
    asked: Cell<Option<Time>>,
    waking: Cell<bool>,
    /// How often in a row waking failed.
    failed: Cell<u32>,
    /// Whether the alarm is known to be armed in this life of the object.
    armed: Cell<bool>,
}

impl DurableObject for CallObject {
    fn new(state: State, env: Env) -> CallObject {
        CallObject(Rc::new(Call {
            facts: Store::new(&state),
            documents: Documents::new(&state),
            container: Container::default(),
            state,
            env,
            asked: Cell::new(None),
            waking: Cell::new(false),
            failed: Cell::new(0),
            armed: Cell::new(false),
        }))
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match answer(&self.0, &mut request).await {
            Ok(response) => Ok(response),
            Err(fault) => Response::error(fault.0, 500),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let told = |fault: &Fault| {
            worker::console_error!(
                "{}",
                serde_json::json!({"level": "error", "alarm": fault.0})
            );
        };
        if let Err(fault) = begin_waking(&self.0).await {
            told(&fault);
            // No alarm is armed then: the runtime has to repeat this one.
            return Err(fault.0.into());
        }
        if let Err(fault) = wake(&self.0).await {
            told(&fault);
        }
        Response::empty()
    }
}

/// What [`Workers`] asks from outside. Only the Worker itself can reach an object.
async fn answer(call: &Rc<Call>, request: &mut Request) -> Result<Response, Fault> {
    call.resume()?;
    call.arm_again().await?;
    let path = request.path();
    let mut segments = path.trim_start_matches('/').split('/');
    let (id, what) = (segments.next().unwrap_or(""), segments.next().unwrap_or(""));
    let at = segments.next().and_then(|ms| ms.parse().ok()).map(Time);
    match (request.inner().method().as_str(), what, at) {
        ("GET", "facts", _) => show(call.facts.all()?),
        ("POST", "events", _) => {
            let events = request.text().await.map_err(exchange::fault)?;
            show(call.add_events(&events)?)
        }
        ("POST", "documents", _) => {
            let ask = request.text().await.map_err(exchange::fault)?;
            call.documents.answer(&ask)
        }
        ("PUT", "record", Some(wake_at)) => {
            let record = request.text().await.map_err(exchange::fault)?;
            status(match call.open(id, &record, wake_at).await? {
                true => 201,
                false => 409,
            })
        }
        ("PUT", "wake", Some(at)) => {
            call.wake_at(at).await?;
            status(204)
        }
        ("PUT", "audio", _) => {
            let order = request.text().await.map_err(exchange::fault)?;
            call.start_audio(&order)?;
            status(202)
        }
        ("DELETE", "audio", _) => {
            call.stop_audio()?;
            status(204)
        }
        ("GET", "stream", _) => call.stream(id).await,
        _ => status(404),
    }
}

fn show(facts: Option<String>) -> Result<Response, Fault> {
    match facts {
        Some(text) => Ok(ResponseBuilder::new().fixed(text.into_bytes())),
        None => status(404),
    }
}

fn status(code: u16) -> Result<Response, Fault> {
    Ok(ResponseBuilder::new().with_status(code).empty())
}

impl Call {
    /// Stores the record and arms the first deadline; false if the call exists.
    pub(crate) async fn open(&self, id: &str, record: &str, wake_at: Time) -> Result<bool, Fault> {
        // Both writes are of one turn, and so land together or not at all.
        let created = self.facts.open(id, record)?;
        if created {
            self.set_alarm(wake_at).await?;
        }
        Ok(created)
    }

    /// Adds events (JSON) and returns all facts (JSON); `None` if there is no such call.
    pub(crate) fn add_events(&self, events: &str) -> Result<Option<String>, Fault> {
        self.facts.add(events)?;
        self.facts.all()
    }

    pub(crate) async fn wake_at(&self, at: Time) -> Result<(), Fault> {
        if self.waking.get() {
            let earliest = self.asked.get().map_or(at, |asked| asked.min(at));
            self.asked.set(Some(earliest));
            return Ok(());
        }
        let set = self
            .state
            .storage()
            .get_alarm()
            .await
            .map_err(exchange::fault)?;
        match set.and_then(|ms| u64::try_from(ms).ok()) {
            Some(ms) if ms <= at.0 => Ok(()),
            _ => self.set_alarm(at).await,
        }
    }

    /// Arms the alarm that an earlier life of the object set. Cloudflare keeps alarms; workerd on a machine of one's own
    /// forgets them when it is killed, and only the object remembers. The same time would count as no change.
    async fn arm_again(&self) -> Result<(), Fault> {
        if self.armed.get() {
            return Ok(());
        }
        let set = self.state.storage().get_alarm().await;
        if let Some(ms) = set.map_err(exchange::fault)? {
            self.set_alarm(Time(u64::try_from(ms).unwrap_or(0) + 1))
                .await?;
        }
        // Where that failed the next request tries again.
        self.armed.set(true);
        Ok(())
    }

    async fn set_alarm(&self, at: Time) -> Result<(), Fault> {
        let date = Date::new(&JsValue::from_f64(at.0 as f64));
        let storage = self.state.storage();
        let set = storage.set_alarm(ScheduledTime::new(date)).await;
        set.map_err(exchange::fault)
    }

    /// Runs `task` on after the answer. The object stays as long as the runtime lets it: nothing may depend on that.
    pub(crate) fn go_on(self: &Rc<Call>, task: impl Future<Output = ()> + 'static) {
        self.state.wait_until(task);
    }

    /// The id, and the world outside as this call's own handlers see it.
    pub(crate) fn host(self: &Rc<Call>) -> Result<(CallId, Workers), Fault> {
        let id = self.facts.call()?.and_then(|id| CallId::parse(&id));
        let id = id.ok_or_else(|| Fault("an object without a call was woken".to_owned()))?;
        Ok((id, Workers::inside(self.env.clone(), id, self.clone())?))
    }
}

/// Sets the alarm that stays if this run breaks off: the runtime itself gives up on one after six attempts.
async fn begin_waking(call: &Rc<Call>) -> Result<(), Fault> {
    call.resume()?;
    call.set_alarm(now().plus_s(AGAIN_S)).await
}

/// Does what is due and sets the alarm for what is next.
async fn wake(call: &Rc<Call>) -> Result<(), Fault> {
    call.waking.set(true);
    let woken = match call.host() {
        Ok((id, host)) => functions::wake(&host, id).await,
        Err(fault) => Err(fault),
    };
    call.waking.set(false);
    let asked = call.asked.take();
    let next = match &woken {
        Ok(next) => {
            call.failed.set(0);
            [*next, asked].into_iter().flatten().min()
        }
        Err(_) => {
            let failed = call.failed.get().min(10);
            call.failed.set(failed + 1);
            Some(now().plus_s(LONGEST_PAUSE_S.min(1 << failed)))
        }
    };
    match next {
        Some(at) => call.set_alarm(at).await?,
        None => {
            let deleted = call.state.storage().delete_alarm().await;
            deleted.map_err(exchange::fault)?;
        }
    }
    woken.map(|_| ())
}

pub(crate) fn now() -> Time {
    Time(Date::now() as u64)
}
