//! "Is this really them?": the evidence for an actor, for people and for programs, and the signed list of all official actors.
//!
//! What is shown is what was seen, where, and when; why something does not hold stays with the operator, because such texts tell
//! of our network.

mod words;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Value, json};

use crate::activity::official::{LIST_PATH, LIST_TYPE, Official, list, organisation, signed};
use crate::actor::Actor;
use crate::actor::ladder::{Dnssec, Rung, Standing, Step, level};
use crate::actor::verification::{Proof, VerifiedActor};
use crate::flow::{Gateway, now};
use crate::store::{Db, actors, proofs};
use crate::time::Timestamp;
use crate::web::caching::Representation;
use crate::web::negotiate::{Form, wanted};
use crate::web::pages::{or_problem, render};
use crate::web::problem::Problem;
use crate::web::proof::words::ProofTexts;
use crate::web::texts;
use crate::web::view::{Frame, When, display_name};

#[derive(Template)]
#[template(path = "proof.html")]
struct ProofPage {
    frame: Frame,
    p: &'static ProofTexts,
    handle: String,
    page: String,
    domain: String,
    id: String,
    fingerprints: Vec<String>,
    verified: bool,
    level: u8,
    needed: u8,
    checked: Option<When>,
    ends: Option<(bool, When)>,
    rungs: Vec<Shown>,
}

/// A rung as the page shows it.
struct Shown {
    number: u8,
    what: &'static str,
    check: &'static str,
    standing: &'static str,
    mark: &'static str,
    seen: Option<ShownEvidence>,
}

struct ShownEvidence {
    place: String,
    link: bool,
    on: When,
    said: String,
    dnssec: Option<&'static str>,
    sha256: String,
}

/// `/@name/proof`: the page, or for who asks for JSON the document.
pub async fn page(gateway: web::Data<Gateway>, request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    let form = wanted(&request, Form::Html);
    or_problem(&gateway, &request, answer(&gateway, &request, path.into_inner(), form).await)
}

/// `/@name/proof.json`: the document.
pub async fn document(gateway: web::Data<Gateway>, request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    or_problem(&gateway, &request, answer(&gateway, &request, path.into_inner(), Form::Activity).await)
}

async fn answer(gateway: &Gateway, request: &HttpRequest, name: String, form: Form) -> Result<HttpResponse, Problem> {
    let handle = name.to_ascii_lowercase();
    let read = gateway.store.read("read the proof of an actor", move |db: &mut Db<'_>| {
        let Some(actor) = actors::by_handle(db, &handle)? else { return Ok(None) };
        Ok(Some((proofs::of_actor(db, actor.id)?, actor)))
    });
    let (proof, actor) = read.await?.ok_or(Problem::NotFound)?;
    let page = gateway.base.actor_page(actor.handle.as_str());
    if name != actor.handle.as_str() {
        let end = request.path().rsplit('/').next().unwrap_or("proof");
        return Ok(HttpResponse::PermanentRedirect()
            .insert_header((header::LOCATION, format!("{page}/{end}")))
            .finish());
    }
    let times = &gateway.settings.proof_times;
    let verified = VerifiedActor::prove(actor.clone(), &proof, times, now()).ok().map(|verified| verified.until());
    if form == Form::Activity {
        let document = as_json(gateway, &actor, &proof, verified, &page);
        let vary = Some("Accept, Accept-Language");
        let answer = Representation { vary, ..Representation::plain(format!("{document:#}\n"), LIST_TYPE) };
        return Ok(answer.cached(crate::web::caching::FRESH).answer(request));
    }
    let t = texts::choose(request, Some(actor.language.as_str()));
    let p = ProofTexts::of(t.lang);
    let name = display_name(&actor).to_owned();
    let mut frame = Frame::new(t, &gateway.base, format!("{} {name}?", p.title));
    frame.description = if verified.is_some() { p.yes } else { p.no }.to_owned();
    frame.canonical = Some(format!("{page}/proof"));
    let shown = ProofPage {
        frame,
        p,
        handle: actor.full_handle(),
        page,
        domain: actor.agency.domain.clone(),
        id: actor.url.to_string(),
        fingerprints: actor.keys.fingerprints(),
        verified: verified.is_some(),
        level: level(&proof.steps).number(),
        needed: times.level.number(),
        checked: proof.checked_at.map(|at| When::new(t, at)),
        ends: proof.ends_at.map(|at| (at <= now(), When::new(t, at))),
        rungs: proof.steps.iter().map(|step| shown(p, t, step)).collect(),
    };
    Ok(Representation::page(render(&shown)?).answer(request))
}

fn shown(p: &'static ProofTexts, t: &'static texts::Texts, step: &Step) -> Shown {
    let [what, check] = p.rung(step.rung);
    let (standing, mark) = match step.standing {
        Standing::Holds => (p.holds, "✓"),
        Standing::Fails => (p.fails, "✗"),
        Standing::NotAsked => (p.not_asked, "–"),
    };
    let seen = step.seen.as_ref().filter(|_| step.standing == Standing::Holds).map(|seen| ShownEvidence {
        link: seen.place.starts_with("https://") || seen.place.starts_with("http://"),
        place: seen.place.clone(),
        on: When::new(t, seen.at),
        said: if step.rung == Rung::File { String::new() } else { seen.said.clone() },
        dnssec: seen.dnssec.map(|state| if state == Dnssec::Secure { p.secure } else { p.insecure }),
        sha256: seen.sha256.clone(),
    });
    Shown { number: step.rung.level().number(), what, check, standing, mark, seen }
}

fn as_json(gateway: &Gateway, actor: &Actor, proof: &Proof, until: Option<Timestamp>, page: &str) -> Value {
    let rungs: Vec<Value> = proof
        .steps
        .iter()
        .map(|step| {
            let seen = step.seen.as_ref().filter(|_| step.standing == Standing::Holds).map(|seen| {
                json!({
                    "place": seen.place,
                    "readAt": seen.at.to_rfc3339(),
                    "sha256": seen.sha256,
                    "says": seen.said,
                    "dnssec": seen.dnssec,
                    "organisation": seen.organisation,
                    "endsAt": seen.ends_at.map(Timestamp::to_rfc3339),
                })
            });
            json!({
                "level": step.rung.level(),
                "evidence": step.rung,
                "standing": step.standing,
                "checkedAt": step.checked_at.to_rfc3339(),
                "seen": seen,
            })
        })
        .collect();
    json!({
        "actor": actor.url,
        "handle": actor.full_handle(),
        "url": page,
        "name": display_name(actor),
        "agency": actor.agency.name,
        "domain": actor.agency.domain,
        "organisation": organisation(&proof.steps),
        "keyFingerprint": actor.keys.fingerprint(),
        "keyFingerprints": actor.keys.fingerprints(),
        "verified": until.is_some(),
        "verifiedUntil": until.map(Timestamp::to_rfc3339),
        "level": level(&proof.steps),
        "levelNeeded": gateway.settings.proof_times.level,
        "checkedAt": proof.checked_at.map(Timestamp::to_rfc3339),
        "endsAt": proof.ends_at.map(Timestamp::to_rfc3339),
        "evidence": rungs,
        "list": format!("{}{}", gateway.base.root().trim_end_matches('/'), LIST_PATH),
    })
}

/// `/.well-known/heraut-actors.json`: all actors that are verified now, signed.
pub async fn officials(gateway: web::Data<Gateway>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let load = |db: &mut Db<'_>| {
        let all = actors::list(db)?;
        all.into_iter().map(|actor| Ok((proofs::of_actor(db, actor.id)?, actor))).collect()
    };
    let all: Vec<(Proof, Actor)> = gateway.store.read("list official actors", load).await?;
    let (times, at) = (&gateway.settings.proof_times, now());
    let verified: Vec<Official<'_>> = all
        .iter()
        .filter_map(|(proof, actor)| {
            let until = VerifiedActor::prove(actor.clone(), proof, times, at).ok()?.until();
            let page = gateway.base.actor_page(actor.handle.as_str());
            // What is proven is what held when all held; a rung that fails since then is still in its grace.
            let level = proof.level.unwrap_or(times.level);
            Some(Official { actor, level, until, steps: &proof.steps, page })
        })
        .collect();
    // Not the time of asking: the same list has the same bytes.
    let seen = all.iter().filter_map(|(proof, _)| proof.checked_at).max().unwrap_or(at);
    let (instance, key) = gateway.instance_seal().await.map_err(|error| Problem::Internal.because(&error))?;
    let document = signed(list(&instance, &gateway.base, &verified, seen), &instance, &key, seen)
        .map_err(|problem| Problem::Internal.because(&std::io::Error::other(problem)))?;
    let answer = Representation::plain(format!("{document}\n"), LIST_TYPE).cached(crate::web::caching::FRESH);
    Ok(answer.answer(&request))
}
