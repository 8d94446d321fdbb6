//! The hosts that we answer for: our own, those of agencies that brought one, and the domains of handles. What is remembered may
//! be a minute old; who asks for a host that is not on the list has it read anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::actor::continuity::ActorState;
use crate::flow::Gateway;
use crate::ids::ActorId;
use crate::store::{Db, StoreError, actors, continuity};
use crate::urls::Base;

/// How long a list serves while it holds the answer.
pub const FRESH: Duration = Duration::from_secs(60);
/// How often it is read anew for hosts that are not on it: strangers cannot make us ask the database for each request.
pub const RETRY: Duration = Duration::from_secs(1);

/// The hosts that we answer for, as of a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Our own root, which reads what is minted under all roots of ours.
    reading: Base,
    /// The roots of ids, by authority: our own, and those of agencies.
    own: BTreeMap<String, Base>,
    /// The domains of handles, also of those that actors had, each with the root that its discovery is about.
    handle_domains: BTreeMap<String, Base>,
    /// The actors that another installation speaks for.
    handed_over: BTreeSet<ActorId>,
    /// The roots all of whose actors are so.
    left: BTreeSet<String>,
}

impl Hosts {
    fn new(home: &Base, roots: Vec<Base>, domains: Vec<(String, Base)>) -> Self {
        let mut own: BTreeMap<String, Base> = roots.into_iter().map(|base| (base.authority(), base)).collect();
        own.insert(home.authority(), home.clone());
        let mut handle_domains = BTreeMap::new();
        for (domain, base) in domains {
            if !own.contains_key(&domain) {
                handle_domains.entry(domain).or_insert(base);
            }
        }
        let reading = home.reading(own.values().cloned());
        Self { reading, own, handle_domains, handed_over: BTreeSet::new(), left: BTreeSet::new() }
    }

    /// Our own root, which reads what is minted under all roots of ours.
    pub fn reading(&self) -> &Base {
        &self.reading
    }

    /// The root of ids on that host, if it is one of ours.
    pub fn own(&self, authority: &str) -> Option<&Base> {
        self.own.get(authority)
    }

    /// All roots of ids.
    pub fn all(&self) -> impl Iterator<Item = &Base> {
        self.own.values()
    }

    /// The root that discovery on that domain of handles is about, if it is one of ours.
    pub fn of_handles(&self, domain: &str) -> Option<&Base> {
        self.handle_domains.get(domain)
    }

    /// The actors that another installation speaks for.
    pub fn handed_over(&self) -> &BTreeSet<ActorId> {
        &self.handed_over
    }

    /// Whether another installation speaks for every actor of that root.
    pub fn is_handed_over(&self, base: &Base) -> bool {
        self.left.contains(&base.root())
    }

    /// The domains of handles that are not hosts of ids.
    pub fn handle_domains(&self) -> impl Iterator<Item = &str> {
        self.handle_domains.keys().map(String::as_str)
    }
}

/// What a process remembers of its hosts.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Option<(Instant, Arc<Hosts>)>>);

impl Gateway {
    /// The hosts that we answer for; read anew where what is known is older than `age`.
    pub async fn hosts(&self, age: Duration) -> Result<Arc<Hosts>, StoreError> {
        let known = self.hosts.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, hosts)) = known
            && at.elapsed() < age
        {
            return Ok(hosts);
        }
        let home = self.base.clone();
        let found = self.store.read("list the hosts that we answer for", move |db| load(db, &home)).await?;
        let hosts = Arc::new(found);
        *self.hosts.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), hosts.clone()));
        Ok(hosts)
    }

    /// The hosts that we answer for; what is remembered of them where the database fails.
    pub async fn hosts_known(&self) -> Arc<Hosts> {
        self.hosts(FRESH).await.unwrap_or_else(|_| self.hosts_seen())
    }

    /// What is remembered of hosts, however old; our own host alone where nothing is.
    pub fn hosts_seen(&self) -> Arc<Hosts> {
        let known = self.hosts.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.map_or_else(|| Arc::new(Hosts::new(&self.base, Vec::new(), Vec::new())), |(_, hosts)| hosts)
    }

    /// A host was added or given up: it is read anew when it is next asked for.
    pub fn forget_hosts(&self) {
        *self.hosts.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn load(db: &mut Db<'_>, home: &Base) -> crate::store::Queried<Hosts> {
    let mut roots: Vec<Base> = Vec::new();
    for agency in actors::list_agencies(db)? {
        roots.extend(agency.host.as_deref().and_then(|host| Base::parse(host).ok()));
    }
    let mut domains = Vec::new();
    let mut roots_of = BTreeMap::new();
    for (id, url, domain) in actors::places(db)? {
        roots.push(url.base());
        domains.push((domain.to_ascii_lowercase(), url.base()));
        roots_of.insert(id, url.base());
    }
    for former in continuity::all_former(db)? {
        let base = roots_of.get(&former.actor_id).unwrap_or(home).clone();
        domains.push((former.domain, base));
    }
    let handed_over: BTreeSet<ActorId> = continuity::in_state(db, ActorState::HandedOver)?.into_iter().collect();
    let stays: BTreeSet<String> =
        roots_of.iter().filter(|(id, _)| !handed_over.contains(id)).map(|(_, base)| base.root()).collect();
    let left = roots_of.values().map(Base::root).filter(|root| !stays.contains(root)).collect();
    Ok(Hosts { handed_over, left, ..Hosts::new(home, roots, domains) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_ids_is_no_mere_domain_of_handles_and_our_own_host_is_always_there() {
        let base = |text: &str| Base::parse(text).unwrap();
        let (home, own) = (base("https://social.example"), base("https://social.stad.example"));
        let domains = vec![
            ("stad.example".to_owned(), own.clone()),
            ("social.stad.example".to_owned(), own.clone()),
            ("social.example".to_owned(), home.clone()),
        ];
        let hosts = Hosts::new(&home, vec![own.clone()], domains);
        assert_eq!(hosts.own("social.example"), Some(&home));
        assert_eq!(hosts.own("social.stad.example"), Some(&own));
        assert_eq!(hosts.own("stad.example"), None);
        assert_eq!(hosts.of_handles("stad.example"), Some(&own));
        assert_eq!(hosts.handle_domains().collect::<Vec<_>>(), ["stad.example"]);
        assert!(hosts.reading().owns("https://social.stad.example/ap/a/1"));
    }
}
