//! What bytes are, judged by their beginning.

use image::ImageFormat;

use crate::post::picture::PictureError;

/// Bytes that are looked at for markup.
const MARKUP_BYTES: usize = 1_024;

/// The format of a picture that we accept, or what the bytes are instead.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Ok(ImageFormat::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(ImageFormat::Png);
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Ok(ImageFormat::Gif);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(ImageFormat::WebP);
    }
    Err(PictureError::NotAPicture { found: other(bytes) })
}

fn other(bytes: &[u8]) -> &'static str {
    let brand = bytes.get(4..12).unwrap_or_default();
    let binary: &[(bool, &str)] = &[
        (brand.starts_with(b"ftypavif") || brand.starts_with(b"ftypavis"), "an AVIF picture"),
        ([b"ftypheic", b"ftypheix", b"ftypmif1"].iter().any(|b| brand.starts_with(*b)), "a HEIC picture"),
        (bytes.starts_with(b"BM"), "a BMP picture"),
        (bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*"), "a TIFF picture"),
        (bytes.starts_with(b"%PDF"), "a PDF document"),
    ];
    if let Some((_, name)) = binary.iter().find(|(is, _)| *is) {
        return name;
    }
    let start = String::from_utf8_lossy(bytes.get(..MARKUP_BYTES).unwrap_or(bytes)).to_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    if !start.starts_with('<') {
        return "something else";
    }
    // A drawing may have scripts in it, and a page drawings: which of them is around the other counts.
    let page = ["<!doctype html", "<html", "<head", "<body", "<script"].iter().filter_map(|tag| start.find(tag)).min();
    match (page, start.find("<svg")) {
        (Some(page), drawing) if drawing.is_none_or(|drawing| page < drawing) => "an HTML page",
        (_, Some(_)) => "an SVG drawing, which can carry scripts",
        _ => "an XML document",
    }
}

/// The name that people know.
pub(super) fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        _ => "WebP",
    }
}

/// The extension of a file name, without a dot.
pub(super) fn extension(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "jpg",
        ImageFormat::Png => "png",
        ImageFormat::Gif => "gif",
        _ => "webp",
    }
}
