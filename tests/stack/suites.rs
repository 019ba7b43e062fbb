//! The suites of `cargo verify`, one row each, in the order they run.

use crate::stack::{Hosts, SPIN, WORKER};

/// One line of the report.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// The stack that runs while the suite does.
    pub(crate) stack: Option<Hosts>,
    /// Whether it needs a container engine.
    pub(crate) containers: bool,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    /// Cargo with these words; libtest's summaries are added up.
    Tests(&'static [&'static str]),
    /// A program that passes or fails as a whole.
    Check(&'static [&'static str]),
    /// The wrangler of this checkout, with these words.
    Wrangler(&'static [&'static str]),
    /// Clippy for a host's own target, where the toolchain in use has both.
    WasmClippy(&'static str, &'static str),
    /// That nothing of all this is left running.
    Leftovers,
}

pub(crate) const SUITES: &[Suite] = &[
    suite("format", Work::Check(&["cargo", "fmt", "--all", "--check"])),
    suite(
        "lints",
        Work::Check(&[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    ),
    suite(
        "lints, Worker",
        Work::WasmClippy("host-worker", "wasm32-unknown-unknown"),
    ),
    suite(
        "lints, Spin component",
        Work::WasmClippy("host-spin", "wasm32-wasip2"),
    ),
    suite(
        "unit tests",
        Work::Tests(&[
            "test",
            "--workspace",
            "--exclude",
            "tests",
            "--exclude",
            "host-worker",
            "--exclude",
            "spin-host",
        ]),
    ),
    suite(
        "contract cases, in process",
        Work::Tests(&["test", "-p", "tests"]),
    ),
    // Its dependencies are built with this profile already: the host is one of the pieces that run.
    suite(
        "Spin host",
        Work::Tests(&["test", "--profile", "native", "-p", "spin-host"]),
    ),
    suite(
        "offline voice",
        Work::Tests(&[
            "test",
            "-p",
            "audio",
            "--test",
            "voice_container",
            "--",
            "--ignored",
        ]),
    ),
    suite(
        "launcher and containers",
        Work::Tests(&[
            "test",
            "-p",
            "audio",
            "--test",
            "launcher",
            "--",
            "--ignored",
        ]),
    )
    .with_containers(),
    suite(
        "simulator against npm twilio",
        Work::Check(&["node", "tests/simulator/check-signatures.mjs"]),
    ),
    suite(
        "wrangler deploy --dry-run",
        Work::Wrangler(&["deploy", "--dry-run", "--outdir", "target/dev/dry-run"]),
    ),
    suite(
        "contract cases, workerd",
        Work::Tests(&[
            "test",
            "-p",
            "tests",
            "--test",
            "workerd",
            "--",
            "--ignored",
        ]),
    )
    .on(WORKER),
    suite(
        "calls, workerd",
        Work::Tests(&["test", "-p", "tests", "--test", "calls", "--", "--ignored"]),
    )
    .on(WORKER),
    suite(
        "containers, workerd",
        Work::Tests(&[
            "test",
            "-p",
            "tests",
            "--test",
            "containers",
            "--",
            "--ignored",
        ]),
    )
    .on(WORKER)
    .with_containers(),
    suite(
        "contract cases, Spin",
        Work::Tests(&["test", "-p", "tests", "--test", "spin", "--", "--ignored"]),
    )
    .on(SPIN),
    suite(
        "calls, Spin",
        Work::Tests(&["test", "-p", "tests", "--test", "calls", "--", "--ignored"]),
    )
    .on(SPIN),
    suite(
        "containers, Spin",
        Work::Tests(&[
            "test",
            "-p",
            "tests",
            "--test",
            "containers",
            "--",
            "--ignored",
        ]),
    )
    .on(SPIN)
    .with_containers(),
    suite("nothing left running", Work::Leftovers),
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
    const fn on(self, hosts: Hosts) -> Suite {
        Suite {
            stack: Some(hosts),
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
