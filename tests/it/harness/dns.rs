//! A DNS server on loopback that knows everything: a signed root, and below it zones that are signed rightly (`….veilig.`), not
//! signed (`….onveilig.`) and signed with another key than the root says (`….vals.`). Nobody else is ever asked.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::proto::dnssec::crypto::EcdsaSigningKey;
use hickory_server::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_server::proto::dnssec::{
    Algorithm, DigestType, DnssecSigner, PublicKey as _, PublicKeyBuf, SigningKey as _,
};
use hickory_server::proto::rr::rdata::{CNAME, NS, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneHandler, ZoneType};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::address;

const TTL: u32 = 60;
const ALGORITHM: Algorithm = Algorithm::ECDSAP256SHA256;
/// The zone whose answers DNSSEC proves.
pub const SECURE: &str = "veilig";
/// The zone that is not signed.
pub const INSECURE: &str = "onveilig";
/// The zone whose signatures are somebody else's.
pub const BOGUS: &str = "vals";

/// All records that were set, by name and type.
type Known = BTreeMap<(String, RecordType), Vec<RData>>;

/// The server; cheap to clone. It ends with the runtime.
#[derive(Clone)]
pub struct Dns {
    pub address: SocketAddr,
    keys: Arc<Keys>,
    records: Arc<Mutex<Known>>,
    zones: Arc<RwLock<Arc<Zones>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Keys {
    root: Key,
    secure: Key,
    bogus: Key,
    other: Key,
}

struct Key(PrivatePkcs8KeyDer<'static>);

impl Key {
    fn new() -> Self {
        Self(EcdsaSigningKey::generate_pkcs8(ALGORITHM).unwrap())
    }

    fn signing(&self) -> EcdsaSigningKey {
        EcdsaSigningKey::from_pkcs8(&self.0, ALGORITHM).unwrap()
    }

    fn public(&self) -> PublicKeyBuf {
        self.signing().to_public_key().unwrap()
    }

    fn ds(&self, zone: &Name) -> RData {
        let key = DNSKEY::from_key(&self.public());
        let digest = key.to_digest(zone, DigestType::SHA256).unwrap();
        let tag = key.calculate_key_tag().unwrap();
        RData::DNSSEC(DNSSECRData::DS(DS::new(tag, ALGORITHM, DigestType::SHA256, digest.as_ref().to_vec())))
    }
}

/// All zones, and the root alone: a DS record stands in the zone above.
struct Zones {
    all: Catalog,
    root: Catalog,
}

struct Handler {
    zones: Arc<RwLock<Arc<Zones>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, response: R) -> ResponseInfo {
        let zones = self.zones.read().unwrap().clone();
        let info = request.request_info().ok();
        let of_parent = info.as_ref().is_some_and(|info| info.query.query_type() == RecordType::DS);
        if let Some(info) = info {
            self.asked.lock().unwrap().push(format!("{} {}", info.query.name(), info.query.query_type()));
        }
        let catalog = if of_parent { &zones.root } else { &zones.all };
        catalog.handle_request::<R, T>(request, response).await
    }
}

impl Dns {
    /// Starts the server, with zones that have no records.
    pub fn start() -> Self {
        let (udp, tcp) = sockets();
        let keys = Arc::new(Keys { root: Key::new(), secure: Key::new(), bogus: Key::new(), other: Key::new() });
        let zones = Arc::new(RwLock::new(Arc::new(zones(&keys, &BTreeMap::new()))));
        let dns =
            Self { address: udp.local_addr().unwrap(), keys, records: Arc::default(), zones, asked: Arc::default() };
        let mut server = Server::new(Handler { zones: dns.zones.clone(), asked: dns.asked.clone() });
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        server.register_socket(tokio::net::UdpSocket::from_std(udp).unwrap());
        server.register_listener(tokio::net::TcpListener::from_std(tcp).unwrap(), Duration::from_secs(30), 32);
        tokio::spawn(async move { server.block_until_done().await });
        dns
    }

    /// From now on these are the TXT records of that name, and no others.
    pub fn set(&self, name: &str, texts: &[&str]) {
        self.put(name, &[RecordType::TXT], texts.iter().map(|text| txt(text)).collect());
    }

    /// From now on these are the addresses of that name, and no others.
    pub fn point(&self, name: &str, addresses: &[IpAddr]) {
        let data = |address: &IpAddr| match address {
            IpAddr::V4(v4) => RData::A((*v4).into()),
            IpAddr::V6(v6) => RData::AAAA((*v6).into()),
        };
        self.put(name, &[RecordType::A, RecordType::AAAA], addresses.iter().map(data).collect());
    }

    /// From now on that name is another one for something elsewhere.
    pub fn alias(&self, at: &str, target: &str) {
        self.put(at, &[RecordType::TXT, RecordType::CNAME], vec![RData::CNAME(CNAME(name(target)))]);
    }

    /// Takes the records of those types away, and adds these.
    fn put(&self, at: &str, types: &[RecordType], records: Vec<RData>) {
        let mut known = self.records.lock().unwrap();
        types.iter().for_each(|kind| drop(known.remove(&(at.to_owned(), *kind))));
        for data in records {
            known.entry((at.to_owned(), data.record_type())).or_default().push(data);
        }
        *self.zones.write().unwrap() = Arc::new(zones(&self.keys, &known));
    }

    /// Writes the key of the root, for `net.dns_trust_anchor_file`.
    pub fn write_anchor(&self, path: &Path) {
        let key = BASE64_STANDARD.encode(self.keys.root.public().public_bytes());
        std::fs::write(path, format!(". 3600 IN DNSKEY 257 3 13 {key}\n")).unwrap();
    }

    /// What was asked, name and type.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Two sockets on the same port.
fn sockets() -> (UdpSocket, std::net::TcpListener) {
    let tcp = address::listener();
    (UdpSocket::bind(tcp.local_addr().unwrap()).unwrap(), tcp)
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn zones(keys: &Keys, known: &Known) -> Zones {
    let mut root = vec![];
    for zone in [SECURE, INSECURE, BOGUS] {
        root.push((name(zone), RData::NS(NS(name(&format!("ns.{zone}"))))));
    }
    root.push((name(SECURE), keys.secure.ds(&name(SECURE))));
    root.push((name(BOGUS), keys.other.ds(&name(BOGUS))));
    let of = |zone: &str| -> Vec<(Name, RData)> {
        let below = known.iter().filter(|((name, _), _)| name.ends_with(&format!(".{zone}")));
        below.flat_map(|((at, _), records)| records.iter().map(|data| (name(at), data.clone()))).collect()
    };
    let handlers: [(Name, Arc<dyn ZoneHandler>); 4] = [
        (Name::root(), zone(Name::root(), root, Some(&keys.root))),
        (name(SECURE), zone(name(SECURE), of(SECURE), Some(&keys.secure))),
        (name(INSECURE), zone(name(INSECURE), of(INSECURE), None)),
        (name(BOGUS), zone(name(BOGUS), of(BOGUS), Some(&keys.bogus))),
    ];
    let (mut all, mut parent) = (Catalog::new(), Catalog::new());
    for (origin, handler) in handlers {
        if origin.is_root() {
            parent.upsert(origin.clone().into(), vec![handler.clone()]);
        }
        all.upsert(origin.into(), vec![handler]);
    }
    Zones { all, root: parent }
}

/// A TXT record; what is longer than 255 bytes is in pieces.
fn txt(text: &str) -> RData {
    let pieces = text.as_bytes().chunks(255).map(|piece| String::from_utf8(piece.to_vec()).unwrap());
    RData::TXT(TXT::new(pieces.collect()))
}

fn zone(origin: Name, records: Vec<(Name, RData)>, key: Option<&Key>) -> Arc<dyn ZoneHandler> {
    let proofs = key.map(|_| NxProofKind::Nsec);
    let mut zone: InMemoryZoneHandler<TokioRuntimeProvider> =
        InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny, proofs);
    let server =
        if origin.is_root() { name("ns") } else { name(&format!("ns.{}", origin.to_ascii().trim_end_matches('.'))) };
    let soa = SOA::new(server.clone(), server.clone(), 1, 3600, 600, 86_400, 60);
    zone.upsert_mut(Record::from_rdata(origin.clone(), TTL, RData::SOA(soa)), 1);
    zone.upsert_mut(Record::from_rdata(origin.clone(), TTL, RData::NS(NS(server))), 1);
    for (at, data) in records {
        zone.upsert_mut(Record::from_rdata(at, TTL, data), 1);
    }
    if let Some(key) = key {
        let public = DNSKEY::from_key(&key.public());
        let signer = DnssecSigner::new(public, Box::new(key.signing()), origin, Duration::from_secs(86_400));
        zone.add_zone_signing_key_mut(signer).unwrap();
        zone.secure_zone_mut().unwrap();
    }
    Arc::new(zone)
}
