//! The suites of `cargo verify`, one row each, in the order they run.

use crate::stack::{Hosts, SPIN, WORKER};

/// One line of the report.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// The stack that runs while the suite does.
    pub(crate) stack: Option<Hosts>,
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
    alone("format", Work::Check(&["cargo", "fmt", "--all", "--check"])),
    alone(
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
    alone(
        "lints, Worker",
        Work::WasmClippy("host-worker", "wasm32-unknown-unknown"),
    ),
    alone(
        "lints, Spin component",
        Work::WasmClippy("host-spin", "wasm32-wasip2"),
    ),
    alone(
        "unit tests",
        Work::Tests(&[
            "test",
            "-p",
            "validation",
            "-p",
            "calls",
            "-p",
            "functions",
            "-p",
            "audio",
            "-p",
            "simulator",
            "-p",
            "stack",
        ]),
    ),
    alone(
        "contract cases, in process",
        Work::Tests(&["test", "-p", "tests"]),
    ),
    // Its dependencies are built with this profile already: the host is one of the pieces that run.
    alone(
        "Spin host",
        Work::Tests(&["test", "--profile", "native", "-p", "spin-host"]),
    ),
    alone(
        "simulator against npm twilio",
        Work::Check(&["node", "tests/simulator/check-signatures.mjs"]),
    ),
    alone(
        "wrangler deploy --dry-run",
        Work::Wrangler(&["deploy", "--dry-run", "--outdir", "target/dev/dry-run"]),
    ),
    on(
        WORKER,
        "contract cases, workerd",
        &[
            "test",
            "-p",
            "tests",
            "--test",
            "workerd",
            "--",
            "--ignored",
        ],
    ),
    on(
        WORKER,
        "calls, workerd",
        &["test", "-p", "tests", "--test", "calls", "--", "--ignored"],
    ),
    on(
        SPIN,
        "contract cases, Spin",
        &["test", "-p", "tests", "--test", "spin", "--", "--ignored"],
    ),
    on(
        SPIN,
        "calls, Spin",
        &["test", "-p", "tests", "--test", "calls", "--", "--ignored"],
    ),
    alone("nothing left running", Work::Leftovers),
];

const fn alone(name: &'static str, work: Work) -> Suite {
    Suite {
        name,
        stack: None,
        work,
    }
}

const fn on(hosts: Hosts, name: &'static str, words: &'static [&'static str]) -> Suite {
    Suite {
        name,
        stack: Some(hosts),
        work: Work::Tests(words),
    }
}
