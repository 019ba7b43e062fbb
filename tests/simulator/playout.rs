//! The agent's audio on its way to the ear: buffered as it comes, played in real time.

use crate::speech::{FRAME, SILENCE};
use std::collections::VecDeque;

/// Ten minutes: more than any call here lasts.
const MOST: usize = 8000 * 600;

enum Item {
    Audio { samples: Vec<u8>, played: usize },
    Mark(String),
}

/// Twilio's playout buffer of one stream.
#[derive(Default)]
pub(crate) struct Playout {
    items: VecDeque<Item>,
    waiting: usize,
}

/// What is heard in 20 ms.
pub(crate) struct Heard {
    pub frame: [u8; FRAME],
    /// Samples of the frame that came from the agent; the rest is silence.
    pub played: usize,
    /// Marks reached.
    pub marks: Vec<String>,
}

impl Playout {
    /// Adds audio to the end. False when the buffer is full and the audio was lost.
    pub(crate) fn push_audio(&mut self, samples: Vec<u8>) -> bool {
        if self.waiting + samples.len() > MOST {
            return false;
        }
        self.waiting += samples.len();
        self.items.push_back(Item::Audio { samples, played: 0 });
        true
    }

    /// Adds a mark behind the audio. With nothing left to play it is reached with the next frame.
    pub(crate) fn push_mark(&mut self, name: String) {
        self.items.push_back(Item::Mark(name));
    }

    /// Empties the buffer; gives how many samples were lost and the marks that waited among them.
    pub(crate) fn clear(&mut self) -> (usize, Vec<String>) {
        let lost = std::mem::take(&mut self.waiting);
        let marks = self.items.drain(..).filter_map(|item| match item {
            Item::Mark(name) => Some(name),
            Item::Audio { .. } => None,
        });
        (lost, marks.collect())
    }

    /// Plays the next 20 ms.
    pub(crate) fn play(&mut self) -> Heard {
        let mut heard = Heard {
            frame: [SILENCE; FRAME],
            played: 0,
            marks: Vec::new(),
        };
        while let Some(item) = self.items.pop_front() {
            match item {
                Item::Mark(name) => heard.marks.push(name),
                Item::Audio { samples, played } if heard.played == FRAME => {
                    self.items.push_front(Item::Audio { samples, played });
                    break;
                }
                Item::Audio { samples, played } => {
                    let taken = (samples.len() - played).min(FRAME - heard.played);
                    heard.frame[heard.played..heard.played + taken]
                        .copy_from_slice(&samples[played..played + taken]);
                    heard.played += taken;
                    self.waiting -= taken;
                    if played + taken < samples.len() {
                        self.items.push_front(Item::Audio {
                            samples,
                            played: played + taken,
                        });
                        break;
                    }
                }
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_reached_when_their_audio_has_played() {
        let mut playout = Playout::default();
        assert!(playout.push_audio(vec![1; FRAME + 10]));
        playout.push_mark("a".to_owned());
        assert!(playout.push_audio(vec![2; 10]));
        playout.push_mark("b".to_owned());
        let first = playout.play();
        assert_eq!((first.played, first.marks.len()), (FRAME, 0));
        let second = playout.play();
        assert_eq!(second.marks, ["a", "b"]);
        assert_eq!(second.played, 20);
        assert_eq!(
            &second.frame[..21],
            [[1; 10], [2; 10]]
                .concat()
                .iter()
                .chain(&[SILENCE])
                .copied()
                .collect::<Vec<_>>()
        );
        assert_eq!(playout.play().played, 0);
    }

    #[test]
    fn a_mark_after_exactly_one_frame_comes_with_it() {
        let mut playout = Playout::default();
        playout.push_audio(vec![1; FRAME]);
        playout.push_mark("end".to_owned());
        playout.push_audio(vec![1; FRAME]);
        assert_eq!(playout.play().marks, ["end"]);
        assert_eq!(playout.play().played, FRAME);
    }

    #[test]
    fn clear_empties_and_gives_the_marks_back() {
        let mut playout = Playout::default();
        playout.push_audio(vec![1; 3 * FRAME]);
        playout.push_mark("a".to_owned());
        playout.push_mark("b".to_owned());
        playout.play();
        assert_eq!(
            playout.clear(),
            (2 * FRAME, vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(playout.play().played, 0);
    }

    #[test]
    fn the_buffer_has_an_end() {
        let mut playout = Playout::default();
        assert!(playout.push_audio(vec![1; MOST]));
        assert!(!playout.push_audio(vec![1]));
    }
}
