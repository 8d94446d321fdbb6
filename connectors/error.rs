//! What can go wrong inside a connector. Each text names what was tried and the way out.

use thiserror::Error;

/// Why a connector could not be configured or could not read an answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectorError {
    /// A setting is missing, unknown or malformed.
    #[error("setting `{key}`: {problem}")]
    Settings {
        /// The key, with its path.
        key: String,
        /// What is wrong and what is accepted.
        problem: String,
    },
    /// The answer has no bytes at all.
    #[error("the answer is empty (0 bytes); open the URL in a browser to see whether the site still has this feed")]
    Empty,
    /// The answer is something else than what this connector reads, for example an HTML page.
    #[error("the answer is {found}, not {wanted}; open the URL in a browser to see what the site now shows there")]
    NotThis {
        /// What it looks like, with its article: "an HTML page".
        found: String,
        /// What was expected, with its article: "a feed".
        wanted: &'static str,
    },
    /// It looks like the right thing, but cannot be read.
    #[error("the {what} cannot be read: {problem}")]
    Unreadable {
        /// What was read: "RSS feed".
        what: &'static str,
        /// The parser's words, with a position where it has one.
        problem: String,
    },
    /// This kind takes nothing by webhook.
    #[error("this kind of source is read, and takes nothing by webhook; choose the kind of the system that sends this")]
    NotPushed,
}
