//! What goes along when an actor is handed over: which rows of which tables are its own.

use crate::ids::ActorId;
use crate::store::catalogue::Table;

/// Tables of which an actor takes rows along, each after those that it refers to, with the condition of its rows; `{id}` is the
/// actor. A test holds that every table stands here or in [`STAYS`].
pub const GOES: &[(&str, &str)] = &[
    ("agencies", "id = (SELECT agency_id FROM actors WHERE id = {id})"),
    ("actors", "id = {id}"),
    ("actor_keys", "actor_id = {id}"),
    ("other_keys", "actor_id = {id}"),
    ("key_rotations", "actor_id = {id}"),
    ("actor_continuity", "actor_id = {id}"),
    ("former_handles", "actor_id = {id}"),
    ("sources", "actor_id = {id}"),
    ("source_secrets", "source_id IN (SELECT id FROM sources WHERE actor_id = {id})"),
    ("tokens", "source_id IN (SELECT id FROM sources WHERE actor_id = {id})"),
    ("posts", "actor_id = {id}"),
    ("post_changes", "post_id IN (SELECT id FROM posts WHERE actor_id = {id})"),
    ("post_revisions", "post_id IN (SELECT id FROM posts WHERE actor_id = {id})"),
    (
        "media",
        "post_id IN (SELECT id FROM posts WHERE actor_id = {id}) OR id IN (SELECT u.media_id FROM uploads u \
         JOIN sources s ON s.id = u.source_id WHERE s.actor_id = {id})",
    ),
    ("items", "source_id IN (SELECT id FROM sources WHERE actor_id = {id})"),
    ("item_aliases", "source_id IN (SELECT id FROM sources WHERE actor_id = {id})"),
    ("client_requests", "source_id IN (SELECT id FROM sources WHERE actor_id = {id})"),
    ("uploads", "source_id IN (SELECT id FROM sources WHERE actor_id = {id})"),
    ("pins", "actor_id = {id}"),
    ("activities", "actor_id = {id}"),
    (
        "inboxes",
        "id IN (SELECT inbox_id FROM followers WHERE actor_id = {id} \
         UNION SELECT d.inbox_id FROM deliveries d JOIN activities a ON a.id = d.activity_id WHERE a.actor_id = {id} \
         UNION SELECT q.inbox_id FROM quote_requests q JOIN posts p ON p.id = q.post_id WHERE p.actor_id = {id})",
    ),
    ("deliveries", "activity_id IN (SELECT id FROM activities WHERE actor_id = {id})"),
    ("followers", "actor_id = {id}"),
    ("blocks", "actor_id = {id}"),
    ("messages", "actor_id = {id}"),
    ("reactions", "post_id IN (SELECT id FROM posts WHERE actor_id = {id})"),
    ("quotes", "post_id IN (SELECT id FROM posts WHERE actor_id = {id})"),
    ("quote_requests", "post_id IN (SELECT id FROM posts WHERE actor_id = {id})"),
];

/// Tables of which nothing goes along, and why.
pub const STAYS: &[(&str, &str)] = &[
    (crate::store::catalogue::MIGRATIONS_TABLE, "each installation has its own"),
    ("proofs", "the new installation looks for itself whether the agency's proof holds"),
    ("audit", "it says what was done here"),
    ("turns", "places in line are of one installation"),
    ("public_versions", "it is counted anew"),
    ("hosts", "what one installation knows of servers"),
    ("host_signatures", "what one installation knows of servers"),
    ("remote_actors", "they are fetched again"),
    ("seen_activities", "what was taken in here"),
    ("deleted_objects", "what was taken in here"),
    ("hooks", "made anew with the first request"),
    ("hook_deliveries", "what was pushed here was taken in here"),
    ("websub_subscriptions", "hubs are asked again, for the host that it is then"),
    ("agency_organisations", "as which organisation the agency stands in registers is said where it is from then on"),
    ("registers", "each installation reads its own"),
    ("register_entries", "each installation reads its own"),
    ("relays", "the agency chooses relays anew: they are asked by the instance actor of an installation"),
    ("relay_agencies", "the agency chooses relays anew"),
    ("relay_announcements", "what this installation tells its relays"),
    ("targets", "the token of an account was given to this installation; the target is added there anew"),
    ("target_posts", "what stands on the account of a target stays there"),
    ("target_deliveries", "receipts of this installation's targets"),
];

/// The tables of which an actor takes rows along, in the order of [`GOES`].
pub fn tables(all: &[Table]) -> Vec<Table> {
    GOES.iter().filter_map(|(name, _)| all.iter().find(|table| table.name == *name)).cloned().collect()
}

/// The condition of the rows of a table that an actor takes along; `None` where none are.
pub fn condition(table: &str, actor: ActorId) -> Option<String> {
    let found = GOES.iter().find(|(name, _)| *name == table)?;
    Some(found.1.replace("{id}", &actor.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_both_goes_along_and_stays() {
        for (name, _) in GOES {
            assert!(!STAYS.iter().any(|(other, _)| other == name), "{name}");
        }
    }

    #[test]
    fn a_condition_names_the_actor() {
        let condition = condition("uploads", ActorId(7)).unwrap();
        assert!(condition.contains("actor_id = 7") && !condition.contains('{'), "{condition}");
    }
}
