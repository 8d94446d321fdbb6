//! Who is owed an activity: each inbox once, shared inboxes preferred (ActivityPub §7.1.3).

use std::collections::HashSet;

use crate::urls::InboxUrl;

/// The inboxes of one follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerInbox {
    /// Its own inbox.
    pub inbox: InboxUrl,
    /// Its server's shared inbox, if it has one (GoToSocial has none).
    pub shared_inbox: Option<InboxUrl>,
}

/// The distinct inboxes to deliver to, in order of first appearance.
pub fn plan(followers: &[FollowerInbox]) -> Vec<InboxUrl> {
    let mut seen = HashSet::new();
    followers.iter().map(|f| f.shared_inbox.as_ref().unwrap_or(&f.inbox)).filter(|i| seen.insert(*i)).cloned().collect()
}

#[cfg(test)]
mod tests;
