//! What an operator would have written, as short as a test wants it.

use super::Site;
use super::database::Database;
use super::gateway::Gateway;
use super::site::FEED;

/// The configuration of a gateway that is to be started.
pub struct Setup {
    agency: String,
    domain: Option<String>,
    website: Option<String>,
    server: String,
    actor: String,
    every: String,
    merging: String,
    policy: String,
    net: String,
    delivery: String,
    verification: String,
    further: String,
    public: Option<String>,
    proven: bool,
}

impl Setup {
    /// One agency with one actor `nieuws` and one source `persberichten`, polled each second, proven from the start. Edits are
    /// sent at once.
    pub fn new() -> Self {
        Self {
            agency: String::new(),
            domain: None,
            website: None,
            server: String::new(),
            actor: String::new(),
            every: "1s".to_owned(),
            merging: "0s".to_owned(),
            policy: String::new(),
            net: String::new(),
            delivery: "timeout = \"10s\"\nlease = \"20s\"\n".to_owned(),
            verification: String::new(),
            further: String::new(),
            public: None,
            proven: true,
        }
    }

    /// Further keys of `[[agency]]`.
    pub fn agency(mut self, keys: &str) -> Self {
        self.agency += &format!("{keys}\n");
        self
    }

    /// The domain of the agency, when that is not the address of its site.
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// The website in the profile, when that is not the root of the agency's domain.
    pub fn website(mut self, url: &str) -> Self {
        self.website = Some(url.to_owned());
        self
    }

    /// Further keys of `[server]`.
    pub fn server(mut self, keys: &str) -> Self {
        self.server += &format!("{keys}\n");
        self
    }

    /// Further keys of `[[actor]]`.
    pub fn actor(mut self, keys: &str) -> Self {
        self.actor += &format!("{keys}\n");
        self
    }

    /// How often the source is polled.
    pub fn every(mut self, every: &str) -> Self {
        every.clone_into(&mut self.every);
        self
    }

    /// Edits within this time of the last one are put together.
    pub fn merging(mut self, time: &str) -> Self {
        time.clone_into(&mut self.merging);
        self
    }

    /// Further keys of `[source.policy]`.
    pub fn policy(mut self, keys: &str) -> Self {
        self.policy += &format!("{keys}\n");
        self
    }

    /// Further keys of `[net]`.
    pub fn net(mut self, keys: &str) -> Self {
        self.net += &format!("{keys}\n");
        self
    }

    /// The keys of `[delivery]`.
    pub fn delivery(mut self, keys: &str) -> Self {
        self.delivery = format!("{keys}\n");
        self
    }

    /// The keys of `[verification]`.
    pub fn verification(mut self, keys: &str) -> Self {
        self.verification = format!("{keys}\n");
        self
    }

    /// The root under which it is reached, when that is not the address that it listens on.
    pub fn public(mut self, root: &str) -> Self {
        self.public = Some(root.to_owned());
        self
    }

    /// Further tables at the end of the file.
    pub fn further(mut self, tables: &str) -> Self {
        self.further += &format!("{tables}\n");
        self
    }

    /// The site has no proof yet.
    pub fn unproven(mut self) -> Self {
        self.proven = false;
        self
    }

    /// The text of the file, without metrics.
    pub fn config(&self, database: &str, listen: &str, site: &Site) -> String {
        self.config_with(database, listen, "off", site)
    }

    /// The text of the file, with metrics there.
    pub fn config_with(&self, database: &str, listen: &str, metrics: &str, site: &Site) -> String {
        let Self { agency, server, actor, every, merging, policy, net, delivery, verification, further, .. } = self;
        let (domain, feed) = (self.domain.clone().unwrap_or_else(|| site.authority()), site.url(FEED));
        format!(
            r#"[server]
public_url = "{public}"
listen = ["{listen}"]
metrics_listen = "{metrics}"
workers = 1
{server}[database]
url = "{database}"
[net]
allow_addresses = ["127.0.0.0/8"]
{net}[delivery]
{delivery}[verification]
{verification}[[agency]]
name = "voorbeeldstad"
domain = "{domain}"
{agency}[[actor]]
agency = "voorbeeldstad"
handle = "nieuws"
name = "Gemeente Voorbeeldstad"
summary = "Nieuws van de gemeente."
icon = "{icon}"
fields = [["Website", "{website}"]]
{actor}[[source]]
name = "persberichten"
actor = "nieuws"
kind = "feed"
url = "{feed}"
every = "{every}"
[source.policy]
merge_edits = "{merging}"
{policy}{further}"#,
            public = self.public.clone().unwrap_or_else(|| format!("http://{listen}")),
            website = self.website.clone().unwrap_or_else(|| format!("http://{domain}/")),
            icon = site.url("/logo.png"),
        )
    }

    /// Starts the gateway and waits until it serves, has polled the source once, and, unless it has none, has seen the proof.
    pub async fn start(self, database: &Database, site: &Site) -> Gateway {
        let proven = self.proven;
        let gateway = Gateway::start(&self, database, site).await;
        gateway.settled(database, proven).await;
        gateway
    }

    /// Whether the proof is to be there from the start.
    pub fn is_proven(&self) -> bool {
        self.proven
    }
}
