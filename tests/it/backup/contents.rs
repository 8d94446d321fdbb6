//! What a backup holds, by the library itself: every table, every value.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};
use heraut::backup::belongings::{GOES, STAYS};
use heraut::backup::create::{self, Installation};
use heraut::backup::manifest::{Manifest, SKIPPED, Summary};
use heraut::backup::restore::{self, Target};
use heraut::backup::sealed::{PLAIN, SEALED};
use heraut::backup::{BackupError, Progress, Watch};
use heraut::config::Secret;
use heraut::ids::AuditId;
use heraut::post::picture::PICTURE_BYTES_MAX;
use heraut::store::audit::Entry;
use heraut::store::catalogue::{self, Kind as Holds, Table};
use heraut::store::snapshot::Snapshot;
use heraut::store::{Db, Queried, StoreError};
use heraut::time::Timestamp;
use heraut::vault::MasterKey;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const URL: &str = "https://social.example.nl/";
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn watched<T>(work: impl FnOnce(&Watch<'_>) -> T) -> T {
    work(&Watch { stop: &AtomicBool::new(false), tell: &|_: Progress<'_>| {} })
}

fn backup(db: &Database, media: &Path, master: &MasterKey) -> Vec<u8> {
    let installation = Installation { database: &db.url, media, public_url: URL, master, now: NOW, only: None };
    let mut bytes = Vec::new();
    watched(|watch| create::write(&mut bytes, &Secret::new(PASSPHRASE), &installation, watch)).unwrap();
    bytes
}

fn restore_into(db: &Database, bytes: &[u8], media: &Path) -> Result<(Manifest, Summary), BackupError> {
    let master = MasterKey::generate().unwrap();
    let target = Target { database: &db.url, media, public_url: URL, master: &master };
    let entry = |_: &Manifest| Entry {
        id: AuditId(i64::MAX - 1),
        at: NOW,
        who: "cli".to_owned(),
        act: "database.restore".to_owned(),
        subject: String::new(),
        detail: String::new(),
    };
    watched(|watch| restore::restore(Cursor::new(bytes), &Secret::new(PASSPHRASE), &target, entry, watch))
}

/// One row of what is leased, and of what that needs.
const ONE_OF_ALL: &str = "
    INSERT INTO agencies (id, name, domain, provisioned, created_at) VALUES (1, 'a', 'a.example', TRUE, 1);
    INSERT INTO actors (id, agency_id, handle, handle_domain, kind, language, profile, url, provisioned, created_at, updated_at)
    VALUES (1, 1, 'h', 'a.example', 'Organization', 'nl', '{}', 'https://a.example/1', FALSE, 1, 1);
    INSERT INTO sources (id, name, actor_id, kind, settings, provisioned, created_at, due_at)
    VALUES (1, 's', 1, 'feed', '{}', TRUE, 1, 1);
    INSERT INTO proofs (actor_id, due_at) VALUES (1, 1);
    INSERT INTO inboxes (id, url, host, due_at, created_at) VALUES (1, 'https://b.example/inbox', 'b.example', 5, 1);
    INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES (9223372036854775807, 1, 'Create', '', 1);
    INSERT INTO deliveries (inbox_id, activity_id, created_at) VALUES (1, 9223372036854775807, 1);";

/// A target and a relay, which the first migration does not know.
const LATER: &str = "
    INSERT INTO relays (id, url, style, state, inbox_id, created_at) VALUES (1, 'https://b.example/relay', 'litepub', 'accepted', 1, 2);
    INSERT INTO targets (id, name, agency_id, kind, url, visibility, enabled, provisioned, due_at, created_at)
    VALUES (1, 't', 1, 'mastodon_account', 'https://t.example', 'public', TRUE, FALSE, 5, 1);";

/// One row of each other table, and a delivery with a turn that is read before the one without: on SQLite because of its id,
/// on PostgreSQL because the other is written anew.
const REST_OF_ALL: &str = "
    INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES (4611686018427387904, 1, 'Update', '', 1);
    INSERT INTO deliveries (inbox_id, activity_id, created_at, turn) VALUES (1, 4611686018427387904, 1, 5);
    UPDATE deliveries SET turn = 0 WHERE activity_id = 9223372036854775807;
    INSERT INTO items (id, source_id, source_key, digest, state, content, first_seen_at, last_seen_at)
    VALUES (0, 1, 'k', 'd', 's', 'c', 1, 2);
    INSERT INTO item_aliases (source_id, alias, item_id) VALUES (1, 'a', 0);
    INSERT INTO actor_continuity (actor_id, state, since, aliases, moved_to, moved_at) VALUES (1, 'read-only', 1, '[]', 'm', 2);
    INSERT INTO former_handles (handle, domain, actor_id, until) VALUES ('was', 'a.example', 1, 3);
    INSERT INTO posts (id, actor_id, source_id, state, content, revision, published_at, created_at, lane, spread)
    VALUES (1, 1, 1, 'published', '{}', 1, 2, 1, 0, 3);
    INSERT INTO post_changes (post_id, kind, due_at, created_at) VALUES (1, 'withdraw', 1, 2);
    INSERT INTO post_revisions (post_id, revision, content, created_at) VALUES (1, 1, '{}', 2);
    INSERT INTO media (id, post_id, source_url, sha256, media_type, extension, width, height, blurhash, created_at)
    VALUES (1, 1, 'https://a.example/1', '00', 'image/png', 'png', 1, 2, '', 3);
    INSERT INTO hosts (host, failures, open_until) VALUES ('b.example', 1, 2);
    INSERT INTO host_signatures (host, scheme, shown_by, shown_at, holds_until) VALUES ('b.example', 1, 'request', 1, 2);
    INSERT INTO key_rotations (actor_id, serial, switched_at) VALUES (1, 2, 3);
    INSERT INTO followers (id, actor_id, url, host, inbox_id, created_at) VALUES (1, 1, 'https://b.example/f', 'b.example', 1, 2);
    INSERT INTO remote_actors (url, document, fetched_at) VALUES ('https://b.example/f', '{}', 1);
    INSERT INTO messages (id, actor_id, url, author_url, author_handle, author_name, html, visibility, published_at, received_at)
    VALUES (1, 1, 'https://b.example/m', 'https://b.example/f', '@f', 'F', '<p>', 'public', 1, 2);
    INSERT INTO reactions (id, kind, post_id, author_url, created_at) VALUES (1, 'like', 1, 'https://b.example/f', 1);
    INSERT INTO quotes (id, post_id, author_url, quote_url, created_at) VALUES (1, 1, 'https://b.example/f', 'https://b.example/q', 1);
    INSERT INTO quote_requests (id, post_id, author_url, quote_url, request, inbox_id, created_at)
    VALUES (2, 1, 'https://b.example/f', 'https://b.example/r', '{}', 1, 2);
    INSERT INTO pins (post_id, actor_id, pinned_at) VALUES (1, 1, 3);
    INSERT INTO blocks (actor_id, url, created_at) VALUES (1, 'https://c.example/t', 1);
    INSERT INTO seen_activities (url, received_at) VALUES ('https://b.example/s', 1);
    INSERT INTO deleted_objects (url, deleted_at) VALUES ('https://b.example/d', 1);
    INSERT INTO audit (id, at, who, act, subject, detail) VALUES (1, 2, 'cli', 'a', 'b', 'c');
    INSERT INTO hooks (source_id, refused_at, refusal) VALUES (1, 2, 'r');
    INSERT INTO hook_deliveries (id, source_id, delivery_key, digest, verified_by, headers, body, received_at, due_at)
    VALUES (1, 1, 'id:1', 'd', 'standard', '[]', '', 1, 2);
    INSERT INTO tokens (id, source_id, hash, name, scopes, created_at, used_at) VALUES (1, 1, 'h', 'n', 'create media', 1, 2);
    INSERT INTO client_requests (source_id, request_key, digest, item_id, received_at) VALUES (1, 'key:1:k', 'd', 0, 1);
    INSERT INTO uploads (name, source_id, media_id, item_id, created_at) VALUES ('u', 1, 1, 0, 2);
    INSERT INTO target_posts (target_id, post_id, status_id, created_at) VALUES (1, 1, '7', 1);
    INSERT INTO target_deliveries (target_id, activity_id, post_id, kind, revision, lane, created_at)
    VALUES (1, 4611686018427387904, 1, 'Update', 1, 0, 2);
    INSERT INTO relay_agencies (relay_id, agency_id, provisioned, created_at) VALUES (1, 1, FALSE, 2);
    INSERT INTO relay_announcements (relay_id, post_id, created_at) VALUES (1, 1, 2);
    INSERT INTO turns (agency_id, lane, next) VALUES (1, 2, 6);
    INSERT INTO agency_organisations (agency_id, organisation) VALUES (1, 'https://register.example/1');
    INSERT INTO registers (name, kind, place, every_ms, generation, entries, sha256, read_at, due_at)
    VALUES ('eigen', 'list', '/r.csv', 1, 2, 1, '00', 3, 4);
    INSERT INTO register_entries (register, generation, n, kind, key, organisation, at)
    VALUES ('eigen', 2, 0, 0, 'a.example', 'https://register.example/1', 5);";

/// A row that names a picture.
fn picture(id: u32, digest: &str) -> String {
    format!(
        "INSERT INTO media (id, source_url, sha256, media_type, extension, width, height, blurhash, created_at) \
         VALUES ({id}, 'https://a.example/{id}', '{digest}', 'image/png', 'png', 1, 1, '', 1)"
    )
}

/// A row as it is: a backup gives its members in the order of the database, which differs between engines.
type Row = BTreeMap<String, Option<String>>;

/// All rows of a table, in no order.
fn rows(db: &Database, name: &str) -> BTreeSet<Row> {
    let mut snapshot = Snapshot::open(&db.url).unwrap();
    rows_at(&mut snapshot, name)
}

fn rows_at(snapshot: &mut Snapshot, name: &str) -> BTreeSet<Row> {
    let table = snapshot.tables.iter().find(|table| table.name == name).unwrap().clone();
    let mut rows = BTreeSet::new();
    let each = |line: &str| {
        rows.insert(serde_json::from_str(line).unwrap());
        Ok::<(), StoreError>(())
    };
    snapshot.rows(&table, each).unwrap();
    rows
}

fn tables(db: &Database) -> Vec<Table> {
    Snapshot::open(&db.url).unwrap().tables
}

/// The columns that hold a lease, with their table.
fn leases(db: &Database) -> Vec<(String, String)> {
    let tables = tables(db);
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(|column| (table.name.as_str(), column)));
    let leases = columns.filter(|(_, c)| c.kind == Holds::Integer && c.name.contains("lease"));
    leases.map(|(table, c)| (table.to_owned(), c.name.clone())).collect()
}

both! {
    async fn nobody_holds_a_lease_after_a_restore_and_what_was_due_is_due(db: Database) {
        drop(db.store());
        db.execute(ONE_OF_ALL);
        db.execute("INSERT INTO hooks (source_id) VALUES (1)");
        db.execute("INSERT INTO registers (name, kind, place, every_ms, due_at) VALUES ('eigen', 'list', '/r.csv', 1, 2)");
        db.execute(LATER);
        let master = MasterKey::generate().unwrap();
        let sealed = hex::encode(master.seal("websub:1", b"pad sleutel").unwrap());
        let sealed = match db.kind {
            Kind::Sqlite => format!("x'{sealed}'"),
            Kind::Postgres => format!("'\\x{sealed}'"),
        };
        db.execute(&format!(
            "INSERT INTO websub_subscriptions (id, source_id, hub, topic, whole, path_hash, sealed, wanted, created_at, \
             holds_until, due_at) VALUES (1, 1, 'h', 't', true, 'p', {sealed}, true, 1, 4102444800000, 4102444800000)"
        ));
        let columns = leases(&db);
        assert!(columns.len() >= 3, "{columns:?}");
        for (table, column) in &columns {
            db.execute(&format!("UPDATE {table} SET {column} = 4102444800000"));
        }
        let media = tempfile::tempdir().unwrap();
        let target = Database::new(db.kind.other());
        restore_into(&target, &backup(&db, media.path(), &master), media.path()).unwrap();
        for (table, column) in columns {
            let count = |condition: &str| target.number(&format!("SELECT COUNT(*) FROM {table} WHERE {column} {condition}"));
            assert_eq!((count("= 0"), count("<> 0")), (1, 0), "{table}.{column}: if it is new, free it in Loading::finish");
        }
        let doubted = "SELECT COUNT(*) FROM websub_subscriptions WHERE wanted AND holds_until IS NULL AND due_at = ";
        assert_eq!(target.number(&format!("{doubted} {}", NOW.0)), 1, "a hub is asked anew");
        assert_eq!(target.number("SELECT due_at FROM inboxes"), NOW.0, "what was on its way is due at once");
        assert_eq!(target.number("SELECT COUNT(*) FROM deliveries WHERE state = 0"), 1);
    }

    async fn every_table_of_the_catalogue_is_kept_or_skipped_with_a_reason_in_an_order_that_can_be_loaded(db: Database) {
        drop(db.store());
        let tables = tables(&db);
        let names: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let listed = match db.kind {
            Kind::Sqlite => "SELECT name AS t FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            Kind::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS t FROM information_schema.tables WHERE table_schema = 'public' \
                 AND table_type = 'BASE TABLE'"
            }
        };
        let listed = db.lines(listed);
        assert_eq!(names, listed.iter().map(String::as_str).collect(), "the catalogue (left) and the database (right)");
        assert!(names.len() > 20);
        for (skipped, reason) in SKIPPED {
            assert!(names.contains(skipped) && !reason.is_empty(), "{skipped} is skipped and is not there");
        }
        let told: BTreeSet<&str> = GOES.iter().chain(STAYS).map(|(name, _)| *name).collect();
        assert_eq!(names, told, "what an actor takes along is in src/backup/belongings.rs, and what it does not");
        let references = match db.kind {
            Kind::Sqlite => {
                "SELECT m.name || ' ' || f.\"table\" AS t FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f"
            }
            Kind::Postgres => {
                "SELECT CAST(conrelid::regclass AS TEXT) || ' ' || CAST(confrelid::regclass AS TEXT) AS t FROM pg_constraint \
                 WHERE contype = 'f'"
            }
        };
        let references = db.lines(references);
        assert!(references.len() > 10);
        for (of, to) in references.iter().filter_map(|pair| pair.split_once(' ')).filter(|(of, to)| of != to) {
            let place = |name: &str| tables.iter().position(|table| table.name == name).unwrap();
            assert!(place(to) < place(of), "{of} refers to {to}; in a circle they could not be loaded");
            let goes = |name: &str| GOES.iter().position(|(goes, _)| *goes == name);
            if let Some(of_actor) = goes(of) {
                assert!(goes(to).is_some_and(|to| to < of_actor), "{of} refers to {to}, which does not come before it");
            }
        }
    }

    async fn every_column_of_bytes_is_listed_as_a_secret_or_as_none_and_every_type_is_known(db: Database) {
        drop(db.store());
        for table in tables(&db) {
            for column in &table.columns {
                let place = (table.name.as_str(), column.name.as_str());
                let listed = SEALED.contains(&place) || PLAIN.contains(&place);
                let says = "is a column of bytes: list it in src/backup/sealed.rs, as SEALED if the master key seals it";
                assert_eq!(column.kind == Holds::Bytes, listed, "{place:?} {says}");
            }
        }
        // Text is also what an unknown type is read as: then the schema of the code says something else.
        let schema = include_str!("../../../src/store/schema.rs");
        let texts = schema.lines().filter(|line| line.contains("-> Text") || line.contains("-> Nullable<Text>")).count();
        let read = tables(&db).iter().filter(|table| table.name != catalogue::MIGRATIONS_TABLE)
            .flat_map(|table| table.columns.clone()).filter(|column| column.kind == Holds::Text).count();
        assert_eq!(read, texts, "columns that are read as text (left), and columns that are text (right)");
    }

    async fn a_backup_of_an_older_schema_goes_through_the_migrations_that_came_since(db: Database) {
        use diesel::Connection as _;
        use diesel_migrations::MigrationHarness as _;
        match db.kind {
            Kind::Sqlite => {
                let path = db.url.strip_prefix("sqlite:").unwrap();
                let mut connection = diesel::SqliteConnection::establish(path).unwrap();
                connection.run_next_migration(heraut::store::SQLITE_MIGRATIONS).map(drop).unwrap();
            }
            Kind::Postgres => {
                let mut connection = diesel::PgConnection::establish(&db.url).unwrap();
                connection.run_next_migration(heraut::store::POSTGRES_MIGRATIONS).map(drop).unwrap();
            }
        }
        db.execute("INSERT INTO audit (id, at, who, act, subject, detail) VALUES (1, 2, 'cli', 'a', 'b', 'c')");
        db.execute(ONE_OF_ALL);
        let media = tempfile::tempdir().unwrap();
        let bytes = backup(&db, media.path(), &MasterKey::generate().unwrap());
        assert_eq!(db.number("SELECT COUNT(*) FROM __diesel_schema_migrations"), 1, "a backup migrates nothing");
        for fresh in [false, true] {
            let target = Database::new(db.kind.other());
            if fresh {
                drop(target.store());
            }
            let (manifest, _) = restore_into(&target, &bytes, media.path()).unwrap();
            assert_eq!(manifest.schema.len(), 1);
            assert_eq!(target.number("SELECT due_at FROM inboxes"), 5, "due as before");
            let owed = "SELECT COUNT(*) FROM deliveries WHERE inbox_id = 1 AND activity_id = 9223372036854775807 AND state = 0";
            assert_eq!(target.number(owed), 1, "owed as before");
            let newest = Database::new(target.kind);
            drop(newest.store());
            assert_eq!(tables(&target), tables(&newest));
            let applied = "SELECT version AS t FROM __diesel_schema_migrations ORDER BY version";
            assert_eq!(target.lines(applied), newest.lines(applied));
        }
    }

    async fn a_backup_is_one_instant_whatever_is_written_meanwhile(db: Database) {
        drop(db.store());
        let entry = |id: u32| format!("INSERT INTO audit (id, at, who, act, subject, detail) VALUES ({id}, 2, 'cli', 'a', 'b', 'c')");
        db.execute(&entry(1));
        let mut snapshot = Snapshot::open(&db.url).unwrap();
        db.execute(&entry(2));
        let ids = |rows: BTreeSet<Row>| rows.into_iter().filter_map(|mut row| row.remove("id")?).collect::<Vec<_>>();
        assert_eq!(ids(rows(&db, "audit")), ["1", "2"]);
        assert_eq!(ids(rows_at(&mut snapshot, "audit")), ["1"]);
    }

    async fn a_picture_that_is_missing_does_not_stop_a_backup_and_is_told(db: Database) {
        drop(db.store());
        let media = tempfile::tempdir().unwrap();
        let digest = hex::encode(openssl::sha::sha256(b"beeld"));
        for id in [1, 2] {
            db.execute(&picture(id, &digest));
        }
        std::fs::write(media.path().join("1.png"), b"beeld").unwrap();
        std::fs::write(media.path().join("9.png"), b"of no row").unwrap();
        let bytes = backup(&db, media.path(), &MasterKey::generate().unwrap());
        let (target, place) = (Database::new(db.kind), tempfile::tempdir().unwrap());
        let (_, summary) = restore_into(&target, &bytes, place.path()).unwrap();
        assert_eq!((summary.media.files, summary.media.problems), (1, 1));
        let files: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(files, ["1.png"]);
        assert_eq!(std::fs::read(place.path().join("1.png")).unwrap(), b"beeld");
    }

    async fn a_damaged_picture_takes_the_place_of_no_other_and_a_good_one_that_of_a_damaged_one(db: Database) {
        drop(db.store());
        let (media, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (id, stored, there) in [(1, "beeld", "bedorven"), (2, "bedorven", "beeld")] {
            db.execute(&picture(id, &hex::encode(openssl::sha::sha256(b"beeld"))));
            std::fs::write(media.path().join(format!("{id}.png")), stored).unwrap();
            std::fs::write(place.path().join(format!("{id}.png")), there).unwrap();
        }
        let bytes = backup(&db, media.path(), &MasterKey::generate().unwrap());
        restore_into(&Database::new(db.kind), &bytes, place.path()).unwrap();
        for name in ["1.png", "2.png"] {
            assert_eq!(std::fs::read_to_string(place.path().join(name)).unwrap(), "beeld", "{name}");
        }
        let fresh = tempfile::tempdir().unwrap();
        restore_into(&Database::new(db.kind), &bytes, fresh.path()).unwrap();
        assert_eq!(std::fs::read_to_string(fresh.path().join("2.png")).unwrap(), "bedorven", "better than none");
    }

    async fn a_picture_that_cannot_be_read_or_is_too_large_does_not_stop_a_backup_either(db: Database) {
        drop(db.store());
        let media = tempfile::tempdir().unwrap();
        std::fs::create_dir(media.path().join("1.png")).unwrap();
        for (id, bytes) in [(2, PICTURE_BYTES_MAX), (3, PICTURE_BYTES_MAX + 1)] {
            let file = std::fs::File::create(media.path().join(format!("{id}.png"))).unwrap();
            file.set_len(bytes as u64).unwrap();
        }
        (1..=3).for_each(|id| db.execute(&picture(id, &hex::encode(openssl::sha::sha256(&vec![0; PICTURE_BYTES_MAX])))));
        let bytes = backup(&db, media.path(), &MasterKey::generate().unwrap());
        let (target, place) = (Database::new(db.kind), tempfile::tempdir().unwrap());
        let (_, summary) = restore_into(&target, &bytes, place.path()).unwrap();
        assert_eq!((summary.media.files, summary.media.problems), (1, 2));
        assert_eq!(std::fs::metadata(place.path().join("2.png")).unwrap().len(), PICTURE_BYTES_MAX as u64);
    }
}

/// Values of every kind of column, with what is at their edges.
#[derive(Debug, Clone)]
struct Values {
    text: String,
    other: Option<String>,
    long: i64,
    maybe: Option<i64>,
    short: i32,
    flag: bool,
    bytes: Vec<u8>,
}

fn texts(zeros: bool) -> impl Strategy<Value = String> {
    let any = any::<String>().prop_map(move |text| if zeros { text } else { text.replace('\0', "") });
    let odd =
        ["", "null", "\"'\\", "\\u0000", "a\nb\r\n\u{2028}", "🇳🇱 één ½ \u{fffd}", "[1,{}]", "\u{7f}\u{1f}", "0x00"];
    prop_oneof![any, prop::sample::select(odd.to_vec()).prop_map(str::to_owned)]
}

fn longs() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), prop::sample::select(vec![i64::MIN, -1, 0, 1, (1 << 53) + 1, i64::MAX])]
}

fn values(zeros: bool) -> impl Strategy<Value = Values> {
    let shorts = prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX)];
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), Just(vec![0; 3]), Just(Vec::new())];
    let other = prop::option::of(texts(zeros));
    let all = (texts(zeros), other, longs(), prop::option::of(longs()), shorts, any::<bool>(), bytes);
    all.prop_map(|(text, other, long, maybe, short, flag, bytes)| Values {
        text,
        other,
        long,
        maybe,
        short,
        flag,
        bytes,
    })
}

/// Puts values into a table with each kind of column.
fn insert(db: &mut Db<'_>, id: i64, v: &Values) -> Queried<()> {
    let item = "INSERT INTO items (id, source_id, source_key, canonical_url, digest, source_version, state, content, first_seen_at, \
                last_seen_at, edits_count, withdrawn_here) VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let activity = "INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES ($1, 1, $2, $3, $4)";
    let item = || {
        diesel::sql_query(item)
            .bind::<BigInt, _>(id)
            .bind::<Text, _>(format!("{id}:{}", v.text))
            .bind::<Nullable<Text>, _>(v.other.clone())
            .bind::<Text, _>(v.text.clone())
            .bind::<Nullable<BigInt>, _>(v.maybe)
            .bind::<Text, _>(v.text.clone())
            .bind::<Text, _>(v.text.clone())
            .bind::<BigInt, _>(v.long)
            .bind::<BigInt, _>(-1_i64)
            .bind::<Integer, _>(v.short)
            .bind::<Bool, _>(v.flag)
    };
    let activity = || {
        diesel::sql_query(activity)
            .bind::<BigInt, _>(id)
            .bind::<Text, _>(v.text.clone())
            .bind::<Binary, _>(v.bytes.clone())
            .bind::<BigInt, _>(v.long)
    };
    heraut::on!(db, c => item().execute(c))?;
    heraut::on!(db, c => activity().execute(c)).map(drop)
}

fn round_trip(from: Kind, to: Kind, all: &[Values]) {
    let (source, target) = (Database::new(from), Database::new(to));
    let store = source.store();
    source.execute(ONE_OF_ALL);
    source.execute(LATER);
    source.execute(REST_OF_ALL);
    let rows_in = all.to_vec();
    let write = move |db: &mut Db<'_>| (1..).zip(&rows_in).try_for_each(|(id, values)| insert(db, id, values));
    crate::harness::runtime().block_on(store.write("insert", write)).unwrap();
    let media = tempfile::tempdir().unwrap();
    let master = MasterKey::generate().unwrap();
    restore_into(&target, &backup(&source, media.path(), &master), media.path()).unwrap();
    // The versions grow by themselves, the keys are sealed anew, and hubs are asked anew.
    let left_out = [
        catalogue::MIGRATIONS_TABLE,
        "public_versions",
        "actor_keys",
        "other_keys",
        "source_secrets",
        "websub_subscriptions",
    ];
    for table in tables(&source).iter().map(|table| table.name.as_str()).filter(|name| !left_out.contains(name)) {
        let (mut was, mut is) = (rows(&source, table), rows(&target, table));
        assert!(!was.is_empty(), "{table} is new: give it a row in REST_OF_ALL");
        if to == Kind::Postgres {
            // It cannot hold the zero character.
            was = was.into_iter().map(without_zeros).collect();
        }
        // The act itself.
        is.retain(|row| row.get("act") != Some(&Some("database.restore".to_owned())));
        assert_eq!(was, is, "{table}");
    }
}

/// A row with U+FFFD for U+0000.
fn without_zeros(row: Row) -> Row {
    let replaced = |value: Option<String>| value.map(|text| text.replace('\0', "\u{fffd}"));
    row.into_iter().map(|(name, value)| (name, replaced(value))).collect()
}

fn any_rows_survive(from: Kind, to: Kind) {
    let mut runner = TestRunner::new(Config { cases: 3, max_shrink_iters: 0, ..Config::default() });
    let all = prop::collection::vec(values(from == Kind::Sqlite), 100..300);
    runner
        .run(&all, |all| {
            round_trip(from, to, &all);
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_rows_survive_from_sqlite_to_sqlite() {
    any_rows_survive(Kind::Sqlite, Kind::Sqlite);
}

#[test]
fn any_rows_survive_from_sqlite_to_postgres() {
    any_rows_survive(Kind::Sqlite, Kind::Postgres);
}

#[test]
fn any_rows_survive_from_postgres_to_sqlite() {
    any_rows_survive(Kind::Postgres, Kind::Sqlite);
}

#[test]
fn any_rows_survive_from_postgres_to_postgres() {
    any_rows_survive(Kind::Postgres, Kind::Postgres);
}
