//! The call's own voice container: started, given its order, watched, connected to the media socket, stopped.

use crate::call_object::{Call, now};
use crate::exchange;
use crate::facts::Audio;
use calls::voice;
use functions::Fault;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use worker::js_sys::{Object, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::{Delay, Headers, Request, Response, ResponseBuilder};

/// How long a container may take from its start until it has the order, in seconds, other attempts included.
const START_S: u64 = 25;
/// How long the media socket waits for a container that is not ready, in seconds. Twilio's own patience is not longer.
const CONNECT_S: u64 = 10;
/// How long a container without a call, or that cannot be told to stop, may go on, in milliseconds.
const GRACE_MS: u64 = 4_000;
/// How often a container is asked whether it listens yet, in milliseconds.
const POLL_MS: u64 = 25;
/// How long a container may take to answer, in milliseconds.
const ANSWER_MS: u64 = 2_000;
/// The pause before another container is started in place of one that failed, in milliseconds.
const RESTART_MS: u64 = 1_000;
/// How many containers may fail before the media socket comes.
const MOST_FAILURES: u32 = 3;

/// What is known of the container in this life of the object; [`Audio`] is what outlives it.
#[derive(Default)]
pub(crate) struct Container {
    resumed: Cell<bool>,
    starting: Cell<bool>,
    /// Whether the container running now has the order.
    ready: Cell<bool>,
    /// How many containers failed.
    failures: Cell<u32>,
    /// How many times containers were to end: whose end was wanted is no loss.
    ended: Cell<u32>,
    /// How many of these ends are under way: no order is brought to a container that is about to end.
    ending: Cell<u32>,
}

impl Call {
    /// Takes up again what an earlier life of the object left: it may have been moved or restarted.
    pub(crate) fn resume(self: &Rc<Call>) -> Result<(), Fault> {
        if self.container.resumed.replace(true) {
            return Ok(());
        }
        let running = self.state.container().is_some_and(|c| c.running());
        match self.facts.audio()? {
            None => {}
            Some(Audio::Ordered(_)) => {
                if running {
                    self.watch();
                }
                self.bring_up();
            }
            Some(Audio::Connected) if running => {
                self.container.ready.set(true);
                self.watch();
            }
            Some(Audio::Connected) => {
                let call = self.clone();
                self.go_on(async move { call.lost("the container ended with its object").await });
            }
            Some(Audio::Lost) => {
                if running {
                    self.bring_down();
                }
                // Perhaps nobody was told.
                let call = self.clone();
                self.go_on(async move { call.tell_lost("the container was lost").await });
            }
            Some(Audio::Stopped) if running => self.bring_down(),
            Some(Audio::Stopped) => {}
        }
        Ok(())
    }

    pub(crate) fn start_audio(self: &Rc<Call>, order: &str) -> Result<(), Fault> {
        self.running()?;
        self.facts.set_audio(&Audio::Ordered(order.to_owned()))?;
        self.bring_up();
        Ok(())
    }

    pub(crate) fn stop_audio(self: &Rc<Call>) -> Result<(), Fault> {
        self.facts.set_audio(&Audio::Stopped)?;
        self.bring_down();
        Ok(())
    }

    /// Answers the media socket's upgrade with the container's own answer.
    pub(crate) async fn stream(self: &Rc<Call>, id: &str) -> Result<Response, Fault> {
        let until = now().plus_s(CONNECT_S);
        while !self.container.ready.get() {
            if !matches!(self.facts.audio()?, Some(Audio::Ordered(_))) || now() > until {
                return Ok(ResponseBuilder::new().with_status(503).empty());
            }
            self.bring_up();
            pause(POLL_MS).await;
        }
        let headers = Headers::new();
        let upgrade = headers.set("upgrade", "websocket");
        upgrade.map_err(exchange::fault)?;
        let url = format!("http://container/calls/{id}/stream");
        let request = exchange::request(("GET", &url), &headers, b"", None);
        let answer = self.send(request.map_err(exchange::fault)?).await?;
        if answer.status_code() == 101 {
            self.facts.set_audio(&Audio::Connected)?;
        }
        Ok(answer)
    }

    /// Sees to it that a container runs and has the order; does nothing if one has it, or soon will.
    fn bring_up(self: &Rc<Call>) {
        if self.container.ready.get() || self.container.starting.replace(true) {
            return;
        }
        let call = self.clone();
        self.go_on(async move {
            let up = call.deliver().await;
            call.container.starting.set(false);
            if let Err(fault) = up {
                call.lost(&fault.0).await;
            }
        });
    }

    async fn deliver(self: &Rc<Call>) -> Result<(), Fault> {
        let until = now().plus_s(START_S);
        let mut started = false;
        loop {
            let Some(Audio::Ordered(order)) = self.facts.audio()? else {
                return Ok(());
            };
            if self.container.ending.get() > 0 {
                pause(POLL_MS).await;
                continue;
            }
            if !self.running()? {
                if started {
                    pause(RESTART_MS).await;
                }
                self.start()?;
                started = true;
            }
            let cause = match self.ask("POST", "/calls", &order).await {
                Ok(answer) if matches!(answer.status_code(), 200 | 201) => {
                    self.container.ready.set(true);
                    return Ok(());
                }
                Ok(answer) if answer.status_code() < 500 => {
                    let status = answer.status_code();
                    return Err(Fault(format!("the container refused the order: {status}")));
                }
                Ok(answer) => format!("status {}", answer.status_code()),
                Err(fault) => fault.0,
            };
            if now() > until {
                return Err(Fault(format!("the container did not start: {cause}")));
            }
            pause(POLL_MS).await;
        }
    }

    /// Starts the image's own command with access to the network: the container reports to the gateway.
    fn start(self: &Rc<Call>) -> Result<(), Fault> {
        let container = self.state.as_raw().container().ok_or_else(no_container)?;
        let options = Object::new();
        Reflect::set(&options, &"enableInternet".into(), &JsValue::TRUE)
            .and_then(|_| container.start(&options))
            .map_err(|error| Fault(exchange::thrown(error)))?;
        self.watch();
        Ok(())
    }

    /// Waits for the container's end. Before the media socket came, the order is brought to another one.
    fn watch(self: &Rc<Call>) {
        let call = self.clone();
        let ends = call.container.ended.get();
        self.go_on(async move {
            let Some(container) = call.state.container() else {
                return;
            };
            let ended = container.wait_for_exit().await;
            if call.container.ended.get() != ends {
                return;
            }
            // One that ended in order before it had the order has failed as well. (A local workerd may say so of a
            // container that is about to start: https://github.com/cloudflare/workerd, `ContainerClient::monitor`.)
            let failed = !call.container.ready.replace(false) || ended.is_err();
            let failures = call.container.failures.get() + u32::from(failed);
            call.container.failures.set(failures);
            let again = failed && failures < MOST_FAILURES;
            let cause = match ended {
                Ok(()) => "the container exited".to_owned(),
                Err(error) => error.to_string(),
            };
            match call.facts.audio() {
                Ok(Some(Audio::Ordered(_))) if again => call.bring_up(),
                Ok(Some(Audio::Ordered(_) | Audio::Connected)) => call.lost(&cause).await,
                _ => {}
            }
        });
    }

    /// Makes sure that the audio is gone, and tells the call, which may order another container from then on.
    async fn lost(self: &Rc<Call>, cause: &str) {
        if let Err(fault) = self.facts.set_audio(&Audio::Lost) {
            let line = serde_json::json!({"level": "error", "audio_lost": cause, "cause": fault.0});
            worker::console_error!("{line}");
        }
        self.container.failures.set(0);
        self.bring_down();
        self.tell_lost(cause).await;
    }

    async fn tell_lost(self: &Rc<Call>, cause: &str) {
        let told = match self.host() {
            Ok((id, host)) => functions::audio_lost(&host, id, cause).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = told {
            let line = serde_json::json!({"level": "error", "audio_lost": cause, "cause": fault.0});
            worker::console_error!("{line}");
        }
    }

    /// Asks the container to end, leaves it time for its last reports, and ends it. Nothing waits for that.
    fn bring_down(self: &Rc<Call>) {
        let call = self.clone();
        let Container {
            ready,
            ended,
            ending,
            ..
        } = &self.container;
        ready.set(false);
        ended.set(ended.get() + 1);
        ending.set(ending.get() + 1);
        self.go_on(async move {
            if let Err(fault) = call.end().await {
                let line = serde_json::json!({"level": "warn", "stop_audio": fault.0});
                worker::console_warn!("{line}");
            }
            let ending = &call.container.ending;
            ending.set(ending.get() - 1);
        });
    }

    async fn end(self: &Rc<Call>) -> Result<(), Fault> {
        if !self.running()? {
            return Ok(());
        }
        let told = match self.facts.call()? {
            Some(id) => self.ask("DELETE", &format!("/calls/{id}"), "").await,
            None => Err(Fault("an object without a call".to_owned())),
        };
        // One that has a call ends by itself, as soon as what it has to tell was taken.
        let told = told.is_ok_and(|answer| answer.status_code() == 204);
        let grace_ms = if told {
            voice::ENDING_S * 1_000
        } else {
            GRACE_MS
        };
        let until = now().0 + grace_ms;
        while self.running()? && now().0 < until {
            pause(4 * POLL_MS).await;
        }
        if self.running()? {
            let container = self.state.container().ok_or_else(no_container)?;
            container.destroy(None).await.map_err(exchange::fault)?;
            if told {
                let why = "the container ended before all of its reports were taken";
                return Err(Fault(why.to_owned()));
            }
        }
        Ok(())
    }

    fn running(&self) -> Result<bool, Fault> {
        let container = self.state.container().ok_or_else(no_container)?;
        Ok(container.running())
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Response, Fault> {
        let headers = Headers::new();
        let json = headers.set("content-type", "application/json");
        json.map_err(exchange::fault)?;
        let url = format!("http://container{path}");
        let signal = exchange::timeout(ANSWER_MS);
        let request = exchange::request((method, &url), &headers, body.as_bytes(), Some(&signal));
        self.send(request.map_err(exchange::fault)?).await
    }

    async fn send(&self, request: Request) -> Result<Response, Fault> {
        let container = self.state.container().ok_or_else(no_container)?;
        let port = container.get_tcp_port(voice::PORT);
        let port = port.map_err(exchange::fault)?;
        port.fetch_request(request).await.map_err(exchange::fault)
    }
}

fn no_container() -> Fault {
    Fault(
        "no container is configured for this object: see [[containers]] in wrangler.toml"
            .to_owned(),
    )
}

async fn pause(ms: u64) {
    Delay::from(Duration::from_millis(ms)).await;
}
