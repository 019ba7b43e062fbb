//! Turns a recording into the form kept under `speech/`: `cargo run --example shrink -- in.wav out.wav`.

use simulator::speech::{read_wav, write_wav};

fn main() -> anyhow::Result<()> {
    let mut paths = std::env::args().skip(1);
    let (Some(from), Some(to)) = (paths.next(), paths.next()) else {
        anyhow::bail!("usage: shrink IN.wav OUT.wav");
    };
    let samples = read_wav(&std::fs::read(from)?)?;
    std::fs::write(to, write_wav(&samples, 1))?;
    Ok(())
}
