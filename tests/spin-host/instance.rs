//! Instances of a component: how one is made, how many requests it serves, when it is dropped.
//! The numbers are Spin's defaults.

use crate::bindings;
use crate::manifest::Component;
use crate::outbound::{Clients, Outbound};
use crate::store::Database;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use wasmtime::component::{GuestTaskId, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Requests one instance serves before it is dropped.
const REUSES: usize = 128;
/// Requests it serves at once.
const CONCURRENT: usize = 16;
/// How long it stays without a request.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    Engine::new(&config)
}

pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    bindings::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// All that the host keeps for one instance.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) database: Arc<Database>,
    pub(crate) component: Arc<Component>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound,
        }
    }
}

/// Makes instances of one component.
pub(crate) struct Maker {
    pub(crate) engine: Engine,
    pub(crate) service: ServicePre<Guest>,
    pub(crate) component: Arc<Component>,
    pub(crate) database: Arc<Database>,
    pub(crate) clients: Clients,
    /// Whether the component's output is kept from the terminal.
    pub(crate) quiet: bool,
}

impl HandlerState for Maker {
    type StoreData = Guest;
    type WorkerExpiration = Idle;
    type WorkerState = Shared;

    async fn instantiate(&self) -> Result<Instance<Guest, Idle, Shared>> {
        let mut wasi = WasiCtx::builder();
        if !self.quiet {
            wasi.inherit_stdout().inherit_stderr();
        }
        let guest = Guest {
            table: ResourceTable::new(),
            database: self.database.clone(),
            component: self.component.clone(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound {
                hosts: self.component.hosts.clone(),
                clients: self.clients.clone(),
            },
        };
        let mut store = Store::new(&self.engine, guest);
        let proxy = ProxyPre::P3(self.service.clone())
            .instantiate_async(&mut store)
            .await?;
        Ok(Instance {
            store,
            proxy,
            view: Guest::http,
            expiration: Idle(Box::pin(tokio::time::sleep(IDLE))),
            state: Shared,
        })
    }
}

/// Ends an instance that has been idle for [`IDLE`].
pub(crate) struct Idle(Pin<Box<tokio::time::Sleep>>);

impl WorkerExpiration for Idle {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let until = (since + IDLE).into();
        if self.0.deadline() != until {
            self.0.as_mut().reset(until);
        }
        self.0.as_mut().poll(context)
    }
}

/// Lets requests share an instance, and takes no measure of time on them.
pub(crate) struct Shared;

impl WorkerState for Shared {
    type StoreData = Guest;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= REUSES {
            ShouldAccept::Never
        } else if concurrent >= CONCURRENT {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Guest>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, _: Store<Guest>, result: Result<()>) {
        if let Err(error) = result {
            eprintln!("spin-host: an instance failed, and every request in it: {error:?}");
        }
    }
}
