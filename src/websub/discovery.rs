//! Where a document says that its hub is: first in the `Link` headers of the answer (RFC 8288), then in itself.

use heraut_connectors::contract::Push;
use url::Url;

/// Most bytes of `Link` headers that are read of one answer.
const LINK_BYTES_MAX: usize = 16 * 1_024;
/// Longest address that is taken, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// A hub and what it is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where to subscribe.
    pub hub: Url,
    /// By which the hub knows the document: byte for byte, because hubs compare texts.
    pub topic: String,
    /// Whether the topic is the very document that was fetched. What is delivered of another one is not taken for it: a page of a
    /// category that names the feed of the whole site, or a copied template that names somebody else's, would publish what
    /// nobody chose. It only makes us look.
    pub whole: bool,
}

/// The hub that an answer names, if it names one that can be used. `asked` is the address that was to be fetched, `answered` the
/// one that answered after redirects. An answer that does not name its own address is known by the one that answered, if that has no
/// parameters.
pub fn discover<'h>(headers: impl Iterator<Item = &'h str>, push: &Push, asked: &Url, answered: &Url) -> Option<Found> {
    let said = links(headers);
    let said = Push::of(said.iter().map(|(relation, address)| (relation.as_str(), address.as_str())));
    let hubs = if said.hubs.is_empty() { &push.hubs } else { &said.hubs };
    let hub = hubs.iter().find_map(|hub| usable(hub, answered))?;
    let own = said.own.as_ref().or(push.own.as_ref());
    // One that is no address, or one of something else, is as good as none.
    let named = own.and_then(|own| Some((own, usable(own, answered)?)));
    let (topic, url) = match named {
        // As it stands there, unless it is relative or odd.
        Some((text, url)) if Url::parse(text).is_ok() && is_plain(text) => (text.clone(), url),
        Some((_, url)) => (url.to_string(), url),
        // Where there are parameters one may be a password, which is not a hub's business.
        None if answered.query().is_some() => return None,
        None => (answered.to_string(), answered.clone()),
    };
    let same = |other: &Url| {
        let mut other = other.clone();
        other.set_fragment(None);
        other == url
    };
    Some(Found { hub, whole: same(asked) || same(answered), topic })
}

fn is_plain(text: &str) -> bool {
    text.len() <= URL_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic())
}

fn usable(address: &str, base: &Url) -> Option<Url> {
    let url = base.join(address.trim()).ok().filter(|url| url.as_str().len() <= URL_BYTES_MAX)?;
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    (web && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()).then_some(url)
}

/// The links of `Link` headers, each a relation in lower case and an address. Links about something else (`anchor`) and what cannot
/// be read are left out.
pub fn links<'h>(headers: impl Iterator<Item = &'h str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left = LINK_BYTES_MAX;
    for header in headers {
        if header.len() > left {
            break;
        }
        left -= header.len();
        let mut rest = header;
        while let Some((_, after)) = rest.split_once('<') {
            let Some((address, parameters)) = after.split_once('>') else { break };
            let (relations, behind) = relations(parameters);
            found.extend(relations.into_iter().map(|relation| (relation, address.trim().to_owned())));
            rest = behind;
        }
    }
    found
}

/// The relations that stand behind an address, and what stands behind its parameters.
fn relations(mut text: &str) -> (Vec<String>, &str) {
    let (mut relations, mut elsewhere) = (None, false);
    loop {
        text = text.trim_start();
        let Some(after) = text.strip_prefix(';') else { break };
        let end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let (name, behind) = after.split_at(end);
        let (value, behind) = match behind.strip_prefix('=') {
            Some(value) => value_of(value.trim_start()),
            None => (String::new(), behind),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "rel" => {
                relations.get_or_insert_with(|| value.split_whitespace().map(str::to_ascii_lowercase).collect());
            }
            "anchor" => elsewhere = true,
            _ => {}
        }
        text = behind;
    }
    (if elsewhere { Vec::new() } else { relations.unwrap_or_default() }, text)
}

/// A value, quoted or not, and what stands behind it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        return (value.trim().to_owned(), behind);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}
