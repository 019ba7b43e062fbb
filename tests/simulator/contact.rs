//! The simulated person called, or the mailbox: listens, speaks in turn, hangs up. Counts in frames of 20 ms.

use crate::speech::{Clip, FRAME, SILENCE, Speech, audible};
use std::collections::VecDeque;

/// Sound shorter than this (0.2 s) is not yet an utterance.
const UTTERANCE: u32 = 10;
/// Silence after which the other side has finished: 0.8 s.
const FINISHED: u32 = 40;
/// How long to wait for an agent that says nothing: 5 s.
const PATIENCE: u32 = 250;
/// The same once everything is said: 4 s.
const LAST_PATIENCE: u32 = 200;

pub(crate) struct Contact {
    turns: VecDeque<Clip>,
    interruption: Clip,
    speaking: Option<(Clip, usize)>,
    /// Audible frames of the agent, and frames since the last of them, since the person last spoke.
    heard: u32,
    quiet: u32,
    mailbox: bool,
    turns_spoken: u64,
}

/// What the contact does in 20 ms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Speaks([u8; FRAME]),
    Listens,
    HangsUp,
}

impl Contact {
    pub(crate) fn person(speech: &Speech, turns: usize) -> Self {
        Self {
            turns: speech.turns.iter().take(turns).cloned().collect(),
            interruption: speech.interruption.clone(),
            speaking: None,
            heard: 0,
            quiet: 0,
            mailbox: false,
            turns_spoken: 0,
        }
    }

    /// A mailbox speaks at once, beeps, and then listens for as long as the call lasts.
    pub(crate) fn mailbox(speech: &Speech) -> Self {
        Self {
            speaking: Some((speech.mailbox.clone(), 0)),
            mailbox: true,
            ..Self::person(speech, 0)
        }
    }

    /// Starts to speak now, whoever is speaking.
    pub(crate) fn interrupt(&mut self) {
        self.speaking = Some((self.interruption.clone(), 0));
        self.turns_spoken += 1;
    }

    /// Turns begun since this was last asked.
    pub(crate) fn take_turns_spoken(&mut self) -> u64 {
        std::mem::take(&mut self.turns_spoken)
    }

    /// Hears the agent's 20 ms and answers with its own.
    pub(crate) fn hear(&mut self, frame: &[u8]) -> Does {
        if self.speaking.is_none() {
            if audible(frame) {
                self.heard += 1;
                self.quiet = 0;
            } else {
                self.quiet += 1;
            }
            let finished = self.heard >= UTTERANCE && self.quiet >= FINISHED;
            if self.turns.is_empty() && !self.mailbox && (finished || self.quiet >= LAST_PATIENCE) {
                return Does::HangsUp;
            }
            if finished || self.quiet >= PATIENCE {
                self.speaking = self.turns.pop_front().map(|clip| (clip, 0));
                self.turns_spoken += u64::from(self.speaking.is_some());
            }
        }
        self.speak()
    }

    fn speak(&mut self) -> Does {
        let Some((clip, said)) = &mut self.speaking else {
            return Does::Listens;
        };
        let rest = &clip[*said..];
        let taken = rest.len().min(FRAME);
        let mut frame = [SILENCE; FRAME];
        frame[..taken].copy_from_slice(&rest[..taken]);
        *said += taken;
        if *said == clip.len() {
            self.speaking = None;
            self.heard = 0;
            self.quiet = 0;
        }
        Does::Speaks(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: [u8; FRAME] = [0x80; FRAME];
    const QUIET: [u8; FRAME] = [SILENCE; FRAME];

    fn speech() -> Speech {
        Speech {
            turns: vec![vec![1; 2 * FRAME].into(), vec![2; FRAME].into()],
            interruption: vec![3; FRAME].into(),
            mailbox: vec![4; 2 * FRAME].into(),
        }
    }

    fn hear(contact: &mut Contact, frame: &[u8], times: u32) -> Does {
        let mut does = Does::Listens;
        for _ in 0..times {
            does = contact.hear(frame);
        }
        does
    }

    #[test]
    fn speaks_after_the_agent_and_hangs_up_at_the_end() {
        let mut contact = Contact::person(&speech(), 3);
        assert_eq!(hear(&mut contact, &LOUD, 100), Does::Listens);
        assert_eq!(hear(&mut contact, &QUIET, FINISHED - 1), Does::Listens);
        assert_eq!(contact.hear(&QUIET), Does::Speaks([1; FRAME]));
        assert_eq!(contact.hear(&LOUD), Does::Speaks([1; FRAME]));
        assert_eq!(hear(&mut contact, &LOUD, 20), Does::Listens);
        assert_eq!(
            hear(&mut contact, &QUIET, FINISHED),
            Does::Speaks([2; FRAME])
        );
        assert_eq!(contact.take_turns_spoken(), 2);
        assert_eq!(hear(&mut contact, &QUIET, LAST_PATIENCE), Does::HangsUp);
    }

    #[test]
    fn speaks_first_when_the_agent_is_silent() {
        let mut contact = Contact::person(&speech(), 1);
        assert_eq!(
            hear(&mut contact, &QUIET, PATIENCE),
            Does::Speaks([1; FRAME])
        );
    }

    #[test]
    fn interrupts_when_told_to() {
        let mut contact = Contact::person(&speech(), 3);
        hear(&mut contact, &LOUD, 50);
        contact.interrupt();
        assert_eq!(contact.hear(&LOUD), Does::Speaks([3; FRAME]));
        assert_eq!(contact.hear(&LOUD), Does::Listens);
    }

    #[test]
    fn a_mailbox_speaks_at_once_and_never_hangs_up() {
        let mut contact = Contact::mailbox(&speech());
        assert_eq!(contact.hear(&LOUD), Does::Speaks([4; FRAME]));
        assert_eq!(hear(&mut contact, &QUIET, 2000), Does::Listens);
        assert_eq!(contact.take_turns_spoken(), 0);
    }
}
