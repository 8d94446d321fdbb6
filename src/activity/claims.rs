//! What `FEDERATION.md` claims (FEP-67ff). A test holds the document, these tables and the code to each other.

/// The FEPs that are kept, by their slug.
pub const FEPS: &[&str] =
    &["67ff", "f1d5", "2c59", "521a", "5feb", "844e", "8b32", "d556", "fe34", "044f", "c0e0", "7628", "8fcf", "ae0c"];

/// The types of activities that are sent.
pub const SENT: &[&str] =
    &["Create", "Update", "Delete", "Add", "Remove", "Move", "Accept", "Reject", "Follow", "Undo", "Announce"];

/// The types of activities that are read; all others are taken and ignored.
pub const READ: &[&str] = &[
    "Follow",
    "Undo",
    "Create",
    "Update",
    "Delete",
    "Like",
    "EmojiReact",
    "Announce",
    "Block",
    "Move",
    "QuoteRequest",
    "Flag",
    "Accept",
    "Reject",
];
