//! Signature bases: the values of components (RFC 9421 §2) and the text that is signed (§2.5).

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::form_urlencoded;

use crate::signature::rfc9421::dictionary::{Entry, Parameters, identifier, inner_list, string};
use crate::signature::{ReceivedRequest, SignatureError, Site};

/// What the URL standard escapes in a component (its "component percent-encode set").
const COMPONENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'|')
    .add(b'$')
    .add(b'&')
    .add(b'+')
    .add(b',');

/// The text that a signature with these components and parameters is made over.
pub(super) fn text(
    request: &ReceivedRequest<'_>,
    site: &Site,
    components: &[Entry],
    parameters: &Parameters,
) -> Result<String, SignatureError> {
    let mut text = String::with_capacity(512);
    for component in components {
        let value = value(request, site, component)?;
        if value.contains(['\n', '\r']) {
            return Err(SignatureError::Malformed("a covered header has a line end"));
        }
        text.extend([identifier(component).as_str(), ": ", &value, "\n"]);
    }
    text.extend(["\"@signature-params\": ", &inner_list(components, parameters)]);
    Ok(text)
}

/// The name of a component.
pub(super) fn name(component: &Entry) -> Result<&str, SignatureError> {
    let name = string(&component.item).ok_or(SignatureError::Malformed("a component is not a string"))?;
    if name.is_empty() || name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(SignatureError::Malformed("a component is not written in lower case"));
    }
    Ok(name)
}

fn value(request: &ReceivedRequest<'_>, site: &Site, component: &Entry) -> Result<String, SignatureError> {
    let name = name(component)?;
    let unread = || SignatureError::Component(identifier(component));
    if name == "@query-param" {
        return query_param(request, component);
    }
    if !component.parameters.is_empty() {
        return Err(unread()); // none of ours: `sf`, `key`, `bs`, `req`, `tr`
    }
    let (path, query) =
        request.path_and_query.split_once('?').map_or((request.path_and_query, None), |(p, q)| (p, Some(q)));
    Ok(match name {
        "@method" => request.method.to_owned(),
        "@target-uri" => format!("{}{}", site.root(), request.path_and_query),
        "@authority" => site.authority().to_owned(),
        "@scheme" => site.scheme().to_owned(),
        "@request-target" => request.path_and_query.to_owned(),
        "@path" if path.is_empty() => "/".to_owned(),
        "@path" => path.to_owned(),
        "@query" => format!("?{}", query.unwrap_or_default()),
        _ if name.starts_with('@') => return Err(unread()),
        _ => {
            let values: Vec<&str> = request.values(name).map(str::trim).collect();
            if values.is_empty() {
                return Err(SignatureError::Absent(name.to_owned()));
            }
            values.join(", ")
        }
    })
}

/// §2.2.8: a parameter of the query by its name, which must stand there once.
fn query_param(request: &ReceivedRequest<'_>, component: &Entry) -> Result<String, SignatureError> {
    let wanted = match component.parameters.as_slice() {
        [(parameter, value)] if parameter == "name" => string(value),
        _ => None,
    };
    let wanted = wanted.ok_or_else(|| SignatureError::Component(identifier(component)))?;
    let query = request.path_and_query.split_once('?').map_or("", |(_, query)| query);
    let encode = |text: &str| utf8_percent_encode(text, COMPONENT).to_string();
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| encode(name) == wanted);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(encode(&value)),
        _ => Err(SignatureError::Absent(identifier(component))),
    }
}
