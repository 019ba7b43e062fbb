//! Text with `{{ path.to.value | default }}` in it. One pass: a value that contains `{{x}}` is text.

use std::collections::BTreeSet;

/// The longest text a template may become, in bytes.
pub const LARGEST: usize = 256 * 1024;

/// A template filled in, and the names it asked for that nobody knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// Each once, in the order they appear.
    pub missing: Vec<String>,
    /// It would have become longer than [`LARGEST`]; the text ends somewhere behind that.
    pub too_long: bool,
}

/// What stands where a name is missing and the template gives no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenMissing {
    Empty,
    /// The braces and the name, as written.
    Literal,
}

/// Fills in `template`, asking `value_of` for each path. Text in braces that is no path
/// (letters, digits, `_`, `-`, `.`; 128 at most) stays as it is.
pub fn render(
    template: &str,
    value_of: impl Fn(&str) -> Option<String>,
    when_missing: WhenMissing,
) -> Rendered {
    let mut rendered = Rendered::default();
    let mut missing = BTreeSet::new();
    // Nothing behind the last braces that close is a place, and is not looked through again and again.
    let closes = template.rfind("}}").map_or(0, |last| template.len() - last);
    let mut rest = template;
    while let Some(open) = rest.find("{{") {
        let (before, after) = rest.split_at(open);
        if after.len() <= closes || closes == 0 {
            break;
        }
        rendered.text.push_str(before);
        if rendered.text.len() > LARGEST {
            rendered.too_long = true;
            return rendered;
        }
        let Some(Place { path, default, end }) = Place::read(after) else {
            // Only the braces are passed over, so that `{{{{x}}` still finds `{{x}}`.
            rendered.text.push_str("{{");
            rest = &after[2..];
            continue;
        };
        match (value_of(path), default) {
            (Some(value), _) => rendered.text.push_str(&value),
            (None, Some(default)) => rendered.text.push_str(default),
            (None, None) => {
                if when_missing == WhenMissing::Literal {
                    rendered.text.push_str(&after[..end]);
                }
                if missing.insert(path) {
                    rendered.missing.push(path.to_owned());
                }
            }
        }
        rest = &after[end..];
    }
    rendered.text.push_str(rest);
    rendered.too_long = rendered.text.len() > LARGEST;
    rendered
}

/// `{{ path | default }}` at the beginning of a text.
struct Place<'a> {
    path: &'a str,
    default: Option<&'a str>,
    /// Where it ends.
    end: usize,
}

impl<'a> Place<'a> {
    /// Looks no further than it must: a text of braces alone is read in one pass too.
    fn read(text: &'a str) -> Option<Place<'a>> {
        let inside = text.get(2..)?.trim_start();
        let path = &inside[..inside.find(|c| !in_path(c)).unwrap_or(inside.len())];
        if !is_path(path) {
            return None;
        }
        let rest = inside[path.len()..].trim_start();
        let (default, close) = match rest.strip_prefix('|') {
            Some(default) => {
                let close = default.find("}}")?;
                (Some(default[..close].trim()), &default[close..])
            }
            None => (None, rest),
        };
        let behind = close.strip_prefix("}}")?;
        Some(Place {
            path,
            default,
            end: text.len() - behind.len(),
        })
    }
}

/// The longest path, in bytes.
const LONGEST: usize = 128;

fn in_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn is_path(text: &str) -> bool {
    text.len() <= LONGEST && text.split('.').all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str, missing: &[&str]) {
        let value_of = |path: &str| match path {
            "name" => Some("Jane".to_owned()),
            "user.name" => Some("{{name}}".to_owned()),
            _ => None,
        };
        let rendered = render(template, value_of, WhenMissing::Empty);
        assert_eq!(rendered.text, expected);
        assert_eq!(rendered.missing, missing);
    }

    #[test]
    fn fills_in() {
        check("Hi {{name}}!", "Hi Jane!", &[]);
        check("Hi {{ name }}, {{ name | you }}", "Hi Jane, Jane", &[]);
        check("Hi {{gone}}{{gone}}!", "Hi !", &["gone"]);
        check("Hi {{gone | friend}}!", "Hi friend!", &[]);
        check("Hi {{gone|}}!", "Hi !", &[]);
    }

    #[test]
    fn never_expands_a_value() {
        check("{{user.name}}", "{{name}}", &[]);
    }

    #[test]
    fn leaves_what_is_no_path() {
        check("{{ }} {{a b}} {{.}} {{", "{{ }} {{a b}} {{.}} {{", &[]);
        check("{{{{name}}", "{{Jane", &[]);
        check("{name}", "{name}", &[]);
        check("{{name} }} {{name|", "{{name} }} {{name|", &[]);
        check(
            "{{\u{e4}}} {{name\u{e4}}}",
            "{{\u{e4}}} {{name\u{e4}}}",
            &[],
        );
        check("{{gone|a{{name}}}}", "a{{name}}", &[]);
    }

    #[test]
    fn ends_with_texts_that_grow_beyond_measure() {
        let long = "x".repeat(1_000);
        let rendered = render(
            &"{{x}}".repeat(50_000),
            |_| Some(long.clone()),
            WhenMissing::Empty,
        );
        assert!(rendered.too_long && rendered.text.len() < LARGEST + 2_000);
        let rendered = render(
            &"{{x}}".repeat(200),
            |_| Some(long.clone()),
            WhenMissing::Empty,
        );
        assert!(!rendered.too_long && rendered.text.len() == 200_000);
    }

    /// Braces, names and bars without end are read in one pass: this takes milliseconds or, if not, minutes.
    #[test]
    fn reads_a_text_of_braces_once() {
        let names: String = (0..30_000)
            .map(|number| format!("{{{{n{number}}}}}"))
            .collect();
        let rendered = render(&names, |_| None, WhenMissing::Empty);
        assert_eq!(rendered.missing.len(), 30_000);
        for part in ["{{", "{{ ", "{{a ", "{{a|", "{{a}", "{{.", "{{{"] {
            let text = part.repeat(60_000);
            assert_eq!(render(&text, |_| None, WhenMissing::Empty).text, text);
            render(&format!("{text}}}}}"), |_| None, WhenMissing::Empty);
        }
    }

    #[test]
    fn can_keep_what_is_missing() {
        let rendered = render("Hi {{crm.x}}", |_| None, WhenMissing::Literal);
        assert_eq!(rendered.text, "Hi {{crm.x}}");
        assert_eq!(rendered.missing, ["crm.x"]);
    }
}
