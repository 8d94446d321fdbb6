//! The table: one row per way in which a system signs. Sources and evidence: `reference/connectors.md` B1.

/// What is hashed with the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The body as it came.
    Body,
    /// The body with its line ends as CR LF: the helper library of Kontent.ai signs what it wrote anew.
    BodyWithCrlf,
    /// A fixed text.
    Text(&'static str),
    /// The value of the header with the time.
    Time,
    /// The identifier of the webhook at its sender.
    Identifier,
}

/// The hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How the signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Hex,
    Base64,
    /// Either: the vendor does not say.
    Any,
}

/// One HMAC in one header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain {
    /// Header with the signature: the first that is there counts.
    pub headers: &'static [&'static str],
    /// What stands before it.
    pub prefix: &'static str,
    pub hash: Hash,
    pub coding: Coding,
    /// What is signed; any of these forms will do.
    pub signed: &'static [&'static [Part]],
    /// Header with the time, in seconds since 1970 or as RFC 3339.
    pub time: Option<&'static str>,
    /// A header that names the hash, and the one name that is taken.
    pub hash_named: Option<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Scheme {
    Plain(Plain),
    /// Standard Webhooks 1.0: `v1` and `v1a`.
    Standard,
    /// Ghost: hash and time in one header.
    Ghost,
    /// Sanity: time and hash in one header, base64url.
    Sanity,
    /// Contentful: a canonical request.
    Contentful,
    /// WebSub: the header names the hash.
    WebSub,
    /// A password in a header or parameter.
    Static,
    /// A password in the path.
    Path,
}

#[derive(Debug)]
pub(super) struct Row {
    pub name: &'static str,
    pub scheme: Scheme,
    /// Headers with the id of the delivery.
    pub id_headers: &'static [&'static str],
}

impl Row {
    pub(super) fn needs_identifier(&self) -> bool {
        matches!(self.scheme, Scheme::Plain(plain) if plain.signed.iter().any(|parts| parts.contains(&Part::Identifier)))
    }

    pub(super) fn signature_headers(&self) -> &'static [&'static str] {
        match self.scheme {
            Scheme::Plain(plain) => plain.headers,
            Scheme::Standard => &["webhook-signature"],
            Scheme::Ghost => &["x-ghost-signature"],
            Scheme::Sanity => &["sanity-webhook-signature"],
            Scheme::Contentful => &["x-contentful-signature"],
            Scheme::WebSub => &["x-hub-signature"],
            Scheme::Static | Scheme::Path => &[],
        }
    }
}

/// The row of that name.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The names of all profiles.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

const BODY: &[&[Part]] = &[&[Part::Body]];

const HEX: Plain = Plain {
    headers: &[],
    prefix: "",
    hash: Hash::Sha256,
    coding: Coding::Hex,
    signed: BODY,
    time: None,
    hash_named: None,
};
const BASE64: Plain = Plain { coding: Coding::Base64, ..HEX };

static ROWS: &[Row] = &[
    Row { name: "standard", scheme: Scheme::Standard, id_headers: &["webhook-id"] },
    Row {
        name: "github",
        scheme: Scheme::Plain(Plain { headers: &["x-hub-signature-256"], prefix: "sha256=", ..HEX }),
        id_headers: &["x-github-delivery", "x-drupal-delivery"],
    },
    Row {
        name: "hub-sha1",
        scheme: Scheme::Plain(Plain { headers: &["x-hub-signature"], prefix: "sha1=", hash: Hash::Sha1, ..HEX }),
        id_headers: &["x-drupal-delivery", "x-zammad-delivery", "x-github-delivery"],
    },
    Row { name: "ghost", scheme: Scheme::Ghost, id_headers: &[] },
    Row { name: "contentful", scheme: Scheme::Contentful, id_headers: &[] },
    Row { name: "sanity", scheme: Scheme::Sanity, id_headers: &["idempotency-key"] },
    Row {
        name: "storyblok",
        scheme: Scheme::Plain(Plain { headers: &["webhook-signature"], hash: Hash::Sha1, ..HEX }),
        id_headers: &[],
    },
    Row {
        name: "kontent",
        scheme: Scheme::Plain(Plain {
            headers: &["x-kontent-ai-signature", "x-kc-signature"],
            signed: &[&[Part::Body], &[Part::BodyWithCrlf]],
            ..BASE64
        }),
        id_headers: &[],
    },
    Row {
        name: "typo3",
        scheme: Scheme::Plain(Plain {
            headers: &["webhook-signature"],
            signed: &[&[Part::Identifier, Part::Text(":"), Part::Body]],
            hash_named: Some(("webhook-signature-algo", "sha256")),
            ..HEX
        }),
        id_headers: &[],
    },
    Row {
        name: "wp-webhooks",
        scheme: Scheme::Plain(Plain { headers: &["x-wp-webhook-signature"], ..BASE64 }),
        id_headers: &[],
    },
    Row {
        name: "chatwoot",
        scheme: Scheme::Plain(Plain {
            headers: &["x-chatwoot-signature"],
            prefix: "sha256=",
            signed: &[&[Part::Time, Part::Text("."), Part::Body]],
            time: Some("x-chatwoot-timestamp"),
            ..HEX
        }),
        id_headers: &["x-chatwoot-delivery"],
    },
    // The key is the MD5, in hex, of FreeScout's application key followed by `webhook_key`: that is the secret to set.
    Row {
        name: "freescout",
        scheme: Scheme::Plain(Plain { headers: &["x-freescout-signature"], hash: Hash::Sha1, ..BASE64 }),
        id_headers: &[],
    },
    Row {
        name: "zendesk",
        scheme: Scheme::Plain(Plain {
            headers: &["x-zendesk-webhook-signature"],
            signed: &[&[Part::Time, Part::Body]],
            time: Some("x-zendesk-webhook-signature-timestamp"),
            ..BASE64
        }),
        id_headers: &["x-zendesk-webhook-invocation-id"],
    },
    Row {
        name: "agorapulse",
        scheme: Scheme::Plain(Plain { headers: &["x-hook-signature"], coding: Coding::Any, ..HEX }),
        id_headers: &[],
    },
    Row { name: "websub", scheme: Scheme::WebSub, id_headers: &[] },
    Row { name: "static-header", scheme: Scheme::Static, id_headers: &["idempotency-key", "webhook-id"] },
    Row { name: "none-allowlist", scheme: Scheme::Path, id_headers: &["idempotency-key", "webhook-id"] },
];
