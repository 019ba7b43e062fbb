//! `simulator`: a Twilio on loopback.

use anyhow::{Context, Result, bail};
use simulator::speech::Speech;
use simulator::{Account, Config, serve, vectors};
use std::path::Path;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
simulator: a Twilio on loopback

  --listen ADDRESS       where to listen (127.0.0.1:8790)
  --account SID:TOKEN    an account, repeatable; without any, the three of the demo organization
  --speech FILE|DIR      what the person called says: WAV, mono, 8 or 16 kHz; a directory's files are the turns
  --turns N              turns the person speaks before hanging up (3)
  --call-ms N            from the answer until the person hangs up in any case (25000)
  --ring-ms N            from ringing to the answer (2000)
  --no-answer-ms N       how long an unanswered call rings at most (4000)
  --late-ms N            how late the callbacks of +15005550014 come (4000)
  --hang-ms N            how long the create of +15005550018 hangs (30000)
  --detection-ms N       how long answering-machine detection takes (2000)
  --print-vectors        print signed requests, one JSON object per line, and exit";

#[tokio::main]
async fn main() -> Result<()> {
    let mut config = Config::new(Speech::built_in()?);
    let mut listen = "127.0.0.1:8790".to_owned();
    let mut accounts = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--help" | "-h" => return print(USAGE),
            "--print-vectors" => {
                return vectors()
                    .iter()
                    .try_for_each(|line| print(&line.to_string()));
            }
            _ => {}
        }
        let value = arguments
            .next()
            .with_context(|| format!("{name} needs a value, or is no flag; see --help"))?;
        let number = || {
            value
                .parse::<u64>()
                .with_context(|| format!("{name} wants a number"))
        };
        match name.as_str() {
            "--listen" => listen = value,
            "--account" => accounts.push(account(&value)?),
            "--speech" => config.speech = config.speech.with_turns(Path::new(&value))?,
            "--turns" => config.turns = usize::try_from(number()?)?,
            "--call-ms" => config.call_ms = number()?,
            "--ring-ms" => config.ring_ms = number()?,
            "--no-answer-ms" => config.no_answer_ms = number()?,
            "--late-ms" => config.late_ms = number()?,
            "--hang-ms" => config.hang_ms = number()?,
            "--detection-ms" => config.detection_ms = number()?,
            _ => bail!("unknown flag {name}; see --help"),
        }
    }
    if !accounts.is_empty() {
        config.accounts = accounts;
    }
    let listener = TcpListener::bind(&listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    print(&format!(
        "simulator listening on http://{}",
        listener.local_addr()?
    ))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        served = serve(listener, config) => served,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

fn account(text: &str) -> Result<Account> {
    let (sid, auth_token) = text
        .split_once(':')
        .filter(|(sid, token)| sid.starts_with("AC") && !token.is_empty())
        .context("--account wants AC…:token")?;
    Ok(Account {
        sid: sid.to_owned(),
        auth_token: auth_token.to_owned(),
    })
}

fn print(line: &str) -> Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
