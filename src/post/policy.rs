//! What a source may do by itself.
