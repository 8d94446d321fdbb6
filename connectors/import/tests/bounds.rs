//! Every limit at its edge, and nothing that panics.

use proptest::prelude::*;

use super::*;

#[test]
fn a_file_at_the_byte_limit_is_read_and_one_beyond_is_refused() {
    let mut body = br#"{"id": 1, "title": "x"}"#.to_vec();
    body.resize(FILE_BYTES_MAX, b' ');
    assert_eq!(read_as("x.json", &body).unwrap().items.len(), 1);
    body.push(b' ');
    assert!(read_as("x.json", &body).is_err());
}

#[test]
fn more_items_than_the_limit_are_refused_whole() {
    let rows = |n: usize| format!("id,title\n{}", (0..n).map(|n| format!("{n},x\n")).collect::<String>());
    assert_eq!(read_as("x.csv", rows(ITEMS_PER_PAGE_MAX).as_bytes()).unwrap().items.len(), ITEMS_PER_PAGE_MAX);
    assert!(read_as("x.csv", rows(ITEMS_PER_PAGE_MAX + 1).as_bytes()).is_err());
    let list = |n: usize| json!((0..n).map(|n| json!({"id": n, "title": "x"})).collect::<Vec<_>>()).to_string();
    assert!(read_as("x.json", list(ITEMS_PER_PAGE_MAX).as_bytes()).is_ok());
    assert!(read_as("x.json", list(ITEMS_PER_PAGE_MAX + 1).as_bytes()).is_err());
    let item = |n: usize| format!("<newsItem guid='{n}'><contentMeta><headline>x</headline></contentMeta></newsItem>");
    let message = |n: usize| format!("<newsMessage>{}</newsMessage>", (0..n).map(item).collect::<String>());
    assert!(read_as("x.xml", message(ITEMS_PER_PAGE_MAX).as_bytes()).is_ok());
    assert!(read_as("x.xml", message(ITEMS_PER_PAGE_MAX + 1).as_bytes()).is_err());
}

#[test]
fn columns_front_matter_and_names_are_bounded() {
    let columns = |n: usize| {
        let names: String = (0..n - 2).map(|n| format!(",k{n}")).collect();
        read_as("x.csv", format!("id,title{names}\n1,x{}\n", ",".repeat(n - 2)).as_bytes())
    };
    assert!(columns(table::COLUMNS_MAX).is_ok());
    assert!(columns(table::COLUMNS_MAX + 1).is_err());
    let matter = |n: usize| {
        let text = format!("title: x\nnote: {}\n", "a".repeat(n - 16));
        assert_eq!(text.len(), n);
        read_as("x.md", format!("---\n{text}---\nx\n").as_bytes())
    };
    assert!(matter(matter::MATTER_BYTES_MAX).is_ok());
    assert!(matter(matter::MATTER_BYTES_MAX + 1).is_err());
    assert!(file(&"n".repeat(NAME_BYTES_MAX), vec![], 0).is_ok());
    assert!(file(&"n".repeat(NAME_BYTES_MAX + 1), vec![], 0).is_err());
}

#[test]
fn a_list_is_bounded() {
    let source = Import.configure(&json!({"url": "https://source.example/l.json"})).unwrap();
    let read = |n: usize| {
        let url = Url::parse("https://source.example/l.json").unwrap();
        let body = json!((0..n).map(|n| format!("{n}.json")).collect::<Vec<_>>()).to_string().into_bytes();
        source.read(&Response { url, content_type: None, body, received_at: 0, about: None }).unwrap()
    };
    assert_eq!(
        (read(FILES_PER_LIST_MAX).fetch.len(), read(FILES_PER_LIST_MAX).warnings.len()),
        (FILES_PER_LIST_MAX, 0)
    );
    let more = read(FILES_PER_LIST_MAX + 1);
    assert_eq!((more.fetch.len(), more.warnings.len()), (FILES_PER_LIST_MAX, 1));
}

/// Aliases in YAML that stand for a hundred million values.
#[test]
fn a_bomb_in_front_matter_is_refused() {
    let mut matter = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let ten = vec![format!("*a{}", n - 1); 10].join(", ");
        matter.push_str(&format!("a{n}: &a{n} [{ten}]\n"));
    }
    let problem = read_as("x.md", format!("---\n{matter}---\nx\n").as_bytes()).unwrap_err().to_string();
    assert!(problem.contains("its front matter is no YAML"), "{problem}");
    let deep = format!("---\na: {}\n---\nx\n", "[".repeat(8_000));
    assert!(read_as("x.md", deep.as_bytes()).is_err());
    let deep = format!("+++\na = {}\n+++\nx\n", "[".repeat(8_000));
    assert!(read_as("x.md", deep.as_bytes()).is_err());
}

/// Inputs that make careless readers quadratic: a linear one needs well under a second each, quadratic time would be minutes.
#[test]
fn hostile_files_take_linear_time() {
    for piece in [
        "<h1>",
        "</h1>",
        "<article>",
        "</article>",
        "<title>",
        "<title></title>",
        "<meta ",
        "<meta name=a content=b>",
        "<script>",
        "<script type='application/ld+json'>{}</script>",
        "<a",
        "</",
        "<!--",
        "<!D[",
        "&",
        "<newsItem>",
        "<newsItem/>",
        "<a xmlns:b='c'>",
        "<a></a>",
        "\"",
        ";",
        ",\n",
        "a,b\n",
        "[",
        "{\"a\":",
        "---\n",
        "- ",
        "*a ",
        "[x](",
        "_a*",
    ] {
        for (name, before) in [
            ("x.html", ""),
            ("x.xml", "<newsMessage>"),
            ("x.csv", "id,title\n"),
            ("x.md", "---\ntitle: x\n---\n"),
            ("x.json", "["),
        ] {
            let body = format!("{before}{}", piece.repeat(200_000 / piece.len()));
            let start = std::time::Instant::now();
            let _ = read_as(name, body.as_bytes());
            assert!(
                start.elapsed() < std::time::Duration::from_secs(20),
                "{:?} for {name} of {piece}",
                start.elapsed()
            );
        }
    }
}

const NAMES: [&str; 5] = ["x.json", "x.csv", "x.md", "x.html", "x.xml"];
const FILES: [&str; 8] = [
    "good/own.json",
    "good/ninjs-1.json",
    "good/ninjs-3.json",
    "good/newsml.xml",
    "good/page.html",
    "files/berichten.csv",
    "files/brug.md",
    "files/markt.md",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_usize..5) {
        let _ = read_as(NAMES[kind], &body);
    }

    #[test]
    fn a_damaged_file_never_panics(kind in 0_usize..8, at in any::<prop::sample::Index>(), cut in 0_usize..9, text in "[<>&;'\"/=:,a-z!\\[\\]{}é\u{0}\n-]{0,12}") {
        let mut body = fixture(FILES[kind]);
        let at = at.index(body.len());
        body.splice(at..(at + cut).min(body.len()), text.bytes());
        let name = FILES[kind].rsplit('/').next().unwrap();
        prop_assert_eq!(read_as(name, &body), read_as(name, &body));
    }
}
