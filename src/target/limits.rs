//! What a server takes, as its instance document says: `/api/v2/instance`, and `/api/v1/instance` of older and other software.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fewest characters of a status that are believed: with fewer there is no room for a link and a warning.
const CHARACTERS_MIN: u64 = 80;
/// Most characters that are made use of.
const CHARACTERS_MAX: u64 = 100_000;
/// Most attachments that are made use of: a post of ours has four.
const ATTACHMENTS_MAX: u64 = 16;
/// Most media types that are kept.
const TYPES_MAX: usize = 64;
/// Longest text of such a document that is kept, in characters.
const TEXT_CHARS_MAX: usize = 100;

/// What a server takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Most characters of a status with its warning, as [`super::count`] counts.
    pub characters: usize,
    /// As how many characters a link counts.
    pub url_characters: usize,
    /// Most media of a status.
    pub attachments: usize,
    /// Most characters of the description of a picture.
    pub description: usize,
    /// Largest picture, in bytes.
    pub image_bytes: u64,
    /// Largest picture, in pixels.
    pub image_pixels: u64,
    /// Media types that are taken; none is any.
    pub media_types: Vec<String>,
    /// What the server says that it is.
    pub version: String,
}

impl Default for Limits {
    /// Those of Mastodon as it is installed.
    fn default() -> Self {
        Self {
            characters: 500,
            url_characters: 23,
            attachments: 4,
            description: 1_500,
            image_bytes: 16 * 1_024 * 1_024,
            image_pixels: 33_177_600,
            media_types: Vec::new(),
            version: String::new(),
        }
    }
}

impl Limits {
    /// Reads an instance document; what it does not say is as with Mastodon. `None` if it is none.
    pub fn read(document: &Value) -> Option<Self> {
        let version = document.get("version").and_then(Value::as_str)?;
        let usual = Self::default();
        let number = |paths: &[&str], least: u64, most: u64, usual: u64| {
            let told = paths.iter().find_map(|path| document.pointer(path).and_then(Value::as_u64));
            told.map_or(usual, |told| told.clamp(least, most))
        };
        let count = |paths: &[&str], least: u64, most: u64, usual: usize| {
            let usual = u64::try_from(usual).unwrap_or(u64::MAX);
            usize::try_from(number(paths, least, most, usual)).unwrap_or(usize::MAX)
        };
        let types = document.pointer("/configuration/media_attachments/supported_mime_types").and_then(Value::as_array);
        let types = types.into_iter().flatten().filter_map(Value::as_str).filter(|t| t.len() <= TEXT_CHARS_MAX);
        Some(Self {
            // Pleroma and its kin say it at the top.
            characters: count(
                &["/configuration/statuses/max_characters", "/max_toot_chars"],
                CHARACTERS_MIN,
                CHARACTERS_MAX,
                usual.characters,
            ),
            url_characters: count(
                &["/configuration/statuses/characters_reserved_per_url"],
                1,
                CHARACTERS_MIN / 2,
                usual.url_characters,
            ),
            attachments: count(
                &["/configuration/statuses/max_media_attachments", "/max_media_attachments"],
                0,
                ATTACHMENTS_MAX,
                usual.attachments,
            ),
            description: count(
                &["/configuration/media_attachments/description_limit", "/description_limit"],
                1,
                CHARACTERS_MAX,
                usual.description,
            ),
            image_bytes: number(
                &["/configuration/media_attachments/image_size_limit", "/upload_limit"],
                0,
                u64::MAX,
                usual.image_bytes,
            ),
            image_pixels: number(
                &["/configuration/media_attachments/image_matrix_limit"],
                0,
                u64::MAX,
                usual.image_pixels,
            ),
            media_types: types.take(TYPES_MAX).map(str::to_owned).collect(),
            version: version.chars().take(TEXT_CHARS_MAX).collect(),
        })
    }

    /// Why a picture is not taken, if it is not.
    pub fn objection(&self, media_type: &str, bytes: u64, pixels: u64) -> Option<String> {
        if !self.media_types.is_empty() && !self.media_types.iter().any(|known| known == media_type) {
            return Some(format!("the server takes no {media_type}"));
        }
        if bytes > self.image_bytes {
            return Some(format!("it has {bytes} bytes, and the server takes {}", self.image_bytes));
        }
        (pixels > self.image_pixels)
            .then(|| format!("it has {pixels} pixels, and the server takes {}", self.image_pixels))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_limits_of_a_document_of_mastodon_are_read() {
        let document = json!({
            "domain": "social.example", "version": "4.5.2",
            "configuration": {
                "statuses": { "max_characters": 5000, "max_media_attachments": 6, "characters_reserved_per_url": 30 },
                "media_attachments": { "supported_mime_types": ["image/jpeg", "image/png"], "description_limit": 1000,
                    "image_size_limit": 1024, "image_matrix_limit": 2048, "video_size_limit": 1 },
            },
        });
        let limits = Limits::read(&document).unwrap();
        let expected = Limits {
            characters: 5_000,
            url_characters: 30,
            attachments: 6,
            description: 1_000,
            image_bytes: 1_024,
            image_pixels: 2_048,
            media_types: vec!["image/jpeg".to_owned(), "image/png".to_owned()],
            version: "4.5.2".to_owned(),
        };
        assert_eq!(limits, expected);
        assert!(limits.objection("image/png", 1_024, 2_048).is_none());
        assert!(limits.objection("image/webp", 1, 1).unwrap().contains("image/webp"));
        assert!(limits.objection("image/png", 1_025, 1).unwrap().contains("bytes"));
        assert!(limits.objection("image/png", 1, 2_049).unwrap().contains("pixels"));
    }

    #[test]
    fn what_a_document_does_not_say_is_as_with_mastodon_and_nonsense_is_kept_within_bounds() {
        let usual = Limits { version: "2.7.2 (compatible; Pleroma 2.5.0)".to_owned(), ..Limits::default() };
        let pleroma =
            json!({ "version": usual.version, "max_toot_chars": 5000, "description_limit": 5000, "upload_limit": 99 });
        let expected = Limits { characters: 5_000, description: 5_000, image_bytes: 99, ..usual.clone() };
        assert_eq!(Limits::read(&pleroma), Some(expected));
        assert_eq!(Limits::read(&json!({ "version": usual.version })), Some(usual));
        let odd = json!({ "version": "x", "configuration": { "statuses": {
            "max_characters": 0, "characters_reserved_per_url": 4_000_000_000_u64, "max_media_attachments": -1 } } });
        let odd = Limits::read(&odd).unwrap();
        assert_eq!((odd.characters, odd.url_characters, odd.attachments), (80, 40, 4));
        for none in [json!(null), json!([]), json!({}), json!("4.5")] {
            assert_eq!(Limits::read(&none), None, "{none}");
        }
    }
}
