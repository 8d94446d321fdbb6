//! Names that are asked of DNS itself, with DNSSEC checked here and not believed of a resolver: a bit that somebody on the way may
//! set is no evidence. Each question is asked anew; nothing is kept, so that what is judged is what was answered now.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as Lookup, NetError as LookupError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Resolver, TokioResolver};
use thiserror::Error;

use crate::net::error::NetError;

/// Time for one question, with all that DNSSEC asks besides.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for one answer of one server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// Most records of one answer that are looked at.
const RECORDS_MAX: usize = 1_000;
/// Longest text of one record, in bytes; longer ones are left out.
const TEXT_BYTES_MAX: usize = 4_096;

/// Texts that stand at a name, and how they can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The texts, each put together of its pieces.
    pub texts: Vec<String>,
    /// Whether DNSSEC proves them, from the root down. Else the zone is proven not to be signed.
    pub secure: bool,
}

/// Why a name gives no texts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DnsError {
    /// There are none.
    #[error("{name} has no TXT record")]
    Missing {
        /// What was asked for.
        name: String,
    },
    /// It is another name for something elsewhere.
    #[error(
        "{name} is an alias (CNAME); put the TXT record there itself, because whoever gets hold of the other name would \
         control the proof"
    )]
    Alias {
        /// What was asked for.
        name: String,
    },
    /// DNSSEC says that it was changed on its way, or the zone is signed wrongly.
    #[error(
        "the answer for {name} is bogus: its DNSSEC signatures do not hold, so it does not count. Look at the signing of the \
         zone; if every signed zone looks so, the DNS server here strips signatures: name another in net.dns"
    )]
    Bogus {
        /// What was asked for.
        name: String,
    },
    /// No answer that could be used.
    #[error("DNS could not be asked for {name}: {problem}; it is asked again later")]
    Failed {
        /// What was asked for.
        name: String,
        /// What happened.
        problem: String,
    },
}

/// Whom we ask.
#[derive(Debug, Clone)]
pub struct Dns {
    servers: Vec<SocketAddr>,
    anchors: Anchors,
}

#[derive(Clone)]
struct Anchors(Arc<TrustAnchors>);

impl std::fmt::Debug for Anchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Anchors")
    }
}

impl Dns {
    /// Asks those servers, or those of the system where there are none. DNSSEC begins with the keys in that file, or with those of
    /// the root.
    pub fn new(servers: &[SocketAddr], anchor_file: Option<&Path>) -> Result<Self, NetError> {
        let anchors = match anchor_file {
            None => TrustAnchors::default(),
            Some(path) => TrustAnchors::from_file(path)
                .map_err(|error| NetError::TrustAnchor { path: path.to_owned(), problem: error.to_string() })?,
        };
        Ok(Self { servers: servers.to_vec(), anchors: Anchors(Arc::new(anchors)) })
    }

    /// Whether servers were named, which are then asked for every name.
    pub fn is_set(&self) -> bool {
        !self.servers.is_empty()
    }

    /// The TXT records of exactly this name.
    pub async fn texts(&self, name: &str) -> Result<Texts, DnsError> {
        let failed = |problem: String| DnsError::Failed { name: name.to_owned(), problem };
        let asked = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|e| failed(e.to_string()))?;
        let resolver = self.resolver(ResolveHosts::Never).map_err(|e| failed(e.to_string()))?;
        let looking = resolver.lookup(asked.clone(), RecordType::TXT);
        let found = match tokio::time::timeout(LOOKUP_TIMEOUT, looking).await {
            Ok(Ok(found)) => found,
            Ok(Err(LookupError::Dns(Lookup::DnssecBogus))) => return Err(DnsError::Bogus { name: name.to_owned() }),
            Ok(Err(error)) if error.is_no_records_found() => return Err(DnsError::Missing { name: name.to_owned() }),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {LOOKUP_TIMEOUT:?}"))),
        };
        read(name, &asked, found.answers())
    }

    /// The addresses of a host, with port 0. A bogus answer gives none.
    pub(super) async fn addresses(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let resolver = self.resolver(ResolveHosts::Auto).map_err(io::Error::other)?;
        let name = format!("{}.", host.trim_end_matches('.'));
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, resolver.lookup_ip(name)).await;
        let found = found.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::other)?;
        Ok(found.iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    /// Made anew for each question: it keeps nothing, and the system's servers may have changed.
    fn resolver(&self, hosts: ResolveHosts) -> Result<TokioResolver, LookupError> {
        let config = if self.is_set() {
            ResolverConfig::from_name_servers(self.servers.iter().map(|server| at(*server)).collect())
        } else {
            let (system, _) = read_system_conf()?;
            ResolverConfig::from_name_servers(system.name_servers().to_vec())
        };
        let mut options = ResolverOpts::default();
        options.timeout = ANSWER_TIMEOUT;
        options.use_hosts_file = hosts;
        options.validate = true;
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .with_trust_anchor(self.anchors.0.clone())
            .build()
    }
}

fn at(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.to_vec())
}

/// The texts of an answer, all of which must be proven secure or proven unsigned. An answer of which a part is neither does not
/// count at all.
fn read(name: &str, asked: &Name, answers: &[Record]) -> Result<Texts, DnsError> {
    let answers: Vec<&Record> = answers
        .iter()
        .filter(|record| matches!(record.record_type(), RecordType::TXT | RecordType::CNAME | RecordType::DNAME))
        .take(RECORDS_MAX)
        .collect();
    if answers.iter().any(|record| record.record_type() != RecordType::TXT || record.name != *asked) {
        return Err(DnsError::Alias { name: name.to_owned() });
    }
    if answers.is_empty() {
        return Err(DnsError::Missing { name: name.to_owned() });
    }
    if !answers.iter().all(|record| matches!(record.proof, Proof::Secure | Proof::Insecure)) {
        return Err(DnsError::Bogus { name: name.to_owned() });
    }
    let secure = answers.iter().all(|record| record.proof == Proof::Secure);
    let text = |record: &&Record| match &record.data {
        RData::TXT(txt) => Some(txt.txt_data.concat()).filter(|text| text.len() <= TEXT_BYTES_MAX),
        _ => None,
    };
    let texts = answers.iter().filter_map(text).map(|text| String::from_utf8_lossy(&text).into_owned()).collect();
    Ok(Texts { texts, secure })
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{CNAME, TXT};

    use super::*;

    fn txt(name: &str, text: &str, proof: Proof) -> Record {
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        let mut record = Record::from_rdata(Name::from_ascii(name).unwrap(), 60, data);
        record.proof = proof;
        record
    }

    #[test]
    fn an_answer_counts_only_when_all_of_it_is_secure_or_proven_unsigned() {
        let asked = Name::from_ascii("_heraut.stad.nl.").unwrap();
        let judged = |answers: &[Record]| read("_heraut.stad.nl", &asked, answers);
        let one = |proof| txt("_heraut.stad.nl.", "a", proof);
        let texts = |n: usize, secure| Ok(Texts { texts: vec!["a".to_owned(); n], secure });
        assert_eq!(judged(&[one(Proof::Secure)]), texts(1, true));
        assert_eq!(judged(&[one(Proof::Insecure)]), texts(1, false));
        assert_eq!(judged(&[one(Proof::Secure), one(Proof::Insecure)]), texts(2, false));
        for proof in [Proof::Bogus, Proof::Indeterminate] {
            let refused = judged(&[one(Proof::Secure), one(proof)]);
            assert!(matches!(refused, Err(DnsError::Bogus { .. })), "{proof:?} {refused:?}");
        }
        assert!(matches!(judged(&[]), Err(DnsError::Missing { .. })));
        let elsewhere = txt("proof.elders.nl.", "a", Proof::Secure);
        assert!(matches!(judged(std::slice::from_ref(&elsewhere)), Err(DnsError::Alias { .. })));
        let target = RData::CNAME(CNAME(Name::from_ascii("proof.elders.nl.").unwrap()));
        let alias = Record::from_rdata(asked.clone(), 60, target);
        assert!(matches!(judged(&[alias, elsewhere]), Err(DnsError::Alias { .. })));
    }

    #[test]
    fn a_file_of_trust_anchors_that_cannot_be_read_says_so() {
        let error = Dns::new(&[], Some(Path::new("/nowhere/root.key"))).unwrap_err();
        assert!(error.to_string().contains("net.dns_trust_anchor_file /nowhere/root.key"), "{error}");
    }
}
