//! Cuts metadata out of a file without touching its pixels. Only segments and chunks that are known to hold no words or
//! positions are kept, and nothing after the end of the picture, where phones hide films.

use image::ImageFormat;

/// The file without metadata; equal to `bytes` when there was none. `None` when its structure cannot be followed: then it is to
/// be encoded again.
pub(super) fn metadata(bytes: &[u8], format: ImageFormat) -> Option<Vec<u8>> {
    match format {
        ImageFormat::Jpeg => jpeg(bytes),
        ImageFormat::Png => png(bytes),
        ImageFormat::WebP => webp(bytes),
        _ => Some(bytes.to_vec()),
    }
}

/// JPEG (ITU-T T.81 annex B): keeps JFIF (APP0), colour profiles (APP2) and Adobe's colour transform (APP14).
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    let mut kept = vec![0xff, 0xd8];
    loop {
        let (&[0xff, marker], after) = rest.split_first_chunk()? else { return None };
        match marker {
            0xff => {
                rest = rest.get(1..)?; // fill byte
                continue;
            }
            0xd9 => {
                kept.extend_from_slice(&[0xff, 0xd9]);
                return Some(kept);
            }
            0x00 | 0x01 | 0xd0..=0xd8 => return None,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        let (segment, after) = after.split_at_checked(length)?;
        let payload = segment.get(2..)?;
        let keep = match marker {
            0xe0 => payload.starts_with(b"JFIF\0"),
            0xe2 => payload.starts_with(b"ICC_PROFILE\0"),
            0xee => payload.starts_with(b"Adobe"),
            0xe1..=0xef | 0xfe => false,
            _ => true,
        };
        if keep {
            kept.extend_from_slice(&[0xff, marker]);
            kept.extend_from_slice(segment);
        }
        rest = after;
        if marker == 0xda {
            let end = entropy_coded(rest)?;
            kept.extend_from_slice(rest.get(..end)?);
            rest = rest.get(end..)?;
        }
    }
}

/// Length of the entropy-coded data before the next marker; stuffed zeros and restart markers belong to the data.
fn entropy_coded(data: &[u8]) -> Option<usize> {
    data.windows(2).position(|pair| matches!(pair, [0xff, marker] if !matches!(marker, 0x00 | 0xd0..=0xd7)))
}

/// PNG (W3C PNG 3rd edition §5.3): drops text, time and Exif, and chunks that nobody registered.
fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEPT: &[&[u8; 4]] = &[
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV",
        b"cLLI", b"bKGD", b"hIST", b"pHYs", b"sPLT", b"acTL", b"fcTL", b"fdAT",
    ];
    let (signature, mut rest) = bytes.split_at_checked(8)?;
    let mut kept = signature.to_vec();
    loop {
        let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        let (chunk, after) = rest.split_at_checked(length.checked_add(12)?)?;
        let kind = chunk.get(4..8)?;
        if KEPT.iter().any(|k| k.as_slice() == kind) {
            kept.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return Some(kept);
        }
        rest = after;
    }
}

/// WebP (RFC 9649 §2): drops Exif, XMP and unknown chunks, and says so in the flags of the header chunk.
fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEPT: &[&[u8; 4]] = &[b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
    const EXIF_AND_XMP: u8 = 0x08 | 0x04;
    let size = usize::try_from(u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?)).ok()?;
    let mut rest = bytes.get(12..size.checked_add(8)?)?;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let length = usize::try_from(u32::from_le_bytes(*rest.get(4..)?.first_chunk()?)).ok()?;
        let padded = length.checked_add(length % 2)?.checked_add(8)?;
        let (chunk, after) = rest.split_at_checked(padded)?;
        let kind = chunk.get(..4)?;
        if KEPT.iter().any(|k| k.as_slice() == kind) {
            let start = chunks.len();
            chunks.extend_from_slice(chunk);
            if kind == b"VP8X" {
                *chunks.get_mut(start.checked_add(8)?)? &= !EXIF_AND_XMP;
            }
        }
        rest = after;
    }
    let size = u32::try_from(chunks.len().checked_add(4)?).ok()?;
    Some([b"RIFF".as_slice(), &size.to_le_bytes(), b"WEBP", &chunks].concat())
}
