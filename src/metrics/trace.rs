//! The spans that a trace is made of: a poll, a publication, an inbox's turn, a received activity. They are at the level
//! `trace` of a target of their own, so that they cost one comparison where nobody wants them: only an exporter of traces, or
//! `HERAUT_LOG=trace`, does.

use tracing::Span;

/// The target of all spans.
pub const TARGET: &str = "heraut::trace";

/// A source is polled.
pub fn poll(source: &str) -> Span {
    tracing::trace_span!(target: "heraut::trace", "poll", source.name = source)
}

/// A post, or a change of one, is published.
pub fn publish(post: i64) -> Span {
    tracing::trace_span!(target: "heraut::trace", "publish", post.id = post)
}

/// An inbox is sent what it is owed.
pub fn deliver(host: &str) -> Span {
    tracing::trace_span!(target: "heraut::trace", "deliver", delivery.inbox_host = host)
}

/// An activity came in.
pub fn receive() -> Span {
    tracing::trace_span!(target: "heraut::trace", "receive")
}
