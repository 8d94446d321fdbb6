//! `Accept-Signature` (RFC 9421 §5): what a server asks a signature to be.

use sfv::BareItem;

use crate::signature::rfc9421::base;
use crate::signature::rfc9421::dictionary::{self, Parameters, Value, string};

/// What can be covered by a request of ours beside what always is.
const COVERABLE: &[&str] = &[
    "@method",
    "@target-uri",
    "@authority",
    "@scheme",
    "@request-target",
    "@path",
    "@query",
    "content-digest",
    "content-type",
    "date",
    "host",
];
/// Longest nonce or tag that is given back, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What a server asked for, as far as we can do it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    /// The components to cover, each one that we can.
    pub(super) components: Vec<String>,
    /// To be given back.
    pub(super) nonce: Option<String>,
    /// To be given back.
    pub(super) tag: Option<String>,
    /// It wants Ed25519.
    pub ed25519: bool,
}

impl Challenge {
    /// Reads the value of `Accept-Signature`: the first signature asked for that we can make. `None` where there is none, or the
    /// header does not parse: then it asks for nothing.
    pub fn read(header: &str) -> Option<Self> {
        let members = dictionary::read(&[header], "`Accept-Signature` is not a dictionary").ok()?;
        members.iter().find_map(|member| match &member.value {
            Value::List(components) => {
                let names: Option<Vec<String>> = components
                    .iter()
                    .map(|component| {
                        let name = base::name(component).ok()?;
                        let can = component.parameters.is_empty() && COVERABLE.contains(&name);
                        can.then(|| name.to_owned())
                    })
                    .collect();
                Self::of(names?, &member.parameters)
            }
            Value::Item(_) => None,
        })
    }

    fn of(components: Vec<String>, parameters: &Parameters) -> Option<Self> {
        let mut challenge = Self { components, ..Self::default() };
        for (name, value) in parameters {
            let text = || string(value).filter(|text| text.len() <= TEXT_BYTES_MAX).map(str::to_owned);
            match name.as_str() {
                "nonce" => challenge.nonce = Some(text()?),
                "tag" => challenge.tag = Some(text()?),
                "alg" => match string(value)? {
                    "ed25519" => challenge.ed25519 = true,
                    "rsa-v1_5-sha256" => {}
                    _ => return None,
                },
                // A wish for a parameter that we always send, or for a key of its choice, which is ours anyhow.
                "created" | "keyid" => {}
                "expires" if *value == BareItem::Boolean(true) => return None,
                _ => {}
            }
        }
        Some(challenge)
    }
}
