//! Texts made from what a system sent, by a template or a JSONPath that stands in the settings of a source.
//!
//! Both are the operator's, and what they work on is not: so each has limits that hold whatever comes in.

use std::io;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value as Any};
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::draft::{TEXT_BYTES_MAX, text};
use crate::error::ConnectorError;
use crate::settings::{SETTING_BYTES_MAX, refused};

/// Work that one template may do: about one per instruction and per 64 bytes made, so also the memory that it can take (a text at
/// its limit costs 8,192).
pub(crate) const FUEL_MAX: u64 = 100_000;
/// Work that all templates may do over one answer or delivery: 1,000 items of 10,000 each, about a second.
pub(crate) const FUEL_PER_PAGE_MAX: u64 = 10_000_000;
/// The same over one delivery, whose sender waits for the answer.
pub(crate) const FUEL_PER_DELIVERY_MAX: u64 = 1_000_000;
/// Deepest nesting inside a template, and of what it calls.
const DEPTH_MAX: usize = 100;
/// Longest JSONPath, in bytes.
pub(crate) const PATH_BYTES_MAX: usize = 500;
/// Most brackets of a JSONPath, and most parentheses: the time to read it grows with how they nest.
const BRACKETS_MAX: usize = 20;
const PARENTHESES_MAX: usize = 6;
/// Most selectors beyond the first in all brackets: `[*, *]` doubles what is found.
const COMMAS_MAX: usize = 4;

/// A template, read and ready.
#[derive(Debug)]
pub(crate) struct Template {
    key: String,
    environment: Environment<'static>,
}

/// Whether what is put into a template is plain text for HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    /// Text: put in as it is.
    Text,
    /// HTML: escaped, unless the template says `| safe`.
    Html,
}

/// What is left to do for all templates of one page.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(FUEL_PER_PAGE_MAX)
    }
}

impl Budget {
    /// That of a delivery.
    pub(crate) fn of_delivery() -> Self {
        Self(FUEL_PER_DELIVERY_MAX)
    }
}

impl Template {
    /// Reads the template of the setting `key`.
    pub(crate) fn new(key: &str, source: &str, makes: Makes) -> Result<Self, ConnectorError> {
        let mut environment = Environment::new();
        if source.len() > SETTING_BYTES_MAX {
            return Err(refused(key, format!("is longer than {SETTING_BYTES_MAX} bytes")));
        }
        let escape = if makes == Makes::Html { AutoEscape::Html } else { AutoEscape::None };
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_recursion_limit(DEPTH_MAX);
        environment.set_fuel(Some(FUEL_MAX));
        environment
            .add_template_owned("template", source.to_owned())
            .map_err(|problem| refused(key, format!("is no template: {problem}")))?;
        Ok(Self { key: key.to_owned(), environment })
    }

    /// The text that it makes of `context`, or what went wrong, as a sentence.
    pub(crate) fn render(&self, context: &Any, budget: &mut Budget) -> Result<String, String> {
        let failed = |problem: minijinja::Error| match problem.kind() {
            ErrorKind::OutOfFuel => format!("the template `{}` does more work than a template may", self.key),
            ErrorKind::WriteFailure => {
                format!("the template `{}` makes more than {TEXT_BYTES_MAX} bytes", self.key)
            }
            kind => format!("the template `{}` fails: {kind}", self.key),
        };
        if budget.0 == 0 {
            return Err("the templates do more work together than they may".to_owned());
        }
        let mut out = Bounded(Vec::new());
        let template = self.environment.get_template("template").map_err(failed)?;
        let rendered = template.render_captured_to(context.clone(), &mut out);
        let spent = match &rendered {
            Ok(rendered) => rendered.state().fuel_levels().map_or(FUEL_MAX, |(spent, _)| spent),
            Err(_) => FUEL_MAX,
        };
        budget.0 = budget.0.saturating_sub(spent.max(1));
        rendered.map(|_| ()).map_err(failed)?;
        String::from_utf8(out.0).map_err(|_| format!("the template `{}` makes no text", self.key))
    }
}

/// Takes as many bytes as a text may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT_BYTES_MAX {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the JSONPath (RFC 9535) of the setting `key`. Those whose work is not linear in the input are refused.
pub(crate) fn path(key: &str, source: &str) -> Result<JsonPath, ConnectorError> {
    let many = |of: &str| source.matches(of).count();
    let problem = if source.len() > PATH_BYTES_MAX {
        Some(format!("is longer than {PATH_BYTES_MAX} bytes"))
    } else if many("..") > 1 || many("?") > 2 || many("$") > 1 {
        Some("may have `..` once, `?` twice, and `$` only at its beginning".to_owned())
    } else if many("[") > BRACKETS_MAX || many("(") > PARENTHESES_MAX || many(",") > COMMAS_MAX {
        Some(format!(
            "may have {BRACKETS_MAX} brackets, {PARENTHESES_MAX} parentheses and {COMMAS_MAX} commas; a template can do more"
        ))
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(refused(key, problem));
    }
    JsonPath::parse(source).map_err(|problem| {
        let problem = text::cut(problem.to_string(), 200);
        refused(key, format!("is no JSONPath: {problem}; write it as $.post.title"))
    })
}

/// What templates see of JSON.
pub(crate) fn seen(value: &Value) -> Any {
    Any::from(Serde(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(source: &str, makes: Makes) -> Result<String, String> {
        let context = seen(&json!({"a": "<b> & c", "n": 3, "many": [1, 2, 3]}));
        Template::new("title", source, makes).unwrap().render(&context, &mut Budget::default())
    }

    #[test]
    fn what_is_put_into_html_is_escaped_and_elsewhere_not() {
        assert_eq!(rendered("<p>{{ a }}</p>", Makes::Html).unwrap(), "<p>&lt;b&gt; &amp; c</p>");
        assert_eq!(rendered("<p>{{ a|safe }}</p>", Makes::Html).unwrap(), "<p><b> & c</p>");
        assert_eq!(
            rendered("{{ a }} {{ no.such.thing }}{{ a|urlencode }}", Makes::Text).unwrap(),
            "<b> & c %3Cb%3E%20%26%20c"
        );
    }

    #[test]
    fn a_template_that_cannot_be_read_names_its_setting() {
        for bad in ["{{ a", "{% if a %}", "{{ a|nosuchfilter( }}", &"x".repeat(SETTING_BYTES_MAX + 1)] {
            let Err(ConnectorError::Settings { key, .. }) = Template::new("map.title", bad, Makes::Text).map(|_| ())
            else {
                panic!("{bad}")
            };
            assert_eq!(key, "map.title");
        }
        assert!(Template::new("title", &"x".repeat(SETTING_BYTES_MAX), Makes::Text).is_ok());
    }

    #[test]
    fn a_template_that_works_or_writes_too_much_is_stopped() {
        assert!(
            rendered(
                "{% for x in range(300) %}{% for y in range(300) %}{{ x*y }}{% endfor %}{% endfor %}",
                Makes::Text
            )
            .unwrap_err()
            .contains("work")
        );
        assert!(rendered("{{ 'x' * 100000000 }}", Makes::Text).is_err());
        let doubled = "{% set x = 'xxxxxxxx' %}".to_owned() + &"{% set x = x ~ x %}".repeat(60) + "{{ x }}";
        assert!(rendered(&doubled, Makes::Text).unwrap_err().contains("work"));
        let whole = format!("{{{{ 'x' * {TEXT_BYTES_MAX} }}}}");
        assert_eq!(rendered(&whole, Makes::Text).unwrap().len(), TEXT_BYTES_MAX);
        let more = format!("{{{{ 'x' * {TEXT_BYTES_MAX} }}}}x");
        assert!(rendered(&more, Makes::Text).unwrap_err().contains("bytes"));
        let deep = "{% if a %}".repeat(140) + &"{% endif %}".repeat(140);
        assert!(
            Template::new("title", &deep, Makes::Text)
                .map(|t| t.render(&seen(&json!({})), &mut Budget::default()))
                .is_ok()
        );
    }

    #[test]
    fn all_templates_of_a_page_share_a_budget() {
        let template = Template::new("title", "{% for x in range(10000) %}{{ x }}{% endfor %}", Makes::Text).unwrap();
        let times = |mut budget: Budget| {
            (0..10_000).take_while(|_| template.render(&seen(&json!({})), &mut budget).is_ok()).count()
        };
        let (page, delivery) = (times(Budget::default()), times(Budget::of_delivery()));
        assert!((100..2_000).contains(&page) && (10..200).contains(&delivery), "{page} {delivery}");
    }

    #[test]
    fn a_path_at_the_limit_is_read_and_one_beyond_is_refused() {
        let long = |n: usize| format!("$.{}", "a".repeat(n - 2));
        for good in [&long(PATH_BYTES_MAX), "$", "$.a[?@.b == 'c']", "$..title", "$['a','b']", "$[?length(@.a) > 1]"] {
            path("id", good).unwrap_or_else(|problem| panic!("{problem}"));
        }
        let commas = format!("$[*{}]", ",*".repeat(COMMAS_MAX + 1));
        for bad in [&long(PATH_BYTES_MAX + 1), "$..a..b", "$[?$.a]", &commas, "a.b", "$.", "", &"(".repeat(500)] {
            assert!(path("id", bad).is_err(), "{bad}");
        }
        let nested = format!("$[?{}@.a{}]", "(".repeat(PARENTHESES_MAX), ")".repeat(PARENTHESES_MAX));
        assert!(path("id", &nested).is_ok());
    }
}
