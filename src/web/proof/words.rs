//! The words of the page "is this really them?", in Dutch and English.

use crate::actor::ladder::Rung;

/// The words in one language.
#[derive(Debug)]
#[allow(missing_docs)] // each is named after what it says
pub struct ProofTexts {
    pub title: &'static str,
    pub yes: &'static str,
    pub yes_more: &'static str,
    pub no: &'static str,
    pub no_more: &'static str,
    pub level: &'static str,
    pub of_four: &'static str,
    pub needed: &'static str,
    pub steps: &'static str,
    pub grade: &'static str,
    pub holds: &'static str,
    pub fails: &'static str,
    pub not_asked: &'static str,
    pub seen_at: &'static str,
    pub seen_on: &'static str,
    pub looked_on: &'static str,
    pub says: &'static str,
    pub check: &'static str,
    pub ends: &'static str,
    pub ended: &'static str,
    pub secure: &'static str,
    pub insecure: &'static str,
    pub key: &'static str,
    pub account: &'static str,
    pub machine: &'static str,
    pub all: &'static str,
    register: [&'static str; 2],
    file: [&'static str; 2],
    dns: [&'static str; 2],
    link: [&'static str; 2],
    listed: [&'static str; 2],
}

impl ProofTexts {
    /// What a rung is, and how anybody can check it.
    pub fn rung(&self, rung: Rung) -> [&'static str; 2] {
        match rung {
            Rung::Register => self.register,
            Rung::File => self.file,
            Rung::Dns => self.dns,
            Rung::Link => self.link,
            Rung::Account => self.listed,
        }
    }

    /// The words in the language of that tag; Dutch where there are none.
    pub fn of(lang: &str) -> &'static Self {
        if lang == "en" { &EN } else { &NL }
    }
}

static NL: ProofTexts = ProofTexts {
    title: "Is dit echt",
    yes: "Ja, dit account is echt.",
    yes_more: "We hebben bewijs dat dit account hoort bij",
    no: "Dat kunnen we nu niet bevestigen.",
    no_more: "Het account plaatst daarom geen nieuwe berichten. Het zegt te horen bij",
    level: "Bewijs tot niveau",
    of_four: "van 4.",
    needed: "Om te plaatsen is hier nodig: niveau",
    steps: "Dit hebben we nagekeken",
    grade: "Niveau",
    holds: "Klopt",
    fails: "Klopt niet, of is er niet",
    not_asked: "Niet nagekeken",
    seen_at: "Gezien op",
    seen_on: "gelezen op",
    looked_on: "Laatst nagekeken op",
    says: "Daar staat:",
    check: "Zelf nakijken:",
    ends: "Volgens het register houdt dit op. Vanaf dan plaatst het account niets meer:",
    ended: "Volgens het register is dit opgehouden op",
    secure: "Het antwoord is beveiligd met DNSSEC.",
    insecure: "Het antwoord is niet beveiligd met DNSSEC. Iemand onderweg kan het veranderen.",
    key: "Kenmerk van de sleutel",
    account: "Adres van het account",
    machine: "Dit bewijs voor computers (JSON)",
    all: "Alle officiële accounts van deze server, ondertekend (JSON)",
    register: [
        "Het domein staat in een register van de overheid.",
        "Zoek het domein op in dat register. Kijk of de organisatie klopt.",
    ],
    file: [
        "Op de website van de organisatie staat een bestand met dit account.",
        "Open het bestand. Zoek het adres en het kenmerk van de sleutel, die hieronder staan.",
    ],
    dns: [
        "In het DNS van het domein staat dit account.",
        "Vraag het TXT-record op. Het moet het adres en het kenmerk noemen.",
    ],
    link: [
        "De website en het account verwijzen naar elkaar.",
        "Open de website en zoek daar de link naar dit account. Ook Mastodon toont dan een groen vinkje.",
    ],
    listed: [
        "Het register van overheidsorganisaties noemt dit account.",
        "Zoek de organisatie op in dat register. Kijk bij sociale media.",
    ],
};

static EN: ProofTexts = ProofTexts {
    title: "Is this really",
    yes: "Yes, this account is real.",
    yes_more: "We have proof that this account belongs to",
    no: "We cannot confirm that now.",
    no_more: "So the account publishes no new posts. It claims to belong to",
    level: "Proven up to level",
    of_four: "of 4.",
    needed: "To publish, this server asks for level",
    steps: "This is what we looked at",
    grade: "Level",
    holds: "Holds",
    fails: "Does not hold, or is not there",
    not_asked: "Not looked at",
    seen_at: "Seen at",
    seen_on: "read on",
    looked_on: "Last looked at on",
    says: "It says:",
    check: "Check it yourself:",
    ends: "The register says that this ends. From then on the account publishes nothing:",
    ended: "The register says that this ended on",
    secure: "The answer is protected by DNSSEC.",
    insecure: "The answer is not protected by DNSSEC. Somebody on the way could change it.",
    key: "Fingerprint of the key",
    account: "Address of the account",
    machine: "This proof for computers (JSON)",
    all: "All official accounts of this server, signed (JSON)",
    register: [
        "The domain stands in a register of the government.",
        "Look the domain up in that register. See whether the organisation is right.",
    ],
    file: [
        "On the website of the organisation there is a file with this account.",
        "Open the file. Look for the address and the fingerprint below.",
    ],
    dns: [
        "The DNS of the domain names this account.",
        "Ask for the TXT record. It must name the address and the fingerprint.",
    ],
    link: [
        "The website and the account link to each other.",
        "Open the website and look for the link to this account. Mastodon shows a green tick then, too.",
    ],
    listed: [
        "The register of government organisations names this account.",
        "Look the organisation up in that register, under social media.",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_short() {
        for texts in [&NL, &EN] {
            let rungs = Rung::ALL.into_iter().flat_map(|rung| texts.rung(rung));
            let all = rungs.chain([texts.no_more, texts.insecure, texts.ends, texts.yes_more]);
            for sentence in all.flat_map(|text| text.split(". ")) {
                assert!(sentence.split(' ').count() <= 15, "{sentence}");
            }
        }
    }
}
