//! Plain text of HTML, and cutting it.
