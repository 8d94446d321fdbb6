//! Every word on our pages that is not an agency's own, in Dutch and English: short sentences, everyday words
//! (`reference/dutch-government.md` 5). A language without one of them does not compile.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use chrono::{Datelike, Timelike};
use chrono_tz::Tz;

use crate::time::Timestamp;

/// The zone in which dates are shown; its name stands beside each, and the exact instant is in the markup.
const ZONE: Tz = chrono_tz::Europe::Amsterdam;

/// The words of a page in one language.
#[derive(Debug)]
#[allow(missing_docs)] // each is named after what it says
pub struct Texts {
    pub lang: &'static str,
    pub skip: &'static str,
    pub home: &'static str,
    pub index_title: &'static str,
    pub index_intro: &'static str,
    pub index_empty: &'static str,
    pub verified: &'static str,
    pub verified_of: &'static str,
    pub verified_is: &'static str,
    pub verified_how: &'static str,
    pub verified_proof: &'static str,
    pub verified_checked: &'static str,
    pub verified_late: &'static str,
    pub unverified: &'static str,
    pub unverified_why: &'static str,
    pub follow: &'static str,
    pub follow_how: &'static str,
    pub follow_button: &'static str,
    pub follow_feed: &'static str,
    pub follow_title: &'static str,
    pub follow_field: &'static str,
    pub follow_hint: &'static str,
    pub follow_go: &'static str,
    pub follow_copy: &'static str,
    pub follow_app: &'static str,
    pub follow_unreadable: &'static str,
    pub follow_unknown: &'static str,
    pub follow_busy: &'static str,
    pub follow_try: &'static str,
    pub follow_what: &'static str,
    pub about: &'static str,
    pub pinned: &'static str,
    pub posts: &'static str,
    pub posts_none: &'static str,
    pub older: &'static str,
    pub newest: &'static str,
    pub paging: &'static str,
    pub post_by: &'static str,
    pub all_posts_by: &'static str,
    pub published: &'static str,
    pub edited: &'static str,
    pub source: &'static str,
    pub warning: &'static str,
    pub no_alt: &'static str,
    pub tag_title: &'static str,
    pub tag_intro: &'static str,
    pub tag_none: &'static str,
    pub missing_title: &'static str,
    pub missing: &'static str,
    pub gone_title: &'static str,
    pub gone: &'static str,
    pub over_title: &'static str,
    pub over: &'static str,
    pub suspended_title: &'static str,
    pub suspended: &'static str,
    pub moved: &'static str,
    pub failed_title: &'static str,
    pub failed: &'static str,
    pub privacy: &'static str,
    pub bot_title: &'static str,
    pub bot: &'static [&'static str],
    months: [&'static str; 12],
    at: &'static str,
}

/// Dutch.
pub static NL: Texts = Texts {
    lang: "nl",
    skip: "Naar de inhoud",
    home: "Alle accounts",
    index_title: "Accounts van organisaties",
    index_intro: "Deze organisaties plaatsen hier hun nieuws. U kunt ze volgen met Mastodon en andere apps.",
    index_empty: "Er zijn nog geen accounts.",
    verified: "Geverifieerd account",
    verified_of: "Geverifieerd account van",
    verified_is: "Dit account is van",
    verified_how: "De organisatie bevestigt dit op haar eigen website.",
    verified_proof: "Bekijk het bewijs",
    verified_checked: "Laatst bevestigd op",
    verified_late: "Bij de laatste controle was het bewijs niet te lezen. We proberen het opnieuw.",
    unverified: "Niet geverifieerd",
    unverified_why: "We kunnen nu niet bevestigen van wie dit account is. Het account plaatst daarom geen nieuwe berichten. Het zegt te horen bij",
    follow: "Volgen",
    follow_how: "Zoek in uw app naar:",
    follow_button: "Volgen met uw eigen account",
    follow_feed: "Volgen zonder account kan ook, met een nieuwslezer:",
    follow_title: "Volgen",
    follow_field: "Uw server of uw accountnaam",
    follow_hint: "Bijvoorbeeld mastodon.example of @naam@mastodon.example",
    follow_go: "Verder naar uw server",
    follow_copy: "Lukt het niet? Zoek dan in uw app of op uw server naar dit adres:",
    follow_app: "Openen in een app op dit apparaat",
    follow_unreadable: "Dit lijkt geen server of accountnaam. Controleer wat u hebt ingevuld.",
    follow_unknown: "Deze server zegt niet waar u kunt volgen. Zoek er zelf naar het adres hieronder.",
    follow_busy: "Er zijn nu te veel verzoeken. Wacht even en probeer het dan opnieuw.",
    follow_try: "Of probeer deze pagina, die veel servers hebben:",
    follow_what: "Wij vragen alleen aan uw server waar u kunt volgen. Wij bewaren niet wat u invult.",
    about: "Over dit account",
    pinned: "Uitgelicht",
    posts: "Berichten",
    posts_none: "Er zijn nog geen berichten.",
    older: "Oudere berichten",
    newest: "Nieuwste berichten",
    paging: "Meer berichten",
    post_by: "Bericht van",
    all_posts_by: "Alle berichten van",
    published: "Geplaatst op",
    edited: "Gewijzigd op",
    source: "Lees het hele bericht op",
    warning: "Let op:",
    no_alt: "Afbeelding zonder beschrijving",
    tag_title: "Berichten met",
    tag_intro: "U ziet hier alleen recente berichten.",
    tag_none: "Er zijn geen recente berichten met deze hashtag.",
    missing_title: "Niet gevonden",
    missing: "Deze pagina bestaat niet. Misschien klopt het adres niet helemaal.",
    gone_title: "Ingetrokken",
    gone: "Dit bericht is ingetrokken. De organisatie die het plaatste, heeft het verwijderd.",
    over_title: "Opgeheven",
    over: "Dit account is opgeheven door de organisatie waar het van was.",
    suspended_title: "Tijdelijk niet te zien",
    suspended: "Dit account is tijdelijk verborgen. Probeer het later opnieuw.",
    moved: "Dit account is verhuisd. De organisatie plaatst nu berichten op:",
    failed_title: "Dit lukt nu niet",
    failed: "We kunnen deze pagina nu niet tonen. Probeer het straks opnieuw.",
    privacy: "Deze website plaatst geen cookies en volgt u niet.",
    bot_title: "Over deze server",
    bot: &[
        "Deze server plaatst nieuws van organisaties op het fediverse. Dat is een netwerk van servers zoals Mastodon.",
        "De server haalt alleen op wat daarvoor nodig is. Dat zijn nieuwsfeeds van organisaties die hem gebruiken, hun bewijs van echtheid, en openbare profielen van wie een organisatie volgt of haar een bericht stuurt.",
        "De server doorzoekt geen websites en bewaart geen kopieën voor een zoekmachine. Hij vraagt niet vaker dan nodig en wacht als een website daarom vraagt.",
        "Wilt u geen verzoeken van deze server? Blokkeer dan zijn naam, die u boven aan deze pagina ziet. Vragen kunt u stellen aan de organisaties die hier een account hebben.",
    ],
    months: [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    at: "om",
};

/// English.
pub static EN: Texts = Texts {
    lang: "en",
    skip: "Skip to content",
    home: "All accounts",
    index_title: "Accounts of organisations",
    index_intro: "These organisations publish their news here. You can follow them with Mastodon and other apps.",
    index_empty: "There are no accounts yet.",
    verified: "Verified account",
    verified_of: "Verified account of",
    verified_is: "This account belongs to",
    verified_how: "The organisation confirms this on its own website.",
    verified_proof: "See the proof",
    verified_checked: "Last confirmed on",
    verified_late: "The proof could not be read at the last check. We will try again.",
    unverified: "Not verified",
    unverified_why: "We cannot confirm now whose account this is. So the account publishes no new posts. It claims to belong to",
    follow: "Follow",
    follow_how: "Search in your app for:",
    follow_button: "Follow with your own account",
    follow_feed: "You can also follow without an account, with a news reader:",
    follow_title: "Follow",
    follow_field: "Your server or your account name",
    follow_hint: "For example mastodon.example or @name@mastodon.example",
    follow_go: "Go on to your server",
    follow_copy: "Does it not work? Then search in your app or on your server for this address:",
    follow_app: "Open in an app on this device",
    follow_unreadable: "This does not look like a server or account name. Check what you filled in.",
    follow_unknown: "This server does not say where you can follow. Search there for the address below.",
    follow_busy: "There are too many requests now. Wait a moment and try again.",
    follow_try: "Or try this page, which many servers have:",
    follow_what: "We only ask your server where you can follow. We do not keep what you fill in.",
    about: "About this account",
    pinned: "Pinned",
    posts: "Posts",
    posts_none: "There are no posts yet.",
    older: "Older posts",
    newest: "Newest posts",
    paging: "More posts",
    post_by: "Post by",
    all_posts_by: "All posts by",
    published: "Published on",
    edited: "Edited on",
    source: "Read the whole article at",
    warning: "Please note:",
    no_alt: "Image without description",
    tag_title: "Posts with",
    tag_intro: "Only recent posts are shown here.",
    tag_none: "There are no recent posts with this hashtag.",
    missing_title: "Not found",
    missing: "This page does not exist. Perhaps the address is not quite right.",
    gone_title: "Withdrawn",
    gone: "This post was withdrawn. The organisation that published it has removed it.",
    over_title: "Closed",
    over: "The organisation that this account belonged to has closed it.",
    suspended_title: "Hidden for now",
    suspended: "This account is hidden for a while. Please try again later.",
    moved: "This account has moved. The organisation now posts at:",
    failed_title: "This does not work now",
    failed: "We cannot show this page now. Please try again later.",
    privacy: "This website sets no cookies and does not track you.",
    bot_title: "About this server",
    bot: &[
        "This server publishes news of organisations to the fediverse. That is a network of servers such as Mastodon.",
        "The server fetches only what it needs for that. Those are news feeds of the organisations that use it, their proofs, and public profiles of those who follow an organisation or write to it.",
        "The server does not crawl websites and keeps no copies for a search engine. It asks no more often than needed, and waits when a website asks it to.",
        "Do you want no requests from this server? Then block its name, which stands at the top of this page. You can ask questions of the organisations that have an account here.",
    ],
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    at: "at",
};

impl Texts {
    /// An instant as people write it, with the name of its zone.
    pub fn instant(&self, at: Timestamp) -> String {
        let local = at.to_utc().with_timezone(&ZONE);
        let month = self.months.get(local.month0() as usize).copied().unwrap_or_default();
        let (hour, minute, zone) = (local.hour(), local.minute(), local.format("%Z"));
        format!("{} {month} {} {} {hour:02}:{minute:02} ({zone})", local.day(), local.year(), self.at)
    }
}

/// The language of the words around the content: what the reader prefers of the two, else that of the content, else Dutch.
pub fn choose(request: &HttpRequest, content: Option<&str>) -> &'static Texts {
    preferred(request.headers()).or_else(|| content.and_then(known)).unwrap_or(&NL)
}

/// The words to go with a content in that language, whoever reads; Dutch where there are none.
pub fn of_language(tag: &str) -> &'static Texts {
    known(tag).unwrap_or(&NL)
}

/// What the reader prefers of the two, if either.
pub fn preferred(headers: &HeaderMap) -> Option<&'static Texts> {
    let values = headers.get_all(header::ACCEPT_LANGUAGE).filter_map(|value| value.to_str().ok());
    let mut best: Option<(f32, &'static Texts)> = None;
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let Some(texts) = parts.next().and_then(known) else { continue };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if quality > 0.0 && best.is_none_or(|(highest, _)| quality > highest) {
            best = Some((quality, texts));
        }
    }
    best.map(|(_, texts)| texts)
}

fn known(tag: &str) -> Option<&'static Texts> {
    match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "nl" => Some(&NL),
        "en" => Some(&EN),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_reader_chooses_the_language_and_else_the_content_does() {
        let table = [
            ("nl", None, "nl"),
            ("en-GB,en;q=0.9", Some("nl"), "en"),
            ("de,nl;q=0.5,en;q=0.7", None, "en"),
            ("fr", Some("en"), "en"),
            ("fr", Some("fy"), "nl"),
            ("", None, "nl"),
            ("en;q=0", Some("nl-NL"), "nl"),
            ("*", Some("en-IE"), "en"),
        ];
        for (accept, content, expected) in table {
            let request = TestRequest::default().insert_header((header::ACCEPT_LANGUAGE, accept)).to_http_request();
            assert_eq!(choose(&request, content).lang, expected, "{accept} {content:?}");
        }
    }

    #[test]
    fn an_instant_is_shown_in_local_time_with_its_zone() {
        let winter = Timestamp::parse_rfc3339("2026-11-05T13:03:00Z").unwrap();
        let summer = Timestamp::parse_rfc3339("2026-07-31T22:30:00Z").unwrap();
        assert_eq!(NL.instant(winter), "5 november 2026 om 14:03 (CET)");
        assert_eq!(EN.instant(summer), "1 August 2026 at 00:30 (CEST)");
    }

    #[test]
    fn sentences_on_pages_are_short() {
        for texts in [&NL, &EN] {
            let short = [
                texts.index_intro,
                texts.verified_how,
                texts.verified_late,
                texts.unverified_why,
                texts.missing,
                texts.gone,
                texts.failed,
                texts.privacy,
                texts.tag_intro,
                texts.tag_none,
                texts.follow_unreadable,
                texts.follow_unknown,
                texts.follow_busy,
                texts.follow_what,
            ];
            for sentence in short.iter().flat_map(|text| text.split(". ")) {
                assert!(sentence.split(' ').count() <= 15, "{sentence}");
            }
        }
    }
}
