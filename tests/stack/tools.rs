//! Everything that set-up may install or build on a machine: the list the README quotes. Nothing else is installed.

use crate::screen::say;

pub(crate) const RUST: &str = "1.95";
pub(crate) const NODE_MAJOR: u32 = 20;
pub(crate) const PYTHON: &str = "3.10";
pub(crate) const WORKER_BUILD: &str = "0.8.7";
/// Has to equal the wasm-bindgen crate in Cargo.lock.
pub(crate) const WASM_BINDGEN: &str = "0.2.129";

struct Tool {
    name: &'static str,
    why: &'static str,
    how: &'static str,
}

const TOOLS: [Tool; 14] = [
    Tool {
        name: "Rust 1.95 or newer, a C compiler",
        why: "compile everything",
        how: "yours; never installed (https://rustup.rs)",
    },
    Tool {
        name: "wasm32-unknown-unknown",
        why: "target of the Worker",
        how: "rustup target add; if refused, on Debian as root: see rustc-web",
    },
    Tool {
        name: "wasm32-wasip2",
        why: "target of the Spin component",
        how: "rustup target add; if refused, on Debian as root: see rustc-web",
    },
    Tool {
        name: "rustc-web cargo-web rust-web-src rust-web-llvm lld clang",
        why: "wasm targets where rustup cannot download",
        how: "apt-get install; linked as rustup toolchain debian-wasm; std built into /usr/lib/rustlib/wasm32-*",
    },
    Tool {
        name: "wasi-libc",
        why: "C start files of wasm32-wasip2, beside rustc-web only",
        how: "apt-get download from a newer suite, unpacked into /usr/lib/rustlib/wasm32-wasip2",
    },
    Tool {
        name: "worker-build, wasm-bindgen-cli",
        why: "turn the Worker's wasm into a module workerd loads",
        how: "cargo install into target/tools",
    },
    Tool {
        name: "Node.js 20 or newer, npm",
        why: "run wrangler",
        how: "yours; never installed (https://nodejs.org)",
    },
    Tool {
        name: "wrangler (workerd)",
        why: "run the Worker, dry-run its deployment",
        how: "npm ci into tests/node_modules",
    },
    Tool {
        name: "esbuild, binaryen",
        why: "bundle and shrink the Worker",
        how: "npm ci into tests/node_modules",
    },
    Tool {
        name: "twilio (npm)",
        why: "check the simulator's signatures against Twilio's own library",
        how: "npm ci into tests/node_modules",
    },
    Tool {
        name: "Python 3.10 or newer, python3-venv",
        why: "run schemathesis, in cargo verify alone",
        how: "yours; the module venv, if missing, by apt-get install python3-venv, as root on Debian",
    },
    Tool {
        name: "schemathesis",
        why: "ask every operation of /openapi.json what nobody thought of",
        how: "pip install of tests/fuzz/requirements.txt into target/python",
    },
    Tool {
        name: "Docker Engine",
        why: "one voice container for each call",
        how: "a running one is used; else, as root on Debian, apt-get install docker.io and dockerd for as long as the stack runs",
    },
    Tool {
        name: "flite1-dev, or flite where voices are processes",
        why: "voice of the offline engine",
        how: "apt-get install, as root on Debian",
    },
];

/// `cargo dev --list-tools`.
pub(crate) fn list() {
    for tool in TOOLS {
        say(tool.name);
        say(&format!("  why  {}", tool.why));
        say(&format!("  how  {}", tool.how));
    }
}
