//! The agent's side: what it says, paced so that little is queued at Twilio, and how much of it was heard.

use super::{Due, Output, Session, after};
use crate::time::Time;
use crate::voice::{Line, Speaker, VoiceEvent};

/// µ-law at 8 kHz: bytes in a millisecond.
const BYTES_PER_MS: usize = 8;
/// How much audio one message carries: 100 ms.
const MESSAGE: usize = 100 * BYTES_PER_MS;
/// How far ahead of the ear audio is sent: enough for a jittery network, little to be cleared.
const AHEAD_MS: u64 = 400;

/// Something the agent may say.
#[derive(Debug)]
pub(super) struct Words {
    text: String,
    /// µ-law, 8 kHz, once it has been synthesized.
    audio: Option<Vec<u8>>,
    may_be_interrupted: bool,
}

/// The line that is being said.
#[derive(Debug)]
pub(super) struct Playing {
    words: usize,
    mark: String,
    /// When the first audio left; `None` while the words are not synthesized.
    began: Option<Time>,
    /// Bytes sent.
    sent: usize,
}

impl Session {
    /// Lists everything the agent may say and asks for its audio, in the order it will be needed.
    pub(super) fn prepare(&mut self) {
        let order = self.order.clone();
        if let Some(disclosure) = order.disclosure {
            let words = self.add_words(disclosure, false);
            self.queue.push_back(words);
        }
        let greeting = self.add_words(order.greeting, true);
        self.queue.push_back(greeting);
        for text in order.script {
            let words = self.add_words(text, true);
            self.script.push_back(words);
        }
        self.goodbye = self.add_words(order.goodbye, false);
        for (key, text) in order.keys {
            if text == super::contact::OPT_OUT {
                let confirmation = self.order.opted_out.clone();
                if self.confirmation.is_none() {
                    self.confirmation = Some(self.add_words(confirmation, false));
                }
            } else if text != super::contact::HANG_UP {
                let words = self.add_words(text, true);
                self.keys.insert(key, words);
            }
        }
    }

    fn add_words(&mut self, text: String, may_be_interrupted: bool) -> usize {
        let words = self.words.len();
        let silent = text.trim().is_empty();
        if !silent {
            let text = text.clone();
            self.outputs.push_back(Output::Synthesize { words, text });
        }
        self.words.push(Words {
            text,
            audio: silent.then(Vec::new),
            may_be_interrupted,
        });
        words
    }

    pub(super) fn speech_ready(&mut self, words: usize, audio: Vec<u8>, now: Time) {
        if let Some(words) = self.words.get_mut(words) {
            words.audio = Some(audio);
        }
        self.speak(now);
    }

    /// Says these words once everything before them has been heard.
    pub(super) fn say(&mut self, words: usize, now: Time) {
        self.queue.push_back(words);
        self.speak(now);
    }

    /// Sends the audio that is due, beginning the next line if none is being said.
    pub(super) fn speak(&mut self, now: Time) {
        if self.stream.is_none() {
            return;
        }
        let playing = match &mut self.playing {
            Some(playing) => playing,
            None => {
                let Some(words) = self.queue.pop_front() else {
                    return;
                };
                self.begun += 1;
                self.playing.insert(Playing {
                    words,
                    mark: format!("line-{}", self.begun),
                    began: None,
                    sent: 0,
                })
            }
        };
        let Some(audio) = &self.words[playing.words].audio else {
            return;
        };
        if audio.is_empty() {
            return self.line_heard(now);
        }
        if playing.sent == audio.len() {
            return;
        }
        let began = *playing.began.get_or_insert(now);
        let played_ms = now.0.saturating_sub(began.0);
        let due = (played_ms + AHEAD_MS) as usize * BYTES_PER_MS;
        while playing.sent < due.min(audio.len()) {
            let end = (playing.sent + MESSAGE).min(audio.len());
            let ahead_ms = ((playing.sent / BYTES_PER_MS) as u64).saturating_sub(played_ms);
            let piece = &audio[playing.sent..end];
            let messages = self.framing.media(piece, ahead_ms, now);
            self.outputs.extend(messages.into_iter().map(Output::Send));
            playing.sent = end;
        }
        if playing.sent == audio.len() {
            let mark = self.framing.mark(&playing.mark);
            self.outputs.extend(mark.map(Output::Send));
        }
        if !self.spoke {
            self.spoke = true;
            self.report(VoiceEvent::FirstAudio { at: now });
        }
    }

    pub(super) fn speaking_due(&self) -> Option<(Time, Due)> {
        let playing = self.playing.as_ref()?;
        let began = playing.began?;
        let sent_ms = (playing.sent / BYTES_PER_MS) as u64;
        if playing.sent < self.words[playing.words].audio.as_ref()?.len() {
            Some((
                after(began, sent_ms.saturating_sub(AHEAD_MS) + 1),
                Due::Audio,
            ))
        } else {
            let heard = sent_ms + self.framing.mark_ms();
            Some((after(began, heard), Due::UnheardMark))
        }
    }

    /// How long these words take to say, as far as it is known.
    pub(super) fn length_ms(&self, words: usize) -> u64 {
        let audio = self.words[words].audio.as_ref();
        audio.map_or(0, |audio| (audio.len() / BYTES_PER_MS) as u64)
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.playing.is_some() || !self.queue.is_empty()
    }

    pub(super) fn may_be_interrupted(&self) -> bool {
        self.playing.as_ref().is_some_and(|playing| {
            playing.began.is_some() && self.words[playing.words].may_be_interrupted
        })
    }

    pub(super) fn mark_reached(&mut self, name: &str, now: Time) {
        let expected = self.playing.as_ref();
        if expected.is_some_and(|playing| playing.mark == name) {
            self.line_heard(now);
        }
    }

    /// The line has been said to its end.
    pub(super) fn line_heard(&mut self, now: Time) {
        let Some(playing) = self.playing.take() else {
            return;
        };
        if let Some(at) = playing.began {
            let text = self.words[playing.words].text.clone();
            self.add_line(agent_line(text, at));
            self.quiet_since = now;
        }
        if playing.words == self.goodbye {
            self.end_as_planned(now);
        } else {
            self.speak(now);
        }
    }

    /// Stops talking and drops what Twilio has not played yet.
    pub(super) fn hush(&mut self, now: Time) {
        let began = self.playing.as_ref().and_then(|playing| playing.began);
        if began.is_some() {
            let text = self.framing.clear();
            self.outputs.push_back(Output::Send(text));
        }
        self.cut_line(now);
    }

    /// Notes as much of the line as was heard, and forgets what was still to be said.
    pub(super) fn cut_line(&mut self, now: Time) {
        self.queue.clear();
        let Some(playing) = self.playing.take() else {
            return;
        };
        let Some(began) = playing.began else { return };
        let words = &self.words[playing.words];
        let total = words.audio.as_ref().map_or(0, Vec::len);
        let elapsed = now.0.saturating_sub(began.0) as usize * BYTES_PER_MS;
        if let Some(text) = cut(&words.text, elapsed.min(playing.sent), total) {
            self.add_line(agent_line(text, began));
        }
        self.quiet_since = now;
    }
}

fn agent_line(text: String, at: Time) -> Line {
    Line {
        speaker: Speaker::Agent,
        text,
        at,
    }
}

/// The words of `text` that fit into `heard` of `total`, and a dash if any are missing; `None` if all are.
fn cut(text: &str, heard: usize, total: usize) -> Option<String> {
    if heard >= total {
        return Some(text.to_owned());
    }
    let room = text.chars().count() * heard / total;
    let mut kept = String::new();
    for word in text.split_whitespace() {
        if kept.chars().count() + word.chars().count() > room {
            break;
        }
        kept.push_str(word);
        kept.push(' ');
    }
    let kept = kept.trim_end();
    (!kept.is_empty()).then(|| format!("{kept}—"))
}

#[test]
fn cuts_at_words() {
    for (heard, kept) in [
        (0, None),
        (10, None),
        (30, Some("Good—")),
        (50, Some("Good morning,—")),
        (99, Some("Good morning, this is—")),
        (100, Some("Good morning, this is Anna")),
    ] {
        let cut = cut("Good morning, this is Anna", heard, 100);
        assert_eq!(cut.as_deref(), kept);
    }
}
