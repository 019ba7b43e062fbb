//! Post-call analysis: a language model reads a call's transcript and answers the agent's questions about it.
//! Source: OpenAI's "Create chat completion", which other providers' endpoints take too.

use crate::call::Call;
use crate::known::Known;
use crate::record::Record;
use crate::secret::Secret;
use crate::time::Time;
use crate::voice::Speaker;
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use validation::{WhenMissing, render};

/// What an agent wants to know of each of its calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// A template.
    pub prompt: String,
    /// JSON schema of the answer, an object; none: any object.
    #[serde(default)]
    pub schema: Option<Value>,
}

/// Who analyses, as the deployment's settings say.
#[derive(Clone, Debug)]
pub struct Analyst {
    /// A chat completions endpoint: `https://api.openai.com/v1/chat/completions`.
    pub url: String,
    pub key: Secret,
    pub model: String,
}

/// Why there is no analysis, for the call's timeline and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub why: String,
    /// Whether asking again may help.
    pub again: bool,
}

/// The largest answer that is kept, in bytes.
const LARGEST: usize = 64 * 1024;

/// The request for the analysis of a call.
pub fn request(
    analyst: &Analyst,
    analysis: &Analysis,
    record: &Record,
    call: &Call,
    now: Time,
) -> Result<Request<Vec<u8>>, Failed> {
    let known = Known::of(record, now);
    let prompt = render(
        &analysis.prompt,
        |path| known.value(path),
        WhenMissing::Empty,
    )
    .text;
    let format = match &analysis.schema {
        Some(schema) => json!({
            "type": "json_schema",
            "json_schema": { "name": "post_call_analysis", "schema": schema },
        }),
        None => json!({ "type": "json_object" }),
    };
    let outcome = call.ended().map(|verdict| verdict.outcome.word());
    let said = format!(
        "Outcome: {}\nTranscript of the call by {}:\n{}",
        outcome.unwrap_or_default(),
        record.agent.name,
        transcript(call)
    );
    let body = json!({
        "model": analyst.model,
        "messages": [
            { "role": "system", "content": format!("{prompt}\n\nAnswer with one JSON object.") },
            { "role": "user", "content": said },
        ],
        "response_format": format,
    });
    let request = Request::post(&analyst.url)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", analyst.key.expose()))
        .body(body.to_string().into_bytes());
    request.map_err(|_| Failed {
        why: "ANALYSIS_URL or ANALYSIS_API_KEY cannot be sent".to_owned(),
        again: false,
    })
}

fn transcript(call: &Call) -> String {
    let lines = call.transcript();
    let lines: Vec<String> = lines
        .iter()
        .map(|line| match line.speaker {
            Speaker::Agent => format!("bot: {}", line.text),
            Speaker::Contact => format!("customer: {}", line.text),
        })
        .collect();
    lines.join("\n")
}

/// The object in an answer of this status.
pub fn read(
    status: u16,
    body: &[u8],
    schema: Option<&Value>,
) -> Result<Map<String, Value>, Failed> {
    let failed = |why: String, again| Err(Failed { why, again });
    if !(200..300).contains(&status) {
        let again = matches!(status, 408 | 409 | 425 | 429) || status >= 500;
        return failed(format!("the model's endpoint answered {status}"), again);
    }
    if body.len() > LARGEST {
        return failed("the model's answer is larger than 64 KB".to_owned(), false);
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let content = answer["choices"][0]["message"]["content"].as_str();
    let Some(Ok(Value::Object(result))) = content.map(|text| serde_json::from_str(unfenced(text)))
    else {
        return failed("the model's answer is no JSON object".to_owned(), true);
    };
    let required = schema.and_then(|schema| schema["required"].as_array());
    let missing = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|name| !result.contains_key(*name));
    match missing {
        Some(name) => failed(format!("the model's answer lacks {name}"), true),
        None => Ok(result),
    }
}

/// Some models put their JSON in a fence, whatever they are told.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inside = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"));
    inside
        .and_then(|inside| inside.strip_suffix("```"))
        .unwrap_or(text)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(content: &str) -> Vec<u8> {
        json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn reads_an_object() {
        for content in [
            r#"{"DISPOSITION":"PAID"}"#,
            "```json\n{\"DISPOSITION\":\"PAID\"}\n```",
            " ```{\"DISPOSITION\":\"PAID\"}``` ",
        ] {
            let result = read(200, &answered(content), None).unwrap();
            assert_eq!(result["DISPOSITION"], "PAID");
        }
    }

    #[test]
    fn says_what_is_wrong_and_whether_to_ask_again() {
        let schema = json!({ "type": "object", "required": ["DISPOSITION"] });
        for (status, body, why, again) in [
            (500, Vec::new(), "the model's endpoint answered 500", true),
            (429, Vec::new(), "the model's endpoint answered 429", true),
            (401, Vec::new(), "the model's endpoint answered 401", false),
            (
                200,
                b"<html>".to_vec(),
                "the model's answer is no JSON object",
                true,
            ),
            (
                200,
                answered("Sure!"),
                "the model's answer is no JSON object",
                true,
            ),
            (
                200,
                answered("{}"),
                "the model's answer lacks DISPOSITION",
                true,
            ),
        ] {
            let failed = read(status, &body, Some(&schema)).unwrap_err();
            assert_eq!((failed.why.as_str(), failed.again), (why, again));
        }
    }
}
