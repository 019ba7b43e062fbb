//! The outside world as Workers has it: KV for configuration, Durable Objects for calls and seats, `fetch`.

use crate::call_object::Call;
use crate::config;
use crate::documents::{Ask, Told};
use crate::exchange::{self, fault};
use crate::objects::{self, ask_call, ask_documents, ask_seats};
use calls::id::CallId;
use calls::seats::{Full, Lease, Limits, Seats};
use calls::settings::Settings;
use calls::time::Time;
use calls::voice::StartOrder;
use functions::{Entries, Facts, Fault, Opened, Owner, Platform, SendError, launcher};
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;
use worker::{Delay, Env, Fetch, Headers, Response, ResponseBody};

/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;

thread_local! {
    /// Settings are the deployment's, the same for every request of an isolate.
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

pub(crate) struct Workers {
    settings: Rc<Settings>,
    env: Env,
    /// Set inside a call's own object, which reaches its facts without a request.
    own: Option<(CallId, Rc<Call>)>,
}

impl Workers {
    pub(crate) fn new(env: Env) -> Result<Workers, Fault> {
        Ok(Workers {
            settings: settings(&env)?,
            env,
            own: None,
        })
    }

    /// The platform for what a call's object does by itself.
    pub(crate) fn inside(env: Env, id: CallId, call: Rc<Call>) -> Result<Workers, Fault> {
        Ok(Workers {
            own: Some((id, call)),
            ..Workers::new(env)?
        })
    }

    /// Has the call's object answer a media socket's upgrade.
    pub(crate) async fn media(&self, call: CallId) -> Result<Response, Fault> {
        objects::media(&self.env, call).await
    }

    /// Asks the owner's object; a call's own handlers reach it without a request.
    async fn tell(&self, owner: &Owner, ask: Ask) -> Result<Told, Fault> {
        match owner {
            Owner::Call(call) => match self.own(*call) {
                Some(own) => own.documents.tell(ask),
                None => ask_documents(&self.env, owner, &ask).await,
            },
            _ => ask_documents(&self.env, owner, &ask).await,
        }
    }

    fn own(&self, call: CallId) -> Option<&Rc<Call>> {
        let (own, object) = self.own.as_ref()?;
        (*own == call).then_some(object)
    }
}

impl Platform for Workers {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Time {
        crate::call_object::now()
    }

    fn random(&self) -> [u8; 16] {
        random()
    }

    fn log(&self, line: &str) {
        worker::console_log!("{line}");
    }

    async fn get(&self, key: &str) -> Result<Option<String>, Fault> {
        config::get(&self.env, key).await
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), Fault> {
        config::put(&self.env, key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        config::delete(&self.env, key).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        config::keys(&self.env, prefix).await
    }

    async fn open_call(&self, call: CallId, record: &str, wake_at: Time) -> Result<Opened, Fault> {
        let created = match self.own(call) {
            Some(own) => own.open(&call.to_string(), record, wake_at).await?,
            None => objects::open_call(&self.env, call, wake_at, record).await?,
        };
        Ok(if created {
            Opened::Created
        } else {
            Opened::Exists
        })
    }

    async fn add_events(
        &self,
        call: CallId,
        events: &[(String, String)],
    ) -> Result<Option<Facts>, Fault> {
        let events = serde_json::to_string(events).map_err(fault)?;
        match self.own(call) {
            Some(own) => own.add_events(&events)?.as_deref().map(facts).transpose(),
            None => found(ask_call(&self.env, call, ("POST", "events"), &events).await?),
        }
    }

    async fn read_call(&self, call: CallId) -> Result<Option<Facts>, Fault> {
        match self.own(call) {
            Some(own) => own.facts.all()?.as_deref().map(facts).transpose(),
            None => found(ask_call(&self.env, call, ("GET", "facts"), "").await?),
        }
    }

    async fn wake_at(&self, call: CallId, at: Time) -> Result<(), Fault> {
        match self.own(call) {
            Some(own) => own.wake_at(at).await,
            None => {
                let what = format!("wake/{}", at.0);
                ask_call(&self.env, call, ("PUT", &what), "")
                    .await
                    .map(|_| ())
            }
        }
    }

    async fn due(&self, _most: usize, _again: Time) -> Result<Vec<(CallId, String)>, Fault> {
        Ok(Vec::new())
    }

    async fn woken(&self, _call: CallId, _ticket: &str) -> Result<(), Fault> {
        Ok(())
    }

    async fn document(&self, owner: &Owner, name: &str) -> Result<Option<String>, Fault> {
        let documents = self.documents(owner, &[name.to_owned()]).await?;
        Ok(documents.into_iter().next().flatten())
    }

    async fn documents(
        &self,
        owner: &Owner,
        names: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        let names = names.to_vec();
        match self.tell(owner, Ask::Read { names }).await? {
            Told::Documents(texts) => Ok(texts),
            _ => Err(odd()),
        }
    }

    async fn swap(
        &self,
        owner: &Owner,
        name: &str,
        was: Option<&str>,
        to: Option<&str>,
    ) -> Result<bool, Fault> {
        let ask = Ask::Swap {
            name: name.to_owned(),
            was: was.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        match self.tell(owner, ask).await? {
            Told::Swapped(done) => Ok(done),
            _ => Err(odd()),
        }
    }

    async fn fill(&self, owner: &Owner, documents: &[(String, String)]) -> Result<(), Fault> {
        let documents = documents.to_vec();
        match self.tell(owner, Ask::Fill { documents }).await? {
            Told::Filled => Ok(()),
            _ => Err(odd()),
        }
    }

    async fn append(&self, owner: &Owner, series: &str, texts: &[String]) -> Result<u64, Fault> {
        let ask = Ask::Append {
            series: series.to_owned(),
            texts: texts.to_vec(),
        };
        match self.tell(owner, ask).await? {
            Told::Appended(number) => Ok(number),
            _ => Err(odd()),
        }
    }

    async fn entries(
        &self,
        owner: &Owner,
        series: &str,
        upto: Option<u64>,
        most: usize,
    ) -> Result<Entries, Fault> {
        let series = series.to_owned();
        match self
            .tell(owner, Ask::Entries { series, upto, most })
            .await?
        {
            Told::Entries(last, found) => Ok(Entries { last, found }),
            _ => Err(odd()),
        }
    }

    async fn take_seat(
        &self,
        organization: &str,
        lease: Lease,
        limits: &Limits,
    ) -> Result<Result<(), Full>, Fault> {
        let asked = serde_json::to_string(&(lease, limits)).map_err(fault)?;
        let (status, full) = ask_seats(&self.env, organization, "POST", &asked).await?;
        match status {
            201 => Ok(Ok(())),
            _ => Ok(Err(serde_json::from_str(&full).map_err(fault)?)),
        }
    }

    async fn free_seat(&self, organization: &str, call: CallId) -> Result<(), Fault> {
        let call = call.to_string();
        ask_seats(&self.env, organization, "DELETE", &call).await?;
        Ok(())
    }

    async fn seats(&self, organization: &str) -> Result<Seats, Fault> {
        let (_, seats) = ask_seats(&self.env, organization, "GET", "").await?;
        serde_json::from_str(&seats).map_err(fault)
    }

    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        timeout_ms: u64,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        let not_sent = |error: worker::Error| SendError::NotSent(error.to_string());
        // What `fetch` throws does not say how far the request came.
        let unclear = |error: worker::Error| SendError::Unclear(error.to_string());
        let headers = Headers::new();
        for (name, value) in request.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers.append(name.as_str(), &value).map_err(not_sent)?;
        }
        let url = request.uri().to_string();
        let line = (request.method().as_str(), url.as_str());
        let sent = exchange::request(line, &headers, request.body(), None).map_err(not_sent)?;
        let signal = exchange::timeout(timeout_ms);
        let fetch = Fetch::Request(sent);
        let answer = fetch.send_with_signal(&signal).await.map_err(unclear)?;
        let mut received = http::Response::builder().status(answer.status_code());
        for (name, value) in answer.headers() {
            received = received.header(name, value);
        }
        let body = match answer.body() {
            ResponseBody::Stream(stream) => {
                let read = exchange::read_body(stream.clone(), ANSWER_LIMIT).await;
                read.map_err(unclear)?
            }
            ResponseBody::Body(bytes) => bytes.clone(),
            ResponseBody::Empty => Vec::new(),
        };
        let received = received.body(body);
        received.map_err(|error| SendError::Unclear(error.to_string()))
    }

    async fn start_audio(&self, call: CallId, order: &StartOrder) -> Result<(), Fault> {
        if self.settings.launcher.is_some() {
            return launcher::start_session(self, order).await;
        }
        let order = serde_json::to_string(order).map_err(fault)?;
        match self.own(call) {
            Some(own) => own.start_audio(&order),
            None => {
                let asked = ask_call(&self.env, call, ("PUT", "audio"), &order).await;
                asked.map(|_| ())
            }
        }
    }

    async fn pause(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }

    async fn stop_audio(&self, call: CallId) -> Result<(), Fault> {
        if self.settings.launcher.is_some() {
            return launcher::stop_session(self, call).await;
        }
        match self.own(call) {
            Some(own) => own.stop_audio(),
            None => {
                let asked = ask_call(&self.env, call, ("DELETE", "audio"), "").await;
                asked.map(|_| ())
            }
        }
    }
}

fn settings(env: &Env) -> Result<Rc<Settings>, Fault> {
    if let Some(settings) = SETTINGS.with(|kept| kept.get().cloned()) {
        return Ok(settings);
    }
    let look_up = |name: &str| env.var(name).ok().map(|value| value.to_string());
    let parsed = Settings::parse(look_up).map_err(|wrong| Fault(wrong.join("; ")))?;
    let settings = Rc::new(parsed);
    SETTINGS.with(|kept| Ok(kept.get_or_init(|| settings).clone()))
}

fn odd() -> Fault {
    Fault("the object answered something else".to_owned())
}

fn found((status, text): (u16, String)) -> Result<Option<Facts>, Fault> {
    (status == 200).then(|| facts(&text)).transpose()
}

fn facts(text: &str) -> Result<Facts, Fault> {
    #[derive(serde::Deserialize)]
    struct Stored {
        record: String,
        events: Vec<(String, String)>,
    }
    let stored: Stored = serde_json::from_str(text).map_err(fault)?;
    Ok(Facts {
        record: stored.record,
        events: stored.events,
    })
}

pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("Workers have crypto.getRandomValues");
    bytes
}
