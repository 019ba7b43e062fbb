//! A TCP forwarder: lets voice containers reach a gateway that listens on loopback alone.

use crate::screen::say;
use anyhow::{Context, Result};
use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Forwards each connection to `from` on to `to`, until the process is ended.
pub(crate) fn run(from: &str, to: &str) -> Result<()> {
    let listener = TcpListener::bind(from).with_context(|| format!("cannot listen on {from}"))?;
    say(&format!("{from} -> {to}"));
    for incoming in listener.incoming() {
        let incoming = incoming?;
        let to = to.to_owned();
        thread::spawn(move || match TcpStream::connect(&to) {
            Ok(outgoing) => join(incoming, outgoing),
            Err(error) => say(&format!("{to}: {error}")),
        });
    }
    Ok(())
}

fn join(left: TcpStream, right: TcpStream) {
    let Ok((left_again, right_again)) = left.try_clone().and_then(|l| Ok((l, right.try_clone()?)))
    else {
        return;
    };
    let _ = left.set_nodelay(true);
    let _ = right.set_nodelay(true);
    let back = thread::spawn(move || pour(right_again, left_again));
    pour(left, right);
    let _ = back.join();
}

/// Copies one direction to its end, and tells the other side that it ended.
fn pour(mut from: TcpStream, mut to: TcpStream) {
    let _ = copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
