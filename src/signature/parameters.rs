//! The parameters of a cavage `Signature` header: `name="value"` or `name=number`, separated by commas.

use crate::signature::SignatureError;

/// Longest header that is read, in bytes: a signature by an 8192-bit key takes 1,366.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// What a header says; unknown parameters are passed over, each known one stands at most once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) headers: Option<String>,
    pub(super) signature: Option<String>,
    /// Epoch seconds.
    pub(super) created: Option<i64>,
    /// Epoch seconds.
    pub(super) expires: Option<i64>,
}

/// Reads the value of the header.
pub(super) fn read(header: &str) -> Result<Parameters, SignatureError> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(SignatureError::Malformed("it is too long"));
    }
    let mut parameters = Parameters::default();
    let mut seen: Vec<String> = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(SignatureError::Malformed("a parameter has no value"))?;
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(SignatureError::Malformed("a parameter has no name"));
        }
        let (value, after) = value(after.trim_start())?;
        if seen.iter().any(|s| s == name) {
            return Err(SignatureError::Duplicate(name.to_owned()));
        }
        seen.push(name.to_owned());
        set(&mut parameters, name, value)?;
        rest = match after.trim_start().strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.trim().is_empty() => "",
            None => return Err(SignatureError::Malformed("parameters are not separated by commas")),
        };
    }
    Ok(parameters)
}

/// One value and what follows it. A quoted value has no escapes: none of ours needs any.
fn value(text: &str) -> Result<(String, &str), SignatureError> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, after) = quoted.split_once('"').ok_or(SignatureError::Malformed("a quotation mark is missing"))?;
        if value.contains('\\') {
            return Err(SignatureError::Malformed("a value has an escape"));
        }
        return Ok((value.to_owned(), after));
    }
    let end = text.find(',').unwrap_or(text.len());
    let (value, after) = text.split_at(end);
    Ok((value.trim().to_owned(), after))
}

fn set(parameters: &mut Parameters, name: &str, value: String) -> Result<(), SignatureError> {
    match name {
        "keyId" => parameters.key_id = Some(value),
        "algorithm" => parameters.algorithm = Some(value),
        "headers" => parameters.headers = Some(value),
        "signature" => parameters.signature = Some(value),
        "created" => parameters.created = Some(instant(&value)?),
        "expires" => parameters.expires = Some(instant(&value)?),
        _ => {}
    }
    Ok(())
}

/// Whole seconds; draft 12 allows a fraction of `expires`, which no peer sends and which would have to be signed as written.
fn instant(value: &str) -> Result<i64, SignatureError> {
    let digits = !value.is_empty() && value.len() <= 12 && value.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { value.parse().ok() } else { None };
    number.ok_or(SignatureError::Malformed("created or expires is not a number of seconds"))
}
