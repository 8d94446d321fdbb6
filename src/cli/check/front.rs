//! What stands between us and the world: the name, its addresses, the certificate, and what a proxy does to requests.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use url::{Host, Url};

use crate::cli::check::findings::Findings;
use crate::cli::check::{Looking, Unanswered};
use crate::flow::probe::{self, Found};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::net::FetchError;
use crate::net::guard;
use crate::signature::Scheme;
use crate::time::Timestamp;

/// A certificate that ends sooner is told: by then a renewal at two thirds of 90 days has failed for over a week.
const CERTIFICATE_LEFT_MIN: Duration = Duration::from_secs(21 * 86_400);
/// What is wrong when what answers at the public URL is not this gateway: then the rest there is wrong too.
pub const IS_NOT_US: [&str; 4] = ["public-url", "other-server", "header-host", "certificate-invalid"];
const TO_THE_GATEWAY: &str = "let the proxy forward every path of that host to server.listen, with its Host header";

/// Looks at the public URL, and gives it.
pub async fn check(gateway: &Gateway, looking: &mut Looking) -> anyhow::Result<Url> {
    let root = Url::parse(&gateway.base.root())?;
    addresses(gateway, &root, &mut looking.findings).await;
    if root.scheme() == "https" {
        certificate(gateway, &root, &mut looking.findings).await;
    }
    if answers(gateway, looking).await {
        for scheme in [Scheme::Cavage, Scheme::Rfc9421] {
            match probe::send(gateway, scheme).await {
                Ok(found) => tell(scheme, &found, &mut looking.findings),
                Err(error) => looking.findings.bad("probe", with_causes(&error), TO_THE_GATEWAY),
            }
        }
    }
    Ok(root)
}

/// Whether it is this gateway that answers.
async fn answers(gateway: &Gateway, looking: &mut Looking) -> bool {
    let url = gateway.base.instance_actor();
    match looking.json(gateway, url.as_str(), "application/activity+json").await {
        Ok(document) if document.get("id").and_then(Value::as_str) == Some(url.as_str()) => {
            let own = match gateway.instance_actor().await {
                Ok(own) => own.keys.rsa_pem,
                Err(error) => {
                    looking.findings.bad("master-key", with_causes(&error), "put back the master key of this database");
                    return false;
                }
            };
            let shown = document.pointer("/publicKey/publicKeyPem").and_then(Value::as_str).unwrap_or_default();
            if shown.trim() == own.trim() {
                looking.findings.good("public-url", format!("{url} answers from outside as it should"));
                return true;
            }
            looking.findings.bad(
                "other-server",
                format!("{url} shows another key than the one in this database"),
                "another Heraut answers there: stop it, or correct server.public_url or database.url",
            );
            false
        }
        Ok(_) | Err(Unanswered::NoJson(_)) => {
            looking.findings.bad(
                "other-server",
                format!("{url} answers with something else"),
                format!("server.public_url must be the address under which this gateway is reached; {TO_THE_GATEWAY}"),
            );
            false
        }
        Err(Unanswered::Status(421, detail)) => {
            looking.findings.bad(
                "header-host",
                format!("{url} answered 421: {detail}"),
                "let the proxy pass on Host as it came (nginx: `proxy_set_header Host $http_host;`)",
            );
            false
        }
        Err(Unanswered::Status(status @ (404 | 410), _)) => {
            looking.findings.bad(
                "other-server",
                format!("{url} answered {status}"),
                format!("server.public_url must be the address under which this gateway is reached; {TO_THE_GATEWAY}"),
            );
            false
        }
        Err(problem) => {
            let certificate = looking.findings.has("certificate-invalid");
            if !certificate {
                let todo = format!("start `heraut serve`, and {TO_THE_GATEWAY}");
                looking.findings.bad("public-url", format!("{url} cannot be fetched ({problem})"), todo);
            }
            false
        }
    }
}

/// The codes of headers that do not come through.
fn code_of(header: &str) -> &'static str {
    match header {
        "host" => "header-host",
        "date" => "header-date",
        "digest" => "header-digest",
        "content-digest" => "header-content-digest",
        "content-type" => "header-content-type",
        "signature-input" => "header-signature-input",
        _ => "header-signature",
    }
}

/// Tells what became of a probe.
fn tell(scheme: Scheme, found: &Found, findings: &mut Findings) {
    let named = if scheme == Scheme::Cavage { "draft-cavage" } else { "RFC 9421" };
    let Some(echo) = &found.echo else {
        let answer: String = found.answer.chars().take(200).collect();
        findings.bad(
            if found.status == 421 { "header-host" } else { "probe" },
            format!("a POST signed by {named} was answered {} and not by this gateway: {answer}", found.status),
            format!("{TO_THE_GATEWAY}, POST too; the gateway that runs must be of this version"),
        );
        return;
    };
    let lost = echo.lost(&found.sent);
    for (header, came) in &lost {
        let what = if *came { "changes" } else { "takes away" };
        findings.bad(
            code_of(header),
            format!("something before the gateway {what} the header `{header}` of requests signed by {named}"),
            format!("let the proxy pass on `{header}` as it came: without it no signature of another server holds"),
        );
    }
    if !found.is_whole() {
        findings.bad(
            "body",
            format!("something before the gateway changes the body of requests signed by {named}"),
            "let the proxy leave bodies alone: a digest covers their bytes",
        );
    }
    match &echo.verdict {
        None if lost.is_empty() && found.is_whole() => {
            findings.good("signature", format!("a request signed by {named} comes in as it was sent"));
        }
        Some(verdict) if lost.is_empty() && found.is_whole() => findings.bad(
            "signature",
            format!("a request signed by {named} does not hold when it comes in: {verdict}"),
            "let the proxy leave method, path and query alone, and set the clocks of both machines",
        ),
        _ => {}
    }
}

/// Whether the name has an address of the new kind, and whether that answers.
async fn addresses(gateway: &Gateway, root: &Url, findings: &mut Findings) {
    let (Some(Host::Domain(name)), Some(port)) = (root.host(), root.port_or_known_default()) else { return };
    let all = match gateway.net.addresses(name).await {
        Ok(all) => all,
        Err(error) => {
            findings.bad(
                "dns",
                format!("the name {name} does not resolve ({error})"),
                "make an A and an AAAA record for it",
            );
            return;
        }
    };
    let sixes: Vec<IpAddr> = all.into_iter().filter(IpAddr::is_ipv6).collect();
    let scheme = guard::Scheme::of(root).unwrap_or(guard::Scheme::Https);
    let mut tried = Vec::new();
    for six in sixes {
        tried.push((six, gateway.net.connects(scheme, SocketAddr::new(six, port)).await));
    }
    judge_sixes(name, &tried, findings);
}

fn judge_sixes(name: &str, tried: &[(IpAddr, io::Result<()>)], findings: &mut Findings) {
    if tried.is_empty() {
        findings.bad(
            "ipv6-missing",
            format!("{name} has no AAAA record"),
            "give it one: who has IPv6 alone cannot read it, and government standards ask for it",
        );
    }
    for (address, outcome) in tried {
        match outcome {
            Ok(()) => findings.good("ipv6", format!("{name} answers at {address}")),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable) =>
            {
                findings.note("ipv6", format!("whether {address} answers cannot be tried: this machine has no IPv6"));
            }
            Err(error) => findings.bad(
                "ipv6-silent",
                format!("{name} has the AAAA record {address}, and nothing answers there ({error})"),
                "let the proxy listen on IPv6 too (nginx: `listen [::]:443 ssl;`), or take the record away",
            ),
        }
    }
}

async fn certificate(gateway: &Gateway, root: &Url, findings: &mut Findings) {
    match gateway.net.certificate_end(root).await {
        Ok(Some(end)) => judge_end(end, now(), findings),
        Ok(None) => findings.note("certificate", format!("the certificate of {root} could not be read")),
        Err(error @ FetchError::Tls { .. }) => findings.bad(
            "certificate-invalid",
            with_causes(&error),
            "get a certificate for this name from an authority that is known everywhere: no server will talk to us without",
        ),
        // Said with more words where the URL itself is looked at.
        Err(_) => {}
    }
}

fn judge_end(end: Timestamp, now: Timestamp, findings: &mut Findings) {
    let left = end.since(now);
    let days = left.as_secs() / 86_400;
    if left < CERTIFICATE_LEFT_MIN {
        findings.bad(
            "certificate-ends",
            format!("the certificate ends on {end}, in {days} days"),
            "renew it, and see why that did not happen by itself",
        );
    } else {
        findings.good("certificate", format!("the certificate holds for {days} days"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(tell: impl FnOnce(&mut Findings)) -> Vec<&'static str> {
        let mut findings = Findings::new(true);
        tell(&mut findings);
        let all = ["ipv6-missing", "ipv6-silent", "certificate-ends"];
        all.into_iter().filter(|code| findings.has(code)).collect()
    }

    #[test]
    fn a_name_without_an_address_of_the_new_kind_and_one_that_is_silent_are_told() {
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let failed = |kind: io::ErrorKind| vec![(six, Err(io::Error::from(kind)))];
        assert_eq!(codes(|f| judge_sixes("a.example", &[], f)), ["ipv6-missing"]);
        assert_eq!(codes(|f| judge_sixes("a.example", &[(six, Ok(()))], f)), [""; 0]);
        assert_eq!(codes(|f| judge_sixes("a.example", &failed(io::ErrorKind::ConnectionRefused), f)), ["ipv6-silent"]);
        assert_eq!(codes(|f| judge_sixes("a.example", &failed(io::ErrorKind::TimedOut), f)), ["ipv6-silent"]);
        let unknown = failed(io::ErrorKind::NetworkUnreachable);
        assert_eq!(codes(|f| judge_sixes("a.example", &unknown, f)), [""; 0], "that is this machine's fault");
    }

    #[test]
    fn a_certificate_is_told_when_it_ends_within_three_weeks() {
        let now = Timestamp(1_795_338_000_000);
        assert_eq!(codes(|f| judge_end(now.after(CERTIFICATE_LEFT_MIN), now, f)), [""; 0]);
        let sooner = now.after(CERTIFICATE_LEFT_MIN - Duration::from_secs(1));
        assert_eq!(codes(|f| judge_end(sooner, now, f)), ["certificate-ends"]);
        assert_eq!(codes(|f| judge_end(now.before(Duration::from_secs(1)), now, f)), ["certificate-ends"]);
    }
}
