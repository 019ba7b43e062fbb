//! What is wrong with one field of a request.

/// One field and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The field's path in the body, dotted: `initial_context`, `dynamicVariables.slot`.
    pub field: String,
    pub rule: Rule,
}

impl Issue {
    pub fn new(field: impl Into<String>, rule: Rule) -> Issue {
        Issue {
            field: field.into(),
            rule,
        }
    }
}

/// The words a field takes, as a refusal offers them: `a, b or c`.
pub fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

/// A rule a field can break. Dialects show it in their own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Missing,
    NotText,
    NotInteger,
    NotNumber,
    NotBoolean,
    NotObject,
    NotList,
    /// Shorter or longer, in characters, than allowed.
    Length(usize, usize),
    NotUuid,
    NotAPhone(String),
    /// Any other rule, as a sentence without the field's name.
    Other(String),
}

impl Rule {
    /// The rule in plain words, for dialects that fix none.
    pub fn text(&self) -> String {
        match self {
            Rule::Missing => "is required".to_owned(),
            Rule::NotText => "must be a string".to_owned(),
            Rule::NotInteger => "must be an integer".to_owned(),
            Rule::NotNumber => "must be a number".to_owned(),
            Rule::NotBoolean => "must be true or false".to_owned(),
            Rule::NotObject => "must be an object".to_owned(),
            Rule::NotList => "must be a list".to_owned(),
            Rule::Length(least, most) => format!("must be between {least} and {most} characters"),
            Rule::NotUuid => "must be a UUID".to_owned(),
            Rule::NotAPhone(why) => why.clone(),
            Rule::Other(text) => text.clone(),
        }
    }
}
