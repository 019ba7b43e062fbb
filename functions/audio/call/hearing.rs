//! Whether the contact is speaking: the voice activity detector, with a little patience either way.

use audio_codec::pcmu::PcmuDecoder;
use audio_codec::{BoxedResampler, Decoder as _};
use earshot::Detector;

/// What the detector takes: 16 ms at 16 kHz.
const FRAME: usize = 256;
/// The score from which a frame counts as speech.
const SPEECH: f32 = 0.5;
/// So many frames more speech than not (about 130 ms) are a voice and no click.
const START: u32 = 8;
/// So many frames (about 200 ms) without speech are a pause and no consonant.
const STOP: u32 = 12;

pub(super) struct Hearing {
    detector: Box<Detector>,
    doubler: BoxedResampler,
    samples: Vec<i16>,
    speaking: bool,
    evidence: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    Speaks,
    Pauses,
}

impl Hearing {
    pub(super) fn new() -> anyhow::Result<Hearing> {
        Ok(Hearing {
            detector: Detector::default_boxed(),
            doubler: BoxedResampler::new(8000, 16_000)
                .map_err(|error| anyhow::anyhow!("{error:?}"))?,
            samples: Vec::new(),
            speaking: false,
            evidence: 0,
        })
    }

    /// Listens to more µ-law audio; tells when speech begins or ends in it.
    pub(super) fn hear(&mut self, mulaw: &[u8]) -> Vec<Change> {
        let samples = PcmuDecoder::new().decode(mulaw);
        self.samples.extend(self.doubler.resample(&samples));
        let whole = self.samples.len() / FRAME * FRAME;
        let frames: Vec<i16> = self.samples.drain(..whole).collect();
        let mut changes = Vec::new();
        for frame in frames.chunks_exact(FRAME) {
            let is_speech = self.detector.predict_i16(frame) >= SPEECH;
            changes.extend(self.weigh(is_speech));
        }
        changes
    }

    fn weigh(&mut self, is_speech: bool) -> Option<Change> {
        if is_speech != self.speaking {
            self.evidence += 1;
        } else if self.speaking {
            self.evidence = 0;
        } else {
            self.evidence = self.evidence.saturating_sub(1);
        }
        let (enough, change) = if self.speaking {
            (STOP, Change::Pauses)
        } else {
            (START, Change::Speaks)
        };
        if self.evidence < enough {
            return None;
        }
        self.evidence = 0;
        self.speaking = !self.speaking;
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_is_no_speech_and_a_consonant_no_pause() {
        let mut hearing = Hearing::new().unwrap();
        let mut weigh = |pattern: &str| -> Vec<Change> {
            pattern
                .chars()
                .filter_map(|c| hearing.weigh(c == '#'))
                .collect()
        };
        assert_eq!(weigh("###..##....#"), []);
        assert_eq!(weigh(".######.###"), [Change::Speaks]);
        assert_eq!(weigh("....##.........#####"), []);
        assert_eq!(weigh("............"), [Change::Pauses]);
    }

    #[test]
    fn silence_is_silence() {
        let mut hearing = Hearing::new().unwrap();
        assert_eq!(hearing.hear(&vec![0xff; 16_000]), []);
    }
}
