//! What happens to a call, chosen by the number it dials.

use serde::{Deserialize, Serialize};

/// The story of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// `+15005550006` and every number not named here.
    Answered,
    /// `+15005550010`
    Busy,
    /// `+15005550011`
    NoAnswer,
    /// `+15005550012`
    Failed,
    /// `+15005550013`: a mailbox picks up, speaks its greeting, beeps and listens.
    Voicemail,
    /// `+15005550014`: every callback comes several seconds after the fact.
    CallbacksLate,
    /// `+15005550015`: callbacks come twice and in the wrong order.
    CallbacksShuffled,
    /// `+15005550016`: the callback of the end never comes.
    FinalCallbackLost,
    /// `+15005550017`: the create is answered 500 although the call was placed.
    CreateBreaks,
    /// `+15005550018`: the create is never answered although the call was placed.
    CreateHangs,
    /// `+15005550019` and Twilio's own magic numbers: the create is refused with this error.
    Refused(u32),
}

impl Scenario {
    pub(crate) fn of(to: &str) -> Self {
        let Some(magic) = to.strip_prefix("+1500555") else {
            return Self::Answered;
        };
        match magic {
            "0001" => Self::Refused(21217),
            "0002" => Self::Refused(21214),
            "0003" => Self::Refused(21215),
            "0004" => Self::Refused(21216),
            "0010" => Self::Busy,
            "0011" => Self::NoAnswer,
            "0012" => Self::Failed,
            "0013" => Self::Voicemail,
            "0014" => Self::CallbacksLate,
            "0015" => Self::CallbacksShuffled,
            "0016" => Self::FinalCallbackLost,
            "0017" => Self::CreateBreaks,
            "0018" => Self::CreateHangs,
            "0019" => Self::Refused(20429),
            _ => Self::Answered,
        }
    }
}
