//! Hosts and followers. Followers are put into the database by themselves: their Follows are not what is measured.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::{Conduct, Database};

/// Rows in one INSERT.
const ROWS_MAX: usize = 500;
/// Addresses of one third byte.
const PER_BYTE: usize = 250;
/// The first two bytes of the addresses of other servers, and of the sites of agencies.
const SERVERS: [u8; 2] = [127, 20];
const SITES: [u8; 2] = [127, 19];

/// Another server.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    pub address: Ipv4Addr,
    pub conduct: Conduct,
}

/// The first `count` other servers.
pub fn hosts(count: usize, conduct: Conduct) -> Vec<Host> {
    (0..count).map(|n| Host { address: address(SERVERS, n), conduct }).collect()
}

/// The first `count` sites of agencies.
pub fn sites(count: usize) -> Vec<Host> {
    (0..count).map(|n| Host { address: address(SITES, n), conduct: Conduct::Take }).collect()
}

fn address([a, b]: [u8; 2], n: usize) -> Ipv4Addr {
    let third = u8::try_from(n / PER_BYTE).expect("at most 64,000 hosts");
    Ipv4Addr::new(a, b, third, u8::try_from(1 + n % PER_BYTE).unwrap())
}

/// Followers of an actor, spread evenly over inboxes, which are spread evenly over hosts.
#[derive(Debug, Clone, Copy)]
pub struct Crowd<'a> {
    pub hosts: &'a [Host],
    pub port: u16,
    pub tls: bool,
    pub inboxes: usize,
    pub followers: usize,
}

impl Crowd<'_> {
    /// Makes the inboxes, unless they are there.
    pub fn settle(&self, database: &Database) {
        let scheme = if self.tls { "https" } else { "http" };
        let rows: Vec<String> = (0..self.inboxes)
            .map(|n| {
                let host = self.host(n);
                format!("({}, '{scheme}://{host}/inbox/{n}', '{host}', 0, 0, {})", id(n), now_ms())
            })
            .collect();
        insert(database, "inboxes (id, url, host, lease_until, failures, created_at)", &rows);
    }

    /// Makes its members follow an actor. `nth` says which actor: each gets followers of its own.
    pub fn follow(&self, database: &Database, actor: &str, nth: usize) {
        let scheme = if self.tls { "https" } else { "http" };
        let rows: Vec<String> = (0..self.followers)
            .map(|n| {
                let inbox = n % self.inboxes;
                let host = self.host(inbox);
                let url = format!("{scheme}://{host}/users/{n}");
                let own = id(10_000_000 + nth * self.followers + n);
                format!("({own}, {actor}, '{url}', '{host}', {}, '{url}/follow', {})", id(inbox), now_ms())
            })
            .collect();
        insert(database, "followers (id, actor_id, url, host, inbox_id, follow_id, created_at)", &rows);
    }

    /// The authority of the host that an inbox is on. Neighbours are on different hosts, as they are where people come one
    /// after the other.
    fn host(&self, inbox: usize) -> String {
        format!("{}:{}", self.hosts[inbox * 7_919 % self.hosts.len()].address, self.port)
    }
}

/// Different for each `n`, and of the size that real ids have.
fn id(n: usize) -> i64 {
    (60_000_000_000 + i64::try_from(n).unwrap()) << heraut::ids::ID_RANDOM_BITS
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn insert(database: &Database, into: &str, rows: &[String]) {
    let mut sql = "BEGIN;\n".to_owned();
    for chunk in rows.chunks(ROWS_MAX) {
        writeln!(sql, "INSERT INTO {into} VALUES {} ON CONFLICT DO NOTHING;", chunk.join(",")).unwrap();
    }
    database.execute(&(sql + "COMMIT;"));
}
