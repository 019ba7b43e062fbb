//! The offline engine's voice: the program `flite`, and its output as a telephone plays it.

use anyhow::{Context as _, bail, ensure};
use audio_codec::pcmu::PcmuEncoder;
use audio_codec::{Encoder as _, resample};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// Of flite's voices the one that is best understood over a telephone.
const VOICE: &str = "kal16";
const LONGEST: Duration = Duration::from_secs(20);
const TELEPHONE_RATE: u32 = 8000;

/// Where `flite` is: `FLITE` names it, else it is looked for on `PATH`.
pub fn find_flite() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FLITE") {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("flite"))
        .find(|file| file.is_file())
}

/// `text` spoken, as µ-law at 8 kHz.
pub async fn synthesize(flite: &Path, text: &str) -> anyhow::Result<Vec<u8>> {
    let run = Command::new(flite)
        .args(["-voice", VOICE, "-t", text, "-o", "/dev/stdout"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LONGEST, run)
        .await
        .context("flite takes too long")?
        .context("flite does not start")?;
    ensure!(output.status.success(), "flite: {}", output.status);
    let (rate, samples) = read_wav(&output.stdout)?;
    let samples = resample(&samples, rate, TELEPHONE_RATE);
    Ok(PcmuEncoder::new().encode(&samples))
}

/// Sample rate and samples of a WAV file with one channel of 16-bit PCM.
fn read_wav(file: &[u8]) -> anyhow::Result<(u32, Vec<i16>)> {
    let body = file.strip_prefix(b"RIFF").and_then(|rest| rest.get(4..));
    let mut chunks = body
        .and_then(|rest| rest.strip_prefix(b"WAVE"))
        .context("flite's output is no WAV file")?;
    let mut rate = None;
    while let Some((head, rest)) = chunks.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let chunk = &rest[..length.min(rest.len())];
        match &head[..4] {
            b"fmt " => {
                ensure!(chunk.len() >= 16, "flite's output has a short format");
                ensure!(chunk[..4] == [1, 0, 1, 0], "flite's output is not mono PCM");
                rate = Some(u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]));
            }
            b"data" => {
                let rate = rate.context("flite's output names no format")?;
                let samples = chunk.chunks_exact(2);
                let samples = samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                return Ok((rate, samples.collect()));
            }
            _ => {}
        }
        chunks = &rest[length.min(rest.len())..];
    }
    bail!("flite's output has no samples")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(format: &[u8], data: &[u8]) -> Vec<u8> {
        let chunk =
            |name: &[u8], body: &[u8]| [name, &(body.len() as u32).to_le_bytes(), body].concat();
        let body = [
            b"WAVE".to_vec(),
            chunk(b"fmt ", format),
            chunk(b"LIST", b"any!"),
            chunk(b"data", data),
        ]
        .concat();
        chunk(b"RIFF", &body)
    }

    #[test]
    fn reads_wav() {
        let format = [1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0];
        let (rate, samples) = read_wav(&wav(&format, &[1, 0, 0xff, 0xff])).unwrap();
        assert_eq!((rate, samples), (16_000, vec![1, -1]));
        let stereo = [1, 0, 2, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0];
        for broken in [
            &b"RIFF"[..],
            b"",
            &wav(&stereo, &[]),
            &wav(&format[..4], &[]),
        ] {
            assert!(read_wav(broken).is_err());
        }
    }
}
