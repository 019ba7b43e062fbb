//! Sound: µ-law, WAV files, and the recordings the simulated person speaks.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::Arc;

/// µ-law samples at 8 kHz, shared between calls.
pub type Clip = Arc<[u8]>;

/// Samples in the 20 ms of one media message.
pub const FRAME: usize = 160;
pub const SILENCE: u8 = 0xff;

/// Mean amplitude (of 32,767) from which a frame counts as sound: above line noise, far below quiet speech.
const AUDIBLE: u32 = 200;

/// Everything the person called can say.
#[derive(Clone)]
pub struct Speech {
    /// Said in this order, one per turn.
    pub turns: Vec<Clip>,
    /// Said when told to interrupt.
    pub interruption: Clip,
    /// A mailbox's greeting and its beep.
    pub mailbox: Clip,
}

impl Speech {
    /// The recordings that come with the simulator.
    pub fn built_in() -> Result<Self> {
        let mut mailbox = read_wav(include_bytes!("speech/mailbox.wav"))?;
        mailbox.extend(tone(1000.0, 500));
        Ok(Self {
            turns: vec![
                read_wav(include_bytes!("speech/turn-1.wav"))?.into(),
                read_wav(include_bytes!("speech/turn-2.wav"))?.into(),
                read_wav(include_bytes!("speech/turn-3.wav"))?.into(),
            ],
            interruption: read_wav(include_bytes!("speech/interruption.wav"))?.into(),
            mailbox: mailbox.into(),
        })
    }

    /// Takes the turns from a WAV file, or from a directory's WAV files in order of name.
    pub fn with_turns(mut self, path: &Path) -> Result<Self> {
        let mut files = if path.is_dir() {
            std::fs::read_dir(path)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()?
        } else {
            vec![path.to_owned()]
        };
        files.retain(|file| file.extension().is_some_and(|kind| kind == "wav"));
        files.sort();
        ensure!(!files.is_empty(), "no WAV file at {}", path.display());
        self.turns = files
            .iter()
            .map(|file| {
                let bytes = std::fs::read(file)?;
                let clip = read_wav(&bytes).with_context(|| file.display().to_string())?;
                Ok(clip.into())
            })
            .collect::<Result<_>>()?;
        Ok(self)
    }
}

/// Whether a listener would hear something in these µ-law samples.
pub fn audible(samples: &[u8]) -> bool {
    let sum: u32 = samples
        .iter()
        .map(|sample| u32::from(decode(*sample).unsigned_abs()))
        .sum();
    !samples.is_empty() && sum / u32::try_from(samples.len()).unwrap_or(u32::MAX) >= AUDIBLE
}

/// One µ-law sample as 16-bit linear (G.711).
pub fn decode(sample: u8) -> i16 {
    let inverted = !sample;
    let magnitude = ((i16::from(inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7);
    if inverted & 0x80 == 0 {
        magnitude - 0x84
    } else {
        0x84 - magnitude
    }
}

/// One 16-bit linear sample as µ-law (G.711).
pub fn encode(sample: i16) -> u8 {
    let magnitude = sample.unsigned_abs().min(32_635) + 0x84;
    // The bias guarantees a set bit at or above 7.
    let exponent = 8 - (magnitude.leading_zeros() as u8).min(8);
    let mantissa = ((magnitude >> (exponent + 3)) & 0x0f) as u8;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent << 4) | mantissa)
}

fn tone(hertz: f32, ms: usize) -> impl Iterator<Item = u8> {
    (0..ms * 8).map(move |n| {
        let angle = std::f32::consts::TAU * hertz * n as f32 / 8000.0;
        encode((angle.sin() * 8000.0) as i16)
    })
}

/// Reads a WAV file as µ-law at 8 kHz: mono, µ-law or 16-bit, 8 or 16 kHz.
pub fn read_wav(file: &[u8]) -> Result<Vec<u8>> {
    ensure!(
        file.get(..4) == Some(b"RIFF") && file.get(8..12) == Some(b"WAVE"),
        "not a WAV file"
    );
    let mut rest = &file[12..];
    let mut form = None;
    while rest.len() >= 8 {
        let length = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
        let (name, body) = (&rest[..4], &rest[8..]);
        let chunk = &body[..length.min(body.len())];
        match name {
            b"fmt " if chunk.len() >= 16 => {
                let word = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
                let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
                form = Some((word(0), word(2), rate, word(14)));
            }
            b"data" => {
                let linear = || {
                    chunk
                        .chunks_exact(2)
                        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                };
                return match form {
                    Some((7, 1, 8000, 8)) => Ok(chunk.to_vec()),
                    Some((1, 1, 8000, 16)) => Ok(linear().map(encode).collect()),
                    Some((1, 1, 16000, 16)) => Ok(halve(&linear().collect::<Vec<_>>())),
                    other => bail!("wanted mono, µ-law or 16 bit, 8 or 16 kHz, not {other:?}"),
                };
            }
            _ => {}
        }
        rest = &body[(length + length % 2).min(body.len())..];
    }
    bail!("a WAV file without sound")
}

/// Brings 16 kHz down to 8 kHz. The filter (a half-band windowed sinc) keeps what lies above 4 kHz from folding back.
fn halve(samples: &[i16]) -> Vec<u8> {
    const TAPS: [(isize, f32); 5] = [
        (0, 0.5),
        (1, 0.3118),
        (3, -0.0908),
        (5, 0.0366),
        (7, -0.0076),
    ];
    let at = |index: isize| {
        usize::try_from(index)
            .ok()
            .and_then(|index| samples.get(index))
            .map_or(0.0, |sample| f32::from(*sample))
    };
    (0..samples.len() as isize)
        .step_by(2)
        .map(|middle| {
            let sum: f32 = TAPS
                .iter()
                .map(|(offset, weight)| match offset {
                    0 => weight * at(middle),
                    _ => weight * (at(middle - offset) + at(middle + offset)),
                })
                .sum();
            encode(sum as i16)
        })
        .collect()
}

/// A µ-law WAV file at 8 kHz with one or two channels, the samples interleaved.
pub fn write_wav(samples: &[u8], channels: u16) -> Vec<u8> {
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(samples.len() + 58);
    file.extend(b"RIFF");
    file.extend(length.saturating_add(50).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(18u32.to_le_bytes());
    file.extend(7u16.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(8000u32.to_le_bytes());
    file.extend((8000 * u32::from(channels)).to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(8u16.to_le_bytes());
    file.extend(0u16.to_le_bytes());
    file.extend(b"fact");
    file.extend(4u32.to_le_bytes());
    file.extend((length / u32::from(channels)).to_le_bytes());
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_matches_g711() {
        // Code and value pairs of G.711, tables 2a and 2b (times four).
        for (code, value) in [
            (0xff_u8, 0_i16),
            (0xfe, 8),
            (0xef, 132),
            (0x80, 32_124),
            (0x00, -32_124),
            (0x7e, -8),
        ] {
            assert_eq!(decode(code), value, "{code:#x}");
        }
        for code in 0..=255u8 {
            // 0x7f is the other zero.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode(decode(code)), expected, "{code:#x}");
        }
        assert_eq!(encode(i16::MIN), 0x00);
        assert_eq!(encode(i16::MAX), 0x80);
    }

    #[test]
    fn the_recordings_are_speech_and_short() {
        let speech = Speech::built_in().unwrap();
        assert_eq!(speech.turns.len(), 3);
        for clip in speech
            .turns
            .iter()
            .chain([&speech.interruption, &speech.mailbox])
        {
            let loud = clip.chunks(FRAME).filter(|frame| audible(frame)).count();
            assert!(loud * 2 > clip.len() / FRAME, "mostly silence");
            assert!(clip.len() < 8000 * 12, "too long");
        }
        assert!(!audible(&[SILENCE; FRAME]));
        assert!(!audible(&[]));
    }

    #[test]
    fn a_written_file_reads_back() {
        let samples: Vec<u8> = tone(440.0, 100).collect();
        assert_eq!(read_wav(&write_wav(&samples, 1)).unwrap(), samples);
        assert!(read_wav(b"RIFF").is_err());
        assert!(read_wav(&write_wav(&samples, 2)).is_err());
    }
}
