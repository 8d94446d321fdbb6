//! Tests of templates.

use super::{DEFAULT, Template, TemplateError};

#[test]
fn the_default_template_is_what_its_text_says() {
    assert_eq!(Template::parse(DEFAULT), Ok(Template::default()));
}

#[test]
fn a_faulty_template_is_refused_with_what_is_wrong() {
    let cases = [
        ("{title} {lnk}", TemplateError::Unknown("lnk".to_owned())),
        ("{title", TemplateError::Brace('{')),
        ("{title} }", TemplateError::Brace('}')),
        ("{title}\n{title}", TemplateError::Twice("title")),
        ("{title}: {text}", TemplateError::Beside),
        ("{title}\n{text}", TemplateError::Beside),
        ("Nieuw: {link}", TemplateError::Silent),
        ("", TemplateError::Silent),
    ];
    for (source, expected) in cases {
        assert_eq!(Template::parse(source), Err(expected), "{source}");
    }
    assert_eq!(Template::parse(&format!("{{title}}{}", "x".repeat(500))), Err(TemplateError::TooLong));
    let error = Template::parse("{title} {lnk}").unwrap_err().to_string();
    assert!(error.contains("`{lnk}`") && error.contains("{hashtags}"), "{error}");
}

#[test]
fn a_template_comes_back_from_its_string() {
    let source = "Nieuws {{!}}: {title}\nLees meer: {link}\n\n\n{text}\n";
    let template: Template = serde_json::from_value(source.into()).unwrap();
    assert_eq!(serde_json::to_value(&template).unwrap(), source);
}
