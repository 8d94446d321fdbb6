//! Bytes that a source calls an image, to a picture that every peer accepts. Pure.
//!
//! What is served is what was read, bit for bit, unless one of these makes it differ:
//! - Metadata (Exif, XMP, IPTC, comments, text chunks) is cut out of JPEG, PNG and WebP without touching the pixels, because it
//!   carries positions and names of people. Colour profiles stay. GIF has no place for Exif and is left as it is.
//! - A picture that is turned by its Exif orientation is turned for good and encoded again, because without the metadata it
//!   would lie on its side.
//! - A side of more than [`SIDE_PIXELS_MAX`] is scaled down: Pixelfed drops the whole note otherwise. Then an animation becomes
//!   its first frame.
//!
//! Re-encoded pictures are PNG where the original is PNG or GIF or has an alpha channel, else JPEG.

mod sniff;
mod strip;

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits};
use thiserror::Error;

/// Largest file, in bytes, read or served: Mastodon's limit for an image.
pub const PICTURE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most pixels before decoding: 200 MB as RGBA.
pub const PIXELS_MAX: u64 = 50_000_000;
/// Longest side that is served, in pixels: Pixelfed's limit.
pub const SIDE_PIXELS_MAX: u32 = 5_000;
/// Most memory for decoding, in bytes.
const DECODE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest side of the thumbnail that the BlurHash is made of: more changes nothing visible and costs time.
const BLURHASH_SIDE_PIXELS: u32 = 64;
/// Quality of re-encoded JPEG, 1 to 100: no loss that shows, about the size that cameras make.
const JPEG_QUALITY: u8 = 88;

/// A picture that may be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Of the file to serve: `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub media_type: &'static str,
    /// Extension of the file name, without a dot.
    pub extension: &'static str,
    /// Pixels, as shown.
    pub width: u32,
    /// Pixels, as shown.
    pub height: u32,
    /// BlurHash of 4×3 components, 28 characters.
    pub blurhash: String,
    /// SHA-256 of the file to serve, lower-case hex.
    pub sha256: String,
    /// The file to serve where it differs from what was read; `None` means serve what was read.
    pub bytes: Option<Vec<u8>>,
}

/// Why bytes are not a picture that may be served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PictureError {
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// More than [`PICTURE_BYTES_MAX`], as read or after it was encoded again.
    #[error("the picture has {bytes} bytes, more than {PICTURE_BYTES_MAX}; let the source offer a smaller one")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// More than [`PIXELS_MAX`], or more memory than decoding may take.
    #[error("the picture has {width}×{height} pixels, too many to decode safely; let the source offer a smaller one")]
    TooManyPixels {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// One pixel wide or high: it counts readers and shows nothing.
    #[error("the picture has {width}×{height} pixels: a tracking pixel or a spacer, not a picture")]
    TrackingPixel {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Something else than JPEG, PNG, WebP or GIF, judged by the bytes.
    #[error("the file is {found}, not a JPEG, PNG, WebP or GIF picture")]
    NotAPicture {
        /// What it looks like, with its article.
        found: &'static str,
    },
    /// It starts like a picture and cannot be decoded.
    #[error("the {format} picture cannot be decoded: {problem}")]
    Broken {
        /// "JPEG", "PNG", "WebP" or "GIF".
        format: &'static str,
        /// The decoder's words.
        problem: String,
    },
    /// It cannot be encoded again.
    #[error("the picture cannot be encoded again: {problem}")]
    Encode {
        /// The encoder's words.
        problem: String,
    },
}

/// Reads a picture: judged by its bytes alone, never by a name or a declared type. Takes up to about a second and 400 MB for the
/// largest pictures, so it belongs on a blocking thread.
pub fn read_picture(bytes: &[u8]) -> Result<Picture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if bytes.len() > PICTURE_BYTES_MAX {
        return Err(PictureError::TooLarge { bytes: bytes.len() });
    }
    let format = sniff::format(bytes)?;
    let Decoded { mut picture, turned, profile } = decode(bytes, format)?;
    let fitting = SIDE_PIXELS_MAX;
    let scaled = picture.width() > fitting || picture.height() > fitting;
    if scaled {
        picture = picture.resize(fitting, fitting, FilterType::Triangle);
    }
    let stripped = if scaled || turned { None } else { strip::metadata(bytes, format) };
    let (format, file) = match stripped {
        Some(file) => (format, file),
        None => encode(&picture, format, profile)?,
    };
    Ok(Picture {
        media_type: format.to_mime_type(),
        extension: sniff::extension(format),
        width: picture.width(),
        height: picture.height(),
        blurhash: blurhash(&picture)?,
        sha256: hex::encode(openssl::sha::sha256(&file)),
        bytes: (file != bytes).then_some(file),
    })
}

struct Decoded {
    /// As shown: already turned.
    picture: DynamicImage,
    /// The file says that it is to be turned.
    turned: bool,
    /// Its colour profile.
    profile: Option<Vec<u8>>,
}

fn decode(bytes: &[u8], format: ImageFormat) -> Result<Decoded, PictureError> {
    let broken = |e: ImageError| PictureError::Broken { format: sniff::name(format), problem: e.to_string() };
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    // The header first: nothing is allocated for pixels before their number is known.
    let (width, height) = reader().into_dimensions().map_err(broken)?;
    if width <= 1 || height <= 1 {
        return Err(PictureError::TrackingPixel { width, height });
    }
    let too_many = PictureError::TooManyPixels { width, height };
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(too_many);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    let mut reader = reader();
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    if decoder.total_bytes() > DECODE_BYTES_MAX {
        return Err(too_many);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| match e {
        ImageError::Limits(_) => too_many,
        other => broken(other),
    })?;
    picture.apply_orientation(orientation);
    Ok(Decoded { picture, turned: orientation != Orientation::NoTransforms, profile })
}

fn encode(
    picture: &DynamicImage,
    original: ImageFormat,
    profile: Option<Vec<u8>>,
) -> Result<(ImageFormat, Vec<u8>), PictureError> {
    let alpha = picture.color().has_alpha();
    if alpha || matches!(original, ImageFormat::Png | ImageFormat::Gif) {
        let file = encode_png(picture, alpha, profile.clone())?;
        if file.len() <= PICTURE_BYTES_MAX {
            return Ok((ImageFormat::Png, file));
        }
        if alpha {
            return Err(PictureError::TooLarge { bytes: file.len() });
        }
    }
    let file = encode_jpeg(picture, profile)?;
    if file.len() > PICTURE_BYTES_MAX {
        return Err(PictureError::TooLarge { bytes: file.len() });
    }
    Ok((ImageFormat::Jpeg, file))
}

fn encode_png(picture: &DynamicImage, alpha: bool, profile: Option<Vec<u8>>) -> Result<Vec<u8>, PictureError> {
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    keep_profile(&mut encoder, profile);
    let written = if alpha {
        DynamicImage::from(picture.to_rgba8()).write_with_encoder(encoder)
    } else {
        DynamicImage::from(picture.to_rgb8()).write_with_encoder(encoder)
    };
    written.map(|()| file).map_err(|e| PictureError::Encode { problem: e.to_string() })
}

fn encode_jpeg(picture: &DynamicImage, profile: Option<Vec<u8>>) -> Result<Vec<u8>, PictureError> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    keep_profile(&mut encoder, profile);
    let written = DynamicImage::from(picture.to_rgb8()).write_with_encoder(encoder);
    written.map(|()| file).map_err(|e| PictureError::Encode { problem: e.to_string() })
}

/// Keeps an RGB profile; pixels are written as RGB, so a profile for grey or CMYK would be wrong. ICC.1 §7.2.6: the colour space
/// stands at byte 16.
fn keep_profile(encoder: &mut impl ImageEncoder, profile: Option<Vec<u8>>) {
    if let Some(profile) = profile.filter(|p| p.get(16..20) == Some(b"RGB ")) {
        // An encoder that cannot carry one writes the picture without.
        let _ = encoder.set_icc_profile(profile);
    }
}

fn blurhash(picture: &DynamicImage) -> Result<String, PictureError> {
    let side = BLURHASH_SIDE_PIXELS;
    let small =
        if picture.width().max(picture.height()) > side { picture.thumbnail(side, side) } else { picture.clone() };
    let small = small.to_rgba8();
    blurhash::encode(4, 3, small.width(), small.height(), small.as_raw())
        .map_err(|e| PictureError::Encode { problem: e.to_string() })
}

#[cfg(test)]
mod tests;
