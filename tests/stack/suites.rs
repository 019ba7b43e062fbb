//! The suites of `cargo verify`, one row each, in the order they run. Neighbours that want the same kind of stack share
//! one, where the two hosts' rows run side by side.

use crate::stack::{Hosts, SPIN, WORKER};

/// One line of the report.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// The stack that runs while the suite does.
    pub(crate) stack: Option<On>,
    /// Whether it needs a container engine.
    pub(crate) containers: bool,
    pub(crate) work: Work,
}

/// A running stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct On {
    pub(crate) hosts: Hosts,
    /// Whether voices are processes of this machine, also where there is a container engine.
    pub(crate) processes: bool,
}

pub(crate) enum Work {
    /// Cargo with these words; libtest's summaries are added up.
    Tests(&'static str),
    /// A line of shell that passes or fails as a whole.
    Check(&'static str),
    /// The wrangler of this checkout, with these words.
    Wrangler(&'static str),
    /// Clippy for a host's own target, where the toolchain in use has both.
    WasmClippy(&'static str, &'static str),
    /// That nothing of all this is left running.
    Leftovers,
}

use Work::{Check, Leftovers, Tests, WasmClippy, Wrangler};

#[rustfmt::skip] // One row, one suite.
pub(crate) const SUITES: &[Suite] = &[
    suite("format", Check("cargo fmt --all --check")),
    suite("lints", Check("cargo clippy --workspace --all-targets -- -D warnings")),
    suite("lints, Worker", WasmClippy("host-worker", "wasm32-unknown-unknown")),
    suite("lints, Spin component", WasmClippy("host-spin", "wasm32-wasip2")),
    suite("unit tests", Tests("test --no-fail-fast --workspace --exclude tests --exclude spin-host")),
    suite("contract cases, in process", Tests("test --no-fail-fast -p tests")),
    // With the profile that its dependencies were built with, because it is one of the pieces that run.
    suite("Spin host for tests", Tests("test --profile native -p spin-host")),
    suite("offline voice", Tests("test -p audio -- --ignored spoken")),
    suite("launcher and containers", Tests("test -p audio -- --ignored containers")).with_containers(),
    suite("signatures, npm twilio", Check("target/native/simulator --print-vectors | node tests/simulator/check-signatures.mjs")),
    suite("wrangler deploy --dry-run", Wrangler("deploy --dry-run --outdir target/dev/dry-run")),
    suite("calls, workerd", Tests("test -p tests --test calls -- --ignored --test-threads 4")).on(WORKER),
    suite("reports, workerd", Tests("test -p tests --test reports -- --ignored --test-threads 4")).on(WORKER),
    suite("containers, workerd", Tests("test -p tests --test containers -- --ignored")).on(WORKER).with_containers(),
    suite("sockets, workerd", Tests("test -p tests --test sockets -- --ignored")).on(WORKER),
    suite("calls, Spin", Tests("test -p tests --test calls -- --ignored --test-threads 4")).on(SPIN),
    suite("reports, Spin", Tests("test -p tests --test reports -- --ignored --test-threads 4")).on(SPIN),
    suite("containers, Spin", Tests("test -p tests --test containers -- --ignored")).on(SPIN).with_containers(),
    suite("sockets, Spin", Tests("test -p tests --test sockets -- --ignored")).on(SPIN),
    // So many calls that two cores would be busy with starting a container for each.
    suite("contract cases, workerd", Tests("test -p tests --test workerd -- --ignored")).without_containers(WORKER),
    suite("documents' examples, workerd", Tests("test -p tests --test documents -- --ignored")).without_containers(WORKER),
    suite("schemathesis, workerd", Tests("test -p tests --test fuzz -- --ignored")).without_containers(WORKER),
    suite("faults, workerd", Tests("test -p tests --test faults -- --ignored --nocapture")).without_containers(WORKER),
    suite("load, workerd", Tests("test -p tests --test load -- --ignored --nocapture --test-threads 1")).without_containers(WORKER),
    suite("contract cases, Spin", Tests("test -p tests --test spin -- --ignored")).without_containers(SPIN),
    suite("documents' examples, Spin", Tests("test -p tests --test documents -- --ignored")).without_containers(SPIN),
    suite("schemathesis, Spin", Tests("test -p tests --test fuzz -- --ignored")).without_containers(SPIN),
    suite("faults, Spin", Tests("test -p tests --test faults -- --ignored --nocapture")).without_containers(SPIN),
    suite("load, Spin", Tests("test -p tests --test load -- --ignored --nocapture --test-threads 1")).without_containers(SPIN),
    suite("nothing left running", Leftovers),
];

const fn suite(name: &'static str, work: Work) -> Suite {
    Suite {
        name,
        stack: None,
        containers: false,
        work,
    }
}

impl Suite {
    /// Whether one stack serves both.
    pub(crate) fn same_stack(&self, other: &Suite) -> bool {
        self.stack.map(|on| on.processes) == other.stack.map(|on| on.processes)
    }

    const fn on(self, hosts: Hosts) -> Suite {
        let processes = false;
        Suite {
            stack: Some(On { hosts, processes }),
            ..self
        }
    }

    /// For suites of so many calls that containers would take longest of all.
    const fn without_containers(self, hosts: Hosts) -> Suite {
        let processes = true;
        Suite {
            stack: Some(On { hosts, processes }),
            ..self
        }
    }

    const fn with_containers(self) -> Suite {
        Suite {
            containers: true,
            ..self
        }
    }
}
