//! Text with `{{ path.to.value | default }}` in it. One pass: a value that contains `{{x}}` is text.

/// A template filled in, and the names it asked for that nobody knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// Each once, in the order they appear.
    pub missing: Vec<String>,
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
    let mut rest = template;
    while let Some(open) = rest.find("{{") {
        let (before, after) = rest.split_at(open);
        rendered.text.push_str(before);
        let Some(close) = after.find("}}") else {
            rest = after;
            break;
        };
        let (whole, inside) = (&after[..close + 2], &after[2..close]);
        let (path, default) = match inside.split_once('|') {
            Some((path, default)) => (path.trim(), Some(default.trim())),
            None => (inside.trim(), None),
        };
        if !is_path(path) {
            // Only the braces are passed over, so that `{{{{x}}` still finds `{{x}}`.
            rendered.text.push_str("{{");
            rest = &after[2..];
            continue;
        }
        match (value_of(path), default) {
            (Some(value), _) => rendered.text.push_str(&value),
            (None, Some(default)) => rendered.text.push_str(default),
            (None, None) => {
                if when_missing == WhenMissing::Literal {
                    rendered.text.push_str(whole);
                }
                if !rendered.missing.iter().any(|name| name == path) {
                    rendered.missing.push(path.to_owned());
                }
            }
        }
        rest = &after[close + 2..];
    }
    rendered.text.push_str(rest);
    rendered
}

/// The longest path, in bytes.
const LONGEST: usize = 128;

fn is_path(text: &str) -> bool {
    text.len() <= LONGEST
        && text.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        })
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
    }

    #[test]
    fn can_keep_what_is_missing() {
        let rendered = render("Hi {{crm.x}}", |_| None, WhenMissing::Literal);
        assert_eq!(rendered.text, "Hi {{crm.x}}");
        assert_eq!(rendered.missing, ["crm.x"]);
    }
}
