//! Mastodon's rules: `statuses_controller`, `media_controller`, `StatusLengthValidator` and the serializers, read and written anew.

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

use super::super::server::{Reply, Request};
use super::{Media, State, Status, Takes};

/// Top-level domains that exist; the test's servers have none.
const TLDS: &[&str] = &["nl", "com", "org", "eu", "net"];

fn said(status: u16, body: &Value) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

fn error(status: u16, words: &str) -> Reply {
    said(status, &json!({ "error": words }))
}

/// The account of a request, if its token is good and has one of the scopes.
fn authorized(state: &State, request: &Request, scopes: &[&str]) -> Result<String, Reply> {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some((account, granted)) = token.and_then(|token| state.tokens.get(token)) else {
        return Err(error(401, "The access token is invalid"));
    };
    let parent = |scope: &str| scope.split(':').next().unwrap_or_default().to_owned();
    let good = scopes.iter().any(|scope| granted.iter().any(|g| g == scope || **g == parent(scope)));
    if good { Ok(account.clone()) } else { Err(error(403, "This action is outside the authorized scopes")) }
}

pub(super) fn reply(state: &mut State, request: &Request, path: &str) -> Reply {
    let takes = state.takes.clone().unwrap();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let method = request.method.as_str();
    let result = match (method, parts.as_slice()) {
        ("GET", ["api", "v2", "instance"]) if takes.second => Ok(said(200, &instance(&takes))),
        ("GET", ["api", "v1", "instance"]) => Ok(said(200, &instance(&takes))),
        ("GET", ["api", "v1", "accounts", "verify_credentials"]) => {
            authorized(state, request, &["read:accounts", "profile"]).map(|account| said(200, &account_json(&account)))
        }
        ("GET", ["api", "v1", "apps", "verify_credentials"]) => scopes(state, request),
        ("GET", ["api", "v1", "accounts", id, "statuses"]) => {
            authorized(state, request, &["read:statuses"]).map(|account| timeline(state, request, id, &account))
        }
        ("POST", ["api", "v2", "media"]) => {
            authorized(state, request, &["write:media"]).map(|_| upload(state, request, &takes))
        }
        ("GET", ["api", "v1", "media", id]) => authorized(state, request, &["write:media"]).map(|_| media(state, id)),
        ("POST", ["api", "v1", "statuses"]) => {
            authorized(state, request, &["write:statuses"]).map(|_| create(state, request, &takes))
        }
        ("PUT", ["api", "v1", "statuses", id]) => {
            authorized(state, request, &["write:statuses"]).map(|_| update(state, request, id, &takes))
        }
        ("DELETE", ["api", "v1", "statuses", id]) => {
            authorized(state, request, &["write:statuses"]).map(|_| delete(state, id))
        }
        _ => Ok(error(404, "Not found")),
    };
    result.unwrap_or_else(|refusal| refusal)
}

fn instance(takes: &Takes) -> Value {
    json!({
        "domain": "social.example", "title": "Sociaal", "version": "4.5.2",
        "configuration": {
            "statuses": { "max_characters": takes.characters, "max_media_attachments": takes.attachments,
                "characters_reserved_per_url": 23 },
            "media_attachments": { "description_limit": takes.description, "image_matrix_limit": 33_177_600,
                "image_size_limit": 16_777_216, "supported_mime_types": takes.media_types },
        },
    })
}

fn account_json(account: &str) -> Value {
    let id = account.bytes().map(u64::from).sum::<u64>().to_string();
    json!({ "id": id, "username": account, "acct": account, "url": format!("https://social.example/@{account}") })
}

fn scopes(state: &State, request: &Request) -> Result<Reply, Reply> {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    match state.tokens.get(token) {
        Some((_, granted)) => Ok(said(200, &json!({ "name": "Heraut", "scopes": granted }))),
        None => Err(error(401, "The access token is invalid")),
    }
}

fn timeline(state: &State, request: &Request, id: &str, account: &str) -> Reply {
    if account_json(account)["id"] != id {
        return error(404, "Record not found");
    }
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let value = |name: &str| {
        url::form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    };
    let limit = value("limit").and_then(|text| text.parse().ok()).unwrap_or(20).min(40);
    let before: u64 = value("max_id").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let standing = state.statuses.iter().rev().filter(|s| !s.deleted && s.id.parse::<u64>().unwrap() < before);
    said(200, &standing.take(limit).map(|status| status_json(state, status)).collect())
}

/// The parts of a form: name, type, bytes.
fn parts(request: &Request) -> Vec<(String, String, Vec<u8>)> {
    let kind = request.header("content-type").unwrap_or_default();
    let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") else { return Vec::new() };
    let mark = format!("--{boundary}");
    let find = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted);
    let mut rest = request.body.as_slice();
    let mut found = Vec::new();
    while let Some(at) = find(rest, mark.as_bytes()) {
        rest = &rest[at + mark.len()..];
        if rest.starts_with(b"--") {
            return found;
        }
        let (Some(head_end), Some(end)) = (find(rest, b"\r\n\r\n"), find(rest, format!("\r\n{mark}").as_bytes()))
        else {
            return Vec::new();
        };
        let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
        let name = head.split("name=\"").nth(1).and_then(|text| text.split('"').next()).unwrap_or_default();
        let kind = head.split("content-type: ").nth(1).map(|text| text.trim().to_owned()).unwrap_or_default();
        found.push((name.to_owned(), kind, rest[head_end + 4..end].to_vec()));
        rest = &rest[end..];
    }
    Vec::new()
}

fn upload(state: &mut State, request: &Request, takes: &Takes) -> Reply {
    let parts = parts(request);
    let description = parts.iter().find(|(name, ..)| name == "description").map(|(.., bytes)| bytes.clone());
    let description = String::from_utf8(description.unwrap_or_default()).unwrap();
    let Some((_, media_type, bytes)) = parts.into_iter().find(|(name, ..)| name == "file") else {
        state.violations.push(format!("an upload without a file: {:?}", request.headers));
        return error(422, "Validation failed: File can't be blank");
    };
    if !takes.media_types.contains(&media_type.as_str()) {
        return error(422, "Validation failed: File content type is invalid, File is invalid");
    }
    if description.chars().count() > takes.description {
        let words = format!("Validation failed: Description is too long (maximum is {} characters)", takes.description);
        return error(422, &words);
    }
    state.next += 1;
    let id = (9_000 + state.next).to_string();
    let (slow, failed) = (state.slow_media, state.fail_media);
    state.media.insert(id.clone(), Media { media_type, bytes, description, slow, failed, status: None });
    let reply = media_json(state, &id);
    said(if slow > 0 || failed { 202 } else { 200 }, &reply)
}

fn media_json(state: &State, id: &str) -> Value {
    let media = &state.media[id];
    let url = (media.slow == 0 && !media.failed).then(|| format!("https://files.example/{id}.png"));
    json!({ "id": id, "type": "image", "url": url, "description": media.description, "blurhash": null })
}

fn media(state: &mut State, id: &str) -> Reply {
    let Some(media) = state.media.get_mut(id).filter(|media| media.status.is_none()) else {
        return error(404, "Record not found");
    };
    if media.failed {
        return error(422, "Error processing thumbnail for uploaded media");
    }
    if media.slow > 0 {
        media.slow -= 1;
        return said(206, &media_json(state, id));
    }
    said(200, &media_json(state, id))
}

/// How Mastodon counts: links to servers that there can be as 23, mentions without their domain.
pub(super) fn counted(text: &str) -> usize {
    let mut whole = String::new();
    for (n, word) in text.split(' ').enumerate() {
        if n > 0 {
            whole.push(' ');
        }
        for (n, line) in word.split('\n').enumerate() {
            if n > 0 {
                whole.push('\n');
            }
            let host = line.split("://").nth(1).map(|rest| rest.split('/').next().unwrap_or_default());
            let known = host.is_some_and(|host| TLDS.contains(&host.rsplit('.').next().unwrap_or_default()));
            match line.strip_prefix('@').and_then(|rest| rest.split_once('@')) {
                _ if known && line.starts_with("http") => whole.push_str(&"x".repeat(23)),
                Some((name, _)) => whole.push_str(&format!("@{name}")),
                None => whole.push_str(line),
            }
        }
    }
    whole.graphemes(true).count()
}

/// What a request says, or what is odd about it.
fn read(state: &mut State, request: &Request, known: &[&str]) -> Value {
    let kind = request.header("content-type").unwrap_or_default();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let mut odd = Vec::new();
    if !kind.starts_with("application/json") || !body.is_object() {
        odd.push(format!("no JSON: {kind}"));
    }
    for (name, value) in body.as_object().into_iter().flatten() {
        let good = match name.as_str() {
            "status" | "spoiler_text" => value.is_string(),
            "sensitive" => value.is_boolean(),
            "language" => {
                value.as_str().is_some_and(|tag| tag.len() == 2 && tag.chars().all(|c| c.is_ascii_lowercase()))
            }
            "visibility" => matches!(value.as_str(), Some("public" | "unlisted" | "private")),
            "media_ids" => value.as_array().is_some_and(|ids| ids.iter().all(Value::is_string)),
            "media_attributes" => value
                .as_array()
                .is_some_and(|all| all.iter().all(|one| one["id"].is_string() && one["description"].is_string())),
            _ => false,
        };
        if !good || !known.contains(&name.as_str()) {
            odd.push(format!("{} {}: {name} is {value}", request.method, request.target));
        }
    }
    state.violations.extend(odd);
    body
}

/// Why Mastodon would refuse it.
fn objection(state: &State, body: &Value, takes: &Takes, of: Option<&str>) -> Option<String> {
    let (text, warning) =
        (body["status"].as_str().unwrap_or_default(), body["spoiler_text"].as_str().unwrap_or_default());
    let ids: Vec<&str> = body["media_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.len() > takes.attachments {
        return Some("Validation failed: Cannot attach more than 4 files".to_owned());
    }
    for id in &ids {
        match state.media.get(*id) {
            Some(media) if media.status.is_none() || media.status.as_deref() == of => {
                if media.slow > 0 || media.failed {
                    return Some(
                        "Cannot attach files that have not finished processing. Try again in a moment!".to_owned(),
                    );
                }
            }
            _ => return Some(format!("Media {id} not found or already attached to another post")),
        }
    }
    if text.trim().is_empty() && ids.is_empty() {
        return Some("Validation failed: Text can't be blank".to_owned());
    }
    let over = counted(text) + warning.graphemes(true).count() > takes.characters;
    over.then(|| format!("Validation failed: Text character limit of {} exceeded", takes.characters))
}

pub(super) fn make(state: &mut State, text: &str, body: &Value, visibility: &str, media: Vec<String>) -> String {
    state.next += 1;
    let id = (110_000 + state.next).to_string();
    for known in &media {
        state.media.get_mut(known).unwrap().status = Some(id.clone());
    }
    state.statuses.push(Status {
        id: id.clone(),
        text: text.to_owned(),
        warning: body["spoiler_text"].as_str().unwrap_or_default().to_owned(),
        sensitive: body["sensitive"].as_bool().unwrap_or_default(),
        language: body["language"].as_str().unwrap_or_default().to_owned(),
        visibility: visibility.to_owned(),
        media,
        created_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        edits: 0,
        deleted: false,
    });
    id
}

fn ids(body: &Value) -> Vec<String> {
    body["media_ids"].as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

fn create(state: &mut State, request: &Request, takes: &Takes) -> Reply {
    let known = ["status", "spoiler_text", "sensitive", "language", "visibility", "media_ids", "media_attributes"];
    let body = read(state, request, &known);
    let key = request.header("idempotency-key").unwrap_or_default().to_owned();
    if let Some(id) = state.keys.get(&key) {
        let status = state.statuses.iter().find(|status| status.id == *id && !status.deleted);
        return status.map_or_else(|| error(404, "Record not found"), |status| said(200, &status_json(state, status)));
    }
    if let Some(words) = objection(state, &body, takes, None) {
        return error(422, &words);
    }
    let visibility = body["visibility"].as_str().unwrap_or("public").to_owned();
    let id = make(state, body["status"].as_str().unwrap_or_default(), &body, &visibility, ids(&body));
    state.keys.insert(key, id.clone());
    let status = state.statuses.iter().find(|status| status.id == id).unwrap();
    said(200, &status_json(state, status))
}

fn update(state: &mut State, request: &Request, id: &str, takes: &Takes) -> Reply {
    if !state.statuses.iter().any(|status| status.id == id && !status.deleted) {
        return error(404, "Record not found");
    }
    let known = ["status", "spoiler_text", "sensitive", "language", "media_ids", "media_attributes"];
    let body = read(state, request, &known);
    if let Some(words) = objection(state, &body, takes, Some(id)) {
        return error(422, &words);
    }
    let media = ids(&body);
    for attributes in body["media_attributes"].as_array().into_iter().flatten() {
        let (of, description) = (attributes["id"].as_str().unwrap(), attributes["description"].as_str().unwrap());
        if !media.iter().any(|id| id == of) {
            state.violations.push(format!("attributes of media {of}, which is not in media_ids"));
        }
        description.clone_into(&mut state.media.get_mut(of).unwrap().description);
    }
    for known in &media {
        state.media.get_mut(known).unwrap().status = Some(id.to_owned());
    }
    let status = state.statuses.iter_mut().find(|status| status.id == id).unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let next = Status {
        text: text("status"),
        warning: text("spoiler_text"),
        sensitive: body["sensitive"].as_bool().unwrap_or_default(),
        language: text("language"),
        media,
        ..status.clone()
    };
    if next != *status {
        *status = Status { edits: status.edits + 1, ..next };
    }
    let status = status.clone();
    said(200, &status_json(state, &status))
}

fn delete(state: &mut State, id: &str) -> Reply {
    let Some(status) = state.statuses.iter_mut().find(|status| status.id == id && !status.deleted) else {
        return error(404, "Record not found");
    };
    status.deleted = true;
    let status = status.clone();
    let mut shown = status_json(state, &status);
    shown["text"] = json!(status.text);
    said(200, &shown)
}

fn status_json(state: &State, status: &Status) -> Value {
    json!({
        "id": status.id,
        "created_at": status.created_at,
        "uri": format!("https://social.example/users/gemeente/statuses/{}", status.id),
        "url": format!("https://social.example/@gemeente/{}", status.id),
        "content": html(&status.text),
        "spoiler_text": status.warning,
        "sensitive": status.sensitive,
        "visibility": status.visibility,
        "language": status.language,
        "media_attachments": status.media.iter().map(|id| media_json(state, id)).collect::<Vec<_>>(),
    })
}

/// Text as Mastodon shows it.
fn html(text: &str) -> String {
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let word = |word: &str| match (word.split_once("://"), word.strip_prefix('#')) {
        (Some((scheme, rest)), _) if scheme.starts_with("http") => {
            let rest = escape(rest);
            let (shown, hidden) = rest.split_at(rest.char_indices().nth(20).map_or(rest.len(), |(at, _)| at));
            format!(
                "<a href=\"{scheme}://{rest}\" target=\"_blank\" rel=\"nofollow noopener\"><span class=\"invisible\">{scheme}://</span>\
                 <span class=\"ellipsis\">{shown}</span><span class=\"invisible\">{hidden}</span></a>"
            )
        }
        (_, Some(tag)) => format!(
            "<a href=\"https://social.example/tags/{tag}\" class=\"mention hashtag\" rel=\"tag\">#<span>{}</span></a>",
            escape(tag)
        ),
        _ => escape(word),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    let paragraph = |text: &str| format!("<p>{}</p>", text.split('\n').map(line).collect::<Vec<_>>().join("<br />"));
    text.split("\n\n").map(paragraph).collect()
}
