//! The agent's texts with a call's values in them.

use calls::config::{Agent, Script, WhenMissing};
use calls::dialect::{Dialect, PlaceCall};
use calls::known::Known;
use calls::problem::Problem;
use calls::record::AgentSaid;
use std::collections::BTreeSet;
use validation::render;

pub(crate) struct Said {
    pub(crate) agent: AgentSaid,
    pub(crate) voicemail_message: Option<String>,
    /// Names in the texts that nobody gave a value for.
    pub(crate) unresolved: Vec<String>,
}

impl Said {
    /// Refuses texts with names unresolved, where the agent insists on them.
    pub(crate) fn insist(self, script: &Script) -> Result<Said, Problem> {
        match script.when_missing == WhenMissing::Refuse && !self.unresolved.is_empty() {
            true => Err(Problem::VariablesMissing(self.unresolved)),
            false => Ok(self),
        }
    }
}

/// How long an agent's texts may be together with a call's values in them, in bytes.
const LARGEST_TEXTS: usize = validation::template::LARGEST;

/// How long a text may be that the voice speaks in one go, in bytes: a quarter of an hour.
const LONGEST_SPOKEN: usize = 16 * 1024;
/// How long a message for a mailbox may be, in characters. Source: Twilio, "TwiML Voice: <Say>", limits.
const LONGEST_MESSAGE: usize = 4_096;

/// The agent's texts with the call's variables in them.
pub(crate) fn rendered(
    dialect: &dyn Dialect,
    agent: &Agent,
    script: &Script,
    wanted: &PlaceCall,
    known: &Known,
) -> Result<Said, Problem> {
    let when_missing = match script.when_missing {
        WhenMissing::AsDialect => dialect.when_missing(),
        WhenMissing::Literal => validation::WhenMissing::Literal,
        WhenMissing::Empty | WhenMissing::Refuse => validation::WhenMissing::Empty,
    };
    let mut unresolved: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    let mut fill = |template: &str| {
        // What is too long already is refused below, whatever else there is.
        if bytes > LARGEST_TEXTS {
            return String::new();
        }
        let filled = render(template, |path| dialect.value_of(known, path), when_missing);
        for name in filled.missing {
            if seen.insert(name.clone()) {
                unresolved.push(name);
            }
        }
        bytes += filled.text.len();
        filled.text
    };
    let said = AgentSaid {
        id: agent.id.clone(),
        name: agent.name.clone(),
        disclosure: script.disclosure.as_deref().map(&mut fill),
        greeting: fill(wanted.greeting.as_deref().unwrap_or(&script.greeting)),
        prompt: fill(&script.prompt),
        agenda: wanted
            .agenda
            .as_deref()
            .or(script.agenda.as_deref())
            .map(&mut fill),
        answers: script.answers.iter().map(|answer| fill(answer)).collect(),
        goodbye: fill(&script.goodbye),
        opted_out: fill(&script.opted_out),
        keys: script.keys.clone(),
        // Only a dialler can be asked to.
        transfer_to: None,
    };
    let voicemail_message = script.voicemail_message.as_deref().map(&mut fill);
    let why = match bytes > LARGEST_TEXTS {
        true => Some("The request's values make the agent's texts longer than 256 KB"),
        false => unspeakable(&said, voicemail_message.as_deref()),
    };
    if let Some(why) = why {
        return Err(Problem::Malformed(why.to_owned()));
    }
    Ok(Said {
        agent: said,
        voicemail_message,
        unresolved,
    })
}

/// Why a text cannot be spoken: it is too long.
fn unspeakable(said: &AgentSaid, message: Option<&str>) -> Option<&'static str> {
    let spoken = [&said.greeting, &said.goodbye, &said.opted_out];
    let spoken = spoken.into_iter().chain(&said.disclosure);
    if spoken
        .chain(&said.answers)
        .any(|text| text.len() > LONGEST_SPOKEN)
    {
        return Some("The request's values make a text that is spoken longer than 16 KB");
    }
    let long = |message: &str| message.chars().count() > LONGEST_MESSAGE;
    message.is_some_and(long).then_some(
        "The request's values make the message for a mailbox longer than 4,096 characters",
    )
}
