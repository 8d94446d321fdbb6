//! How far a post reached: counted from receipts, followers, reactions and messages.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Text};

use crate::ids::{ActorId, PostId};
use crate::on;
use crate::store::deliveries::DeliveryState;
use crate::store::schema::messages;
use crate::store::statement::statement;
use crate::store::{Db, Queried, reactions};

/// One server and what became of the post there, by the inbox where it got furthest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its host.
    pub host: String,
    /// Where the delivery of the post stands.
    pub state: DeliveryState,
    /// Inboxes of that server to which it was owed.
    pub inboxes: i64,
    /// Followers of its actor on that server now.
    pub followers: i64,
}

/// What is known of the reach of a post.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// How many inboxes are in each state, of the first publication.
    pub inboxes: Vec<(DeliveryState, i64)>,
    /// Each server that it was owed to, by host.
    pub servers: Vec<Server>,
    /// Followers of its actor now, on all servers.
    pub followers: i64,
    /// How many reactions of each kind.
    pub reactions: Vec<(String, i64)>,
    /// Replies that stand now.
    pub replies: i64,
}

#[derive(QueryableByName)]
struct InboxesRow {
    #[diesel(sql_type = SmallInt)]
    state: i16,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct ServerRow {
    #[diesel(sql_type = Text)]
    host: String,
    #[diesel(sql_type = SmallInt)]
    state: i16,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct FollowersRow {
    #[diesel(sql_type = Text)]
    host: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Counts. Receipts are those of the Create alone: an edit is no further reach.
pub fn of_post(db: &mut Db<'_>, post: PostId, actor: ActorId) -> Queried<Reach> {
    const INBOXES: &str = "SELECT d.state AS state, COUNT(*) AS n FROM activities a JOIN deliveries d ON d.activity_id = a.id \
        WHERE a.post_id = $1 AND a.kind = 'Create' GROUP BY d.state ORDER BY d.state";
    const SERVERS: &str = "SELECT i.host AS host, d.state AS state, COUNT(*) AS n FROM activities a \
        JOIN deliveries d ON d.activity_id = a.id JOIN inboxes i ON i.id = d.inbox_id \
        WHERE a.post_id = $1 AND a.kind = 'Create' GROUP BY i.host, d.state ORDER BY i.host, d.state";
    const FOLLOWERS: &str =
        "SELECT f.host AS host, COUNT(*) AS n FROM followers f WHERE f.actor_id = $1 GROUP BY f.host ORDER BY f.host";
    let inboxes: Vec<InboxesRow> = on!(db, c => statement(INBOXES).bind::<BigInt, _>(post).load(c))?;
    let servers: Vec<ServerRow> = on!(db, c => statement(SERVERS).bind::<BigInt, _>(post).load(c))?;
    let followers: Vec<FollowersRow> = on!(db, c => statement(FOLLOWERS).bind::<BigInt, _>(actor).load(c))?;
    let replies = on!(db, c => messages::table
        .filter(messages::post_id.eq(Some(post)).and(messages::deleted_at.is_null()).and(messages::in_reply_to.is_not_null()))
        .count()
        .get_result(c))?;
    Ok(Reach {
        inboxes: inboxes.into_iter().map(|row| (DeliveryState::from_code(row.state), row.n)).collect(),
        followers: followers.iter().map(|row| row.n).sum(),
        servers: joined(servers, &followers),
        reactions: reactions::counts(db, post)?,
        replies,
    })
}

/// One row per server: of its inboxes the one that got furthest says what became of the post there.
fn joined(rows: Vec<ServerRow>, followers: &[FollowersRow]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for row in rows {
        let state = DeliveryState::from_code(row.state);
        match servers.last_mut().filter(|last| last.host == row.host) {
            Some(last) => {
                last.inboxes += row.n;
                if rank(state) > rank(last.state) {
                    last.state = state;
                }
            }
            None => {
                let here = followers.binary_search_by(|known| known.host.cmp(&row.host)).ok();
                let here = here.and_then(|at| followers.get(at)).map_or(0, |known| known.n);
                servers.push(Server { host: row.host, state, inboxes: row.n, followers: here });
            }
        }
    }
    servers
}

/// Delivered is further than what may still be; that is further than what is over.
fn rank(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Delivered => 4,
        DeliveryState::Owed => 3,
        DeliveryState::Held => 2,
        DeliveryState::Refused => 1,
        DeliveryState::GaveUp => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_counted_once_by_its_best_inbox() {
        let row = |host: &str, state: i16, n| ServerRow { host: host.to_owned(), state, n };
        let rows = vec![row("a.example", 0, 1), row("a.example", 1, 2), row("b.example", 2, 1)];
        let followers = [FollowersRow { host: "a.example".to_owned(), n: 12 }];
        let servers = joined(rows, &followers);
        let a = Server { host: "a.example".to_owned(), state: DeliveryState::Delivered, inboxes: 3, followers: 12 };
        let b = Server { host: "b.example".to_owned(), state: DeliveryState::Refused, inboxes: 1, followers: 0 };
        assert_eq!(servers, [a, b]);
    }
}
