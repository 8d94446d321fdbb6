//! What a source asks of those who poll it.
