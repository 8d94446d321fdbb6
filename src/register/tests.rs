use super::*;

const ROO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<p:overheidsorganisaties xmlns:p="https://organisaties.overheid.nl/static/schema/oo/export/2.6.9">
 <p:organisaties>
  <p:organisatie p:systeemId="1" p:resourceIdentifierTOOI="https://identifier.overheid.nl/tooi/id/gemeente/gm0000">
   <p:naam>Gemeente Voorbeeldstad &amp; omstreken</p:naam>
   <p:eindDatum>2027-01-01</p:eindDatum>
   <p:contact><p:socialMedia>
     <p:socialmedium><p:gebruikersnaam>@x</p:gebruikersnaam><p:url>https://social.example.nl/@nieuws/</p:url><p:platform>Mastodon</p:platform></p:socialmedium>
     <p:socialmedium><p:gebruikersnaam>@y</p:gebruikersnaam><p:url>geen adres</p:url></p:socialmedium>
   </p:socialMedia></p:contact>
   <p:organisaties>
    <p:organisatie p:systeemId="2" p:resourceIdentifierTOOI="https://identifier.overheid.nl/tooi/id/oorg/oorg1">
     <p:naam>Dienst</p:naam>
     <p:functies><p:functie><p:naam>Burgemeester</p:naam><p:contact><p:socialMedia><p:socialmedium><p:url>https://prive.example/@jan</p:url></p:socialmedium></p:socialMedia></p:contact></p:functie></p:functies>
    </p:organisatie>
    <p:organisatie p:systeemId="3"><p:naam>Afdeling zonder URI</p:naam></p:organisatie>
   </p:organisaties>
   <p:beschrijving>naam van de rest</p:beschrijving>
  </p:organisatie>
 </p:organisaties>
</p:overheidsorganisaties>
"#;

const RIO: &str = r#"<RegisterInternetdomeinenOverheid xmlns="https://organisaties.overheid.nl/static/schema/oo/export/0.0.3" timestamp="2026-11-22T03:00:00">
 <organisaties>
 <organisatie resourceIdentifierTOOI="https://identifier.overheid.nl/tooi/id/gemeente/gm0000">
  <naam>Gemeente Voorbeeldstad</naam>
  <domeinnaamregistraties>
   <domeinnaamregistratie><naam>voorbeeldstad.nl</naam><registratieHouder>G</registratieHouder><geregistreerdSinds>2001-01-01</geregistreerdSinds></domeinnaamregistratie>
   <domeinnaamregistratie><naam>oudestad.nl</naam><opgezegdSinds>2026-06-30</opgezegdSinds></domeinnaamregistratie>
  </domeinnaamregistraties>
  <domeinen>
   <domein><url>https://www.voorbeeldstad.nl/</url><gebruiksdoel>site</gebruiksdoel><hoortBijDomeinnaamregistratie>voorbeeldstad.nl</hoortBijDomeinnaamregistratie></domein>
  </domeinen>
 </organisatie>
 </organisaties>
</RegisterInternetdomeinenOverheid>"#;

const CITY: &str = "https://identifier.overheid.nl/tooi/id/gemeente/gm0000";

fn read(kind: &str, text: &str) -> Result<(Vec<Entry>, Counts), ReadError> {
    let mut entries = Vec::new();
    let counts = find(kind).unwrap().read(text.as_bytes(), &mut |entry| {
        entries.push(entry);
        true
    })?;
    Ok((entries, counts))
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text)
}

fn domain(name: &str, organisation: Option<&str>, withdrawn: Option<Timestamp>) -> Entry {
    Entry::Domain { domain: name.to_owned(), organisation: organisation.map(str::to_owned), withdrawn_at: withdrawn }
}

#[test]
fn roo_gives_organisations_with_their_ends_and_their_own_accounts() {
    let (entries, counts) = read("roo", ROO).unwrap();
    let organisation =
        |uri: &str, name: &str, ends_at| Entry::Organisation { uri: uri.into(), name: name.into(), ends_at };
    let expected = [
        organisation("https://identifier.overheid.nl/tooi/id/oorg/oorg1", "Dienst", None),
        organisation(CITY, "Gemeente Voorbeeldstad & omstreken", at("2026-12-31T23:00:00Z")),
        Entry::Account { url: "https://social.example.nl/@nieuws".into(), organisation: CITY.into() },
    ];
    assert_eq!(entries, expected);
    assert_eq!(counts, Counts { entries: 3, odd: 1 });
}

#[test]
fn rio_gives_domains_with_whose_they_are_and_since_when_no_longer() {
    let (entries, _) = read("rio", RIO).unwrap();
    let expected = [
        domain("voorbeeldstad.nl", Some(CITY), None),
        domain("oudestad.nl", Some(CITY), at("2026-06-29T22:00:00Z")),
        domain("www.voorbeeldstad.nl", Some(CITY), None),
    ];
    assert_eq!(entries, expected);
}

#[test]
fn a_list_is_csv_or_json_and_says_as_much_as_it_has() {
    let expected = vec![
        Entry::Organisation { uri: "u:1".into(), name: "Stad".into(), ends_at: at("2026-12-31T23:00:00Z") },
        domain("stad.nl", Some("u:1"), None),
        Entry::Account { url: "https://s.example/@a".into(), organisation: "u:1".into() },
        domain("oud.nl", Some("u:1"), at("2019-12-31T23:00:00Z")),
    ];
    let csv = "\u{feff}Domain;Organisation;name;account;ends;withdrawn\nstad.nl;u:1;Stad;https://s.example/@A;2027-01-01;\n\
               oud.nl;u:1;Stad;;2027-01-01;2020-01-01\n";
    assert_eq!(read("list", csv).unwrap().0, expected);
    let json = r#"{"organisations": [{"uri": "u:1", "name": "Stad", "ends": "2027-01-01",
        "domains": ["stad.nl", {"domain": "oud.nl", "withdrawn": "2020-01-01"}], "accounts": ["https://s.example/@a"]}]}"#;
    let (mut entries, _) = read("list", json).unwrap();
    entries.swap(2, 3);
    assert_eq!(entries, expected);
    assert_eq!(
        read("list", "domain\nstad.nl\nniet een domein\n").unwrap(),
        (vec![domain("stad.nl", None, None)], Counts { entries: 1, odd: 1 })
    );
}

#[test]
fn a_register_that_is_cut_anywhere_is_an_error() {
    for (kind, whole) in [("roo", ROO.trim_end()), ("rio", RIO)] {
        read(kind, whole).unwrap();
        for (cut, _) in whole.char_indices() {
            let part = whole.get(..cut).unwrap();
            assert!(read(kind, part).is_err(), "{kind} cut at {cut} was read");
        }
    }
    let json = r#"{"organisations": [{"uri": "u:1", "domains": ["stad.nl"]}]}"#;
    for cut in 1..json.len() {
        assert!(read("list", json.get(..cut).unwrap()).is_err(), "cut at {cut}");
    }
    let csv = "domain;organisation;ends\nstad.nl;u:1;\ndorp.nl;u:2;2027-01-01\n";
    read("list", csv).unwrap();
    for cut in (1..csv.len()).filter(|cut| !csv[..*cut].ends_with('\n')) {
        assert!(read("list", &csv[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn what_is_not_well_formed_or_of_another_form_says_so() {
    let table = [
        ("rio", ROO.to_owned(), "not an export of RIO"),
        ("roo", RIO.to_owned(), "not an export of ROO"),
        ("roo", "<html><body>Onderhoud</body></html>".to_owned(), "not an export of ROO"),
        ("roo", "Onderhoud".to_owned(), "not well-formed"),
        ("roo", String::new(), "it is empty"),
        ("roo", ROO.replace("</p:naam>", "</p:name>"), "not well-formed"),
        ("roo", ROO.replace("&amp;", "&onbekend;"), "entity"),
        ("roo", ROO.replace("2027-01-01", "binnenkort"), "`binnenkort` is no date (eindDatum of"),
        ("roo", format!("{ROO}<p:meer/>"), "more behind the end"),
        ("roo", format!("{ROO}meer"), "outside of the document"),
        (
            "rio",
            RIO.replace("voorbeeldstad.nl</naam>", &format!("{}</naam>", "a".repeat(TEXT_BYTES_MAX + 1))),
            "longer than",
        ),
        ("rio", format!("{}x", "<RegisterInternetdomeinenOverheid>".repeat(100)), "deep"),
        ("list", "naam;domein\nx;y\n".to_owned(), "column `naam`"),
        ("list", "name\nx\n".to_owned(), "neither the column"),
        ("list", "account\nhttps://s.example/@a\n".to_owned(), "line 2 has an account or an end, and no organisation"),
        ("list", r#"{"organisations": [{"uri": "u", "domein": []}]}"#.to_owned(), "domein"),
        ("list", r#"{"organisations": [{"uri": "u", "ends": "nooit"}]}"#.to_owned(), "no date"),
        ("list", r#"{"organisations": [{"uri": " ", "domains": ["stad.nl"]}]}"#.to_owned(), "is no uri"),
        (
            "list",
            format!(r#"{{"organisations": [{{"uri": "u:1", "domains": ["{}"]}}]}}"#, "a".repeat(TEXT_BYTES_MAX + 1)),
            "longer than 4096",
        ),
        ("list", format!("domain\n{}\n", "a".repeat(TEXT_BYTES_MAX + 1)), "longer than 4096"),
    ];
    for (kind, text, part) in table {
        let error = read(kind, &text).unwrap_err().to_string();
        assert!(error.contains(part), "{kind}: `{part}` is not in `{error}`");
    }
}

#[test]
fn a_million_entries_are_read_and_one_more_is_too_many() {
    let mut text = "domain;organisation\n".to_owned();
    for n in 0..ENTRIES_MAX {
        text.push_str(&format!(";u:{n}\n"));
    }
    let read = |text: &str| {
        let mut given = 0;
        let outcome = find("list").unwrap().read(text.as_bytes(), &mut |_| {
            given += 1;
            true
        });
        (given, outcome)
    };
    let counts = Counts { entries: ENTRIES_MAX, odd: 0 };
    assert_eq!(read(&text), (ENTRIES_MAX, Ok(counts)));
    text.push_str(";u:nog-een\n");
    assert_eq!(read(&text), (ENTRIES_MAX, Err(ReadError::TooMany)));
}

#[test]
fn whoever_takes_the_entries_may_stop() {
    assert_eq!(find("rio").unwrap().read(RIO.as_bytes(), &mut |_| false), Err(ReadError::Stopped));
}

#[test]
fn a_file_that_lost_most_of_its_entries_does_not_take_the_place_of_the_one_before() {
    for (before, now, good) in [
        (0, 0, false),
        (0, 1, true),
        (9, 1, true),
        (9, 0, false),
        (10, 5, true),
        (10, 4, false),
        (9_000, 4_500, true),
        (9_000, 4_499, false),
        (9_000, 90_000, true),
    ] {
        assert_eq!(refusal(before, now).is_none(), good, "{before} {now}");
    }
}

#[test]
fn a_day_begins_at_midnight_in_the_netherlands() {
    assert_eq!(day("2027-01-01", "x").ok(), at("2026-12-31T23:00:00Z"));
    assert_eq!(day(" 2026-07-01T12:00:00+02:00", "x").ok(), at("2026-06-30T22:00:00Z"));
    for text in ["", "2026", "2026-13-01", "01-01-2026", "gisteren"] {
        assert!(day(text, "x").is_err(), "{text}");
    }
}
