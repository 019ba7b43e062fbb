//! Runs the Spin component where no `spin` binary is at hand: `spin-host up [--manifest spin.toml] [--listen ADDRESS]
//! [--state-dir FOLDER] [--variable NAME=VALUE]… [--quiet]`. It offers exactly what that component imports, and
//! behaves as Spin 4.1 does where the tests can tell.

mod allowed;
mod bindings;
mod instance;
mod keyvalue;
mod manifest;
mod outbound;
mod route;
mod server;
mod store;

use anyhow::{Context, Result, bail};
use instance::Maker;
use manifest::App;
use server::Server;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::component::Component;
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::p3::bindings::ServicePre;

const USAGE: &str = "spin-host up [--manifest spin.toml] [--listen 127.0.0.1:3000] [--state-dir .spin] [--variable NAME=VALUE]… [--quiet]";

struct Arguments {
    manifest: PathBuf,
    listen: SocketAddr,
    state: Option<PathBuf>,
    variables: HashMap<String, String>,
    quiet: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::read(std::env::args().skip(1)).context(USAGE)?;
    let from_environment = |name: &str| std::env::var(name).ok();
    let app = App::read(&arguments.manifest, &arguments.variables, from_environment)?;
    let server = Arc::new(load(app, &arguments)?);
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("Serving http://{}", listener.local_addr()?);
    for (route, component) in &server.routes {
        println!("  {component}: {}", route.raw);
    }
    server.serve(listener).await
}

/// Opens the store and compiles the components; one file is compiled once, however often it is mounted.
fn load(app: App, arguments: &Arguments) -> Result<Server> {
    let state = match &arguments.state {
        Some(folder) => folder.clone(),
        None => arguments.manifest.with_file_name(".spin"),
    };
    std::fs::create_dir_all(&state)
        .with_context(|| format!("{} cannot be made", state.display()))?;
    let database = Arc::new(store::Database::open(&state.join("sqlite_key_value.db"))?);
    let engine = instance::engine()?;
    let linker = instance::linker(&engine)?;
    let clients = outbound::Clients::default();
    let mut compiled = HashMap::new();
    let mut components = HashMap::new();
    for (name, component) in app.components {
        let service: ServicePre<_> = match compiled.get(&component.source) {
            Some(service) => Clone::clone(service),
            None => {
                let code = Component::from_file(&engine, &component.source)
                    .map_err(anyhow::Error::from)
                    .with_context(|| format!("{} does not load", component.source.display()))?;
                let service = ServicePre::new(linker.instantiate_pre(&code)?)?;
                compiled.insert(component.source.clone(), service.clone());
                service
            }
        };
        let maker = Maker {
            engine: engine.clone(),
            service,
            component: Arc::new(component),
            database: database.clone(),
            clients: clients.clone(),
            quiet: arguments.quiet,
        };
        components.insert(name, ProxyHandler::new(maker));
    }
    Ok(Server {
        name: app.name,
        version: app.version,
        routes: app.routes,
        components,
    })
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
        if words.next().as_deref() != Some("up") {
            bail!("the one command is `up`");
        }
        let mut arguments = Arguments {
            manifest: PathBuf::from("spin.toml"),
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            state: None,
            variables: HashMap::new(),
            quiet: false,
        };
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--manifest" | "--from" | "-f" => arguments.manifest = value()?.into(),
                "--listen" => arguments.listen = value()?.parse()?,
                "--state-dir" => arguments.state = Some(value()?.into()),
                "--variable" => {
                    let pair = value()?;
                    let (name, value) = pair
                        .split_once('=')
                        .context("--variable needs NAME=VALUE")?;
                    arguments
                        .variables
                        .insert(name.to_owned(), value.to_owned());
                }
                "--quiet" => arguments.quiet = true,
                _ => bail!("{word} is not understood"),
            }
        }
        Ok(arguments)
    }
}
