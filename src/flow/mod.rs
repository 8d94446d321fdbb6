//! Load, decide, commit, act.
