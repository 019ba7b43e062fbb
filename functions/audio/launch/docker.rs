//! A voice as a container, through the Docker Engine API on its local socket.

use crate::net;
use anyhow::{Context as _, bail, ensure};
use calls::voice::PORT;
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Spoken by engines from 20.10 on.
const API: &str = "http://engine/v1.41";
const SOCKET: &str = "/var/run/docker.sock";
const ANSWER: Duration = Duration::from_secs(20);
/// What one call may use: a few times of what it was measured to need.
const MEMORY: u64 = 128 * 1024 * 1024;
const NANO_CPUS: u64 = 1_000_000_000;
const PROCESSES: u64 = 32;
/// How often a container is tried to be started: the port that the engine picks may be taken meanwhile, by any connection
/// of this machine to another.
const ATTEMPTS: usize = 3;

pub(super) struct Docker {
    http: Client,
    image: String,
    /// This launcher's address, by which it knows its own containers.
    launcher: String,
}

pub(super) struct Container {
    id: String,
    /// Gives the exit code once the container is gone.
    pub(super) exit: JoinHandle<anyhow::Result<i64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Waited {
    status_code: i64,
}

impl Docker {
    /// The engine on this machine, if it answers and has the image.
    pub(super) async fn with_image(image: &str, launcher: SocketAddr) -> anyhow::Result<Docker> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let socket = host.strip_prefix("unix://").unwrap_or(SOCKET).to_owned();
        let docker = Docker {
            http: net::builder()?.unix_socket(socket.as_str()).build()?,
            image: image.to_owned(),
            launcher: launcher.to_string(),
        };
        let found = docker
            .ask(Method::GET, &format!("/images/{image}/json"), None)
            .await;
        let found = found.with_context(|| format!("no container engine answers on {socket}"))?;
        ensure!(
            found.status() != StatusCode::NOT_FOUND,
            "the engine has no image {image}"
        );
        ensure!(
            found.status().is_success(),
            "the engine answers {}",
            found.status()
        );
        Ok(docker)
    }

    /// Starts the container of one call and tells where its voice listens. One that does not start is removed before
    /// another is tried.
    pub(super) async fn start(
        &self,
        call: &str,
        voice_key: &str,
    ) -> anyhow::Result<(Container, String)> {
        for _ in 1..ATTEMPTS {
            match self.start_one(call, voice_key).await {
                Ok(started) => return Ok(started),
                Err(error) => eprintln!("call {call}: its container did not start: {error:#}"),
            }
        }
        self.start_one(call, voice_key).await
    }

    async fn start_one(&self, call: &str, voice_key: &str) -> anyhow::Result<(Container, String)> {
        let port = format!("{PORT}/tcp");
        let wanted = json!({
            "Image": self.image,
            "Env": [format!("VOICE_KEY={voice_key}")],
            "Labels": {"ringdown": "1", "ringdown-call": call, "ringdown-launcher": self.launcher},
            "ExposedPorts": {port.as_str(): {}},
            "HostConfig": {
                "AutoRemove": true,
                "PortBindings": {port.as_str(): [{"HostIp": "127.0.0.1", "HostPort": ""}]},
                "ReadonlyRootfs": true,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": MEMORY,
                "MemorySwap": MEMORY,
                "NanoCpus": NANO_CPUS,
                "PidsLimit": PROCESSES,
            },
        });
        let path = format!("/containers/create?name=ringdown-{call}");
        let Named { id } = self.get(Method::POST, &path, Some(wanted)).await?;
        let container = Container {
            exit: self.wait(&id),
            id,
        };
        match self.run(&container, &port).await {
            Ok(address) => Ok((container, address)),
            Err(error) => {
                self.remove(&container).await;
                Err(error)
            }
        }
    }

    async fn run(&self, container: &Container, port: &str) -> anyhow::Result<String> {
        let path = format!("/containers/{}/start", container.id);
        let started = self.ask(Method::POST, &path, None).await?;
        check(started).await?;
        let path = format!("/containers/{}/json", container.id);
        let found: Value = self.get(Method::GET, &path, None).await?;
        let published = &found["NetworkSettings"]["Ports"][port][0]["HostPort"];
        let published = published
            .as_str()
            .context("the container's port is not published")?;
        Ok(format!("http://127.0.0.1:{published}"))
    }

    /// Asked before the container starts, since a container that is gone cannot be waited for.
    fn wait(&self, id: &str) -> JoinHandle<anyhow::Result<i64>> {
        let url = format!("{API}/containers/{id}/wait?condition=removed");
        let asked = self.http.post(url).send();
        tokio::spawn(async move {
            let waited: Waited = check(asked.await?).await?.json().await?;
            Ok(waited.status_code)
        })
    }

    /// Kills and removes a container; none there is as good.
    pub(super) async fn remove(&self, container: &Container) {
        if let Err(error) = self.remove_by_id(&container.id).await {
            eprintln!("launcher: a container is not removed: {error:#}");
        }
    }

    async fn remove_by_id(&self, id: &str) -> anyhow::Result<()> {
        let path = format!("/containers/{id}?force=true");
        let removed = self.ask(Method::DELETE, &path, None).await?;
        // 409: it is being removed already.
        if ![StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&removed.status()) {
            check(removed).await?;
        }
        Ok(())
    }

    /// Removes what a launcher at the same address left behind when it was killed.
    pub(super) async fn remove_leftovers(&self) -> anyhow::Result<usize> {
        let ours = format!("ringdown-launcher={}", self.launcher);
        let filters = json!({"label": ["ringdown=1", ours]}).to_string();
        let mut url = reqwest::Url::parse(&format!("{API}/containers/json"))?;
        url.query_pairs_mut()
            .append_pair("all", "1")
            .append_pair("filters", &filters);
        let found = self.http.get(url).timeout(ANSWER).send().await?;
        let found: Vec<Named> = check(found).await?.json().await?;
        for container in &found {
            self.remove_by_id(&container.id).await?;
        }
        Ok(found.len())
    }

    async fn get<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        let response = self.ask(method, path, body).await?;
        Ok(check(response).await?.json().await?)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<reqwest::Response> {
        let request = self
            .http
            .request(method, format!("{API}{path}"))
            .timeout(ANSWER);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
        .send()
        .await
    }
}

/// The engine's own words if it refuses.
async fn check(response: reqwest::Response) -> anyhow::Result<reqwest::Response> {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let said: Value = response.json().await.unwrap_or_default();
    bail!(
        "the engine answers {status}: {}",
        said["message"].as_str().unwrap_or_default()
    )
}
