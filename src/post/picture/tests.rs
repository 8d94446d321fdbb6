use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

/// A picture that is red on the left and blue on the right, so that turning it shows.
fn two_halves(width: u32, height: u32) -> DynamicImage {
    let colour = |x| if x < width / 2 { Rgb([220, 30, 30]) } else { Rgb([30, 30, 220]) };
    RgbImage::from_fn(width, height, |x, _| colour(x)).into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    file(&two_halves(width, height), ImageFormat::Jpeg)
}

/// A TIFF block with an orientation and a remark that must not get out.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    block.extend_from_slice(b"SECRET-POSITION");
    block
}

fn jpeg_segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], length.as_slice(), payload].concat()
}

/// `jpeg` with segments after its start.
fn with_segments(jpeg: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

fn png_chunk(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(payload) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [length.as_slice(), kind, payload, &(!crc).to_be_bytes()].concat()
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|w| w == text)
}

#[test]
fn clean_pictures_of_every_format_are_served_as_they_are() {
    let table = [
        (ImageFormat::Jpeg, "image/jpeg", "jpg"),
        (ImageFormat::Png, "image/png", "png"),
        (ImageFormat::WebP, "image/webp", "webp"),
        (ImageFormat::Gif, "image/gif", "gif"),
    ];
    for (format, media_type, extension) in table {
        let bytes = file(&two_halves(120, 80), format);
        let picture = read_picture(&bytes).unwrap();
        assert_eq!((picture.media_type, picture.extension), (media_type, extension));
        assert_eq!((picture.width, picture.height), (120, 80));
        assert_eq!(picture.bytes, None, "{media_type}");
        assert_eq!(picture.sha256, hex::encode(openssl::sha::sha256(&bytes)));
        assert_eq!(picture.blurhash.len(), 28);
        let shown = blurhash::decode(&picture.blurhash, 4, 3, 1.0).unwrap();
        assert!(shown[0] > shown[2] && shown[12] < shown[14], "red left, blue right: {shown:?}");
    }
}

#[test]
fn what_is_no_picture_is_refused_by_its_bytes() {
    let table: &[(&[u8], &str)] = &[
        (b"<!DOCTYPE html><title>Niet gevonden</title>", "an HTML page"),
        (b"\xef\xbb\xbf \n<HTML><body><svg/></body>", "an HTML page"),
        (
            b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            "an SVG drawing, which can carry scripts",
        ),
        (
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
            "an SVG drawing, which can carry scripts",
        ),
        (b"<rss/>", "an XML document"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "an AVIF picture"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "a HEIC picture"),
        (b"BM\x46\0\0\0", "a BMP picture"),
        (b"%PDF-1.7", "a PDF document"),
        (b"RIFF\0\0\0\0WAVE", "something else"),
        (b"GIF", "something else"),
    ];
    for (bytes, found) in table {
        assert_eq!(read_picture(bytes), Err(PictureError::NotAPicture { found }));
    }
    assert_eq!(read_picture(b""), Err(PictureError::Empty));
}

#[test]
fn broken_pictures_are_errors_and_never_panics() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = file(&two_halves(40, 30), format);
        for length in (12..whole.len()).step_by(7) {
            let _ = read_picture(&whole[..length]);
        }
        assert!(matches!(read_picture(&whole[..20]), Err(PictureError::Broken { .. })), "{format:?}");
        for byte in (12..whole.len()).step_by(3) {
            let mut flipped = whole.clone();
            flipped[byte] ^= 0x55;
            let _ = read_picture(&flipped);
        }
    }
}

#[test]
fn tracking_pixels_and_spacers_are_refused() {
    for (width, height) in [(1, 1), (1, 40), (600, 1)] {
        let bytes = file(&two_halves(width, height), ImageFormat::Gif);
        assert_eq!(read_picture(&bytes), Err(PictureError::TrackingPixel { width, height }));
    }
    assert!(read_picture(&file(&two_halves(2, 2), ImageFormat::Png)).is_ok());
}

#[test]
fn too_many_pixels_or_bytes_are_refused_before_decoding() {
    // A header alone: 20,000 × 20,000 pixels in 45 bytes.
    let header = [20_000u32.to_be_bytes(), 20_000u32.to_be_bytes()].concat();
    let start = png_chunk(b"IHDR", &[header.as_slice(), &[8, 6, 0, 0, 0]].concat());
    let bomb = [b"\x89PNG\r\n\x1a\n".as_slice(), &start, &png_chunk(b"IDAT", b"")].concat();
    let expected = PictureError::TooManyPixels { width: 20_000, height: 20_000 };
    assert_eq!(read_picture(&bomb), Err(expected));
    let large = vec![0xff; PICTURE_BYTES_MAX + 1];
    assert_eq!(read_picture(&large), Err(PictureError::TooLarge { bytes: PICTURE_BYTES_MAX + 1 }));
}

#[test]
fn metadata_is_cut_out_of_jpeg_without_touching_the_pixels() {
    let clean = jpeg(60, 40);
    let segments = [
        jpeg_segment(0xe1, &[b"Exif\0\0".as_slice(), &exif(1)].concat()),
        jpeg_segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x>SECRET</x>"),
        jpeg_segment(0xe2, b"MPF\0SECRET"),
        jpeg_segment(0xed, b"Photoshop 3.0\0SECRET"),
        jpeg_segment(0xfe, b"SECRET comment"),
    ];
    let dirty = [with_segments(&clean, &segments).as_slice(), b"a film: SECRET"].concat();
    let picture = read_picture(&dirty).unwrap();
    assert_eq!(picture.bytes.as_deref(), Some(clean.as_slice()));
    assert_eq!(picture, Picture { bytes: Some(clean.clone()), ..read_picture(&clean).unwrap() });
}

#[test]
fn colour_profiles_stay_in_jpeg() {
    let profile = jpeg_segment(0xe2, b"ICC_PROFILE\0\x01\x01profile");
    let with_profile = with_segments(&jpeg(60, 40), &[profile]);
    assert_eq!(read_picture(&with_profile).unwrap().bytes, None);
}

#[test]
fn metadata_is_cut_out_of_png_and_webp() {
    let clean = file(&two_halves(60, 40), ImageFormat::Png);
    let text = png_chunk(b"tEXt", b"Author\0SECRET");
    let dirty = [&clean[..33], &text, &png_chunk(b"eXIf", &exif(1)), &clean[33..], b"SECRET"].concat();
    assert_eq!(read_picture(&dirty).unwrap().bytes, Some(clean));

    let simple = file(&two_halves(60, 40), ImageFormat::WebP);
    let mut chunks = b"VP8X\x0a\0\0\0\x08\0\0\0\x3b\0\0\x27\0\0".to_vec();
    chunks.extend_from_slice(&simple[12..]);
    let block = exif(1);
    let length = u32::try_from(block.len()).unwrap();
    chunks.extend([b"EXIF".as_slice(), &length.to_le_bytes(), &block, &vec![0; block.len() % 2]].concat());
    let size = u32::try_from(chunks.len() + 4).unwrap().to_le_bytes();
    let dirty = [b"RIFF".as_slice(), &size, b"WEBP", &chunks].concat();
    let picture = read_picture(&dirty).unwrap();
    let served = picture.bytes.unwrap();
    assert!(!holds(&served, b"EXIF") && !holds(&served, b"SECRET"));
    assert_eq!((picture.media_type, served[20]), ("image/webp", 0));
    assert_eq!(read_picture(&served).unwrap().bytes, None);
}

#[test]
fn a_picture_that_exif_turns_is_turned_for_good() {
    let segment = jpeg_segment(0xe1, &[b"Exif\0\0".as_slice(), &exif(6)].concat());
    let picture = read_picture(&with_segments(&jpeg(60, 40), &[segment])).unwrap();
    let served = picture.bytes.unwrap();
    assert_eq!((picture.width, picture.height, picture.media_type), (40, 60, "image/jpeg"));
    assert!(!holds(&served, b"Exif") && !holds(&served, b"SECRET"));
    let shown = image::load_from_memory(&served).unwrap().to_rgb8();
    assert_eq!(shown.dimensions(), (40, 60));
    let (top, bottom) = (shown.get_pixel(20, 5), shown.get_pixel(20, 55));
    assert!(top[0] > 180 && bottom[2] > 180, "red on top, blue below: {top:?} {bottom:?}");
    assert_eq!(read_picture(&served).unwrap().bytes, None);
}

#[test]
fn long_sides_are_scaled_down() {
    let see_through: DynamicImage = RgbaImage::from_pixel(60, 5_200, Rgba([1, 2, 3, 100])).into();
    let table = [
        (file(&two_halves(6_000, 30), ImageFormat::Jpeg), (5_000, 25), "image/jpeg"),
        (file(&two_halves(6_000, 30), ImageFormat::WebP), (5_000, 25), "image/jpeg"),
        (file(&two_halves(6_000, 30), ImageFormat::Png), (5_000, 25), "image/png"),
        (file(&see_through, ImageFormat::WebP), (58, 5_000), "image/png"),
    ];
    for (bytes, size, media_type) in table {
        let picture = read_picture(&bytes).unwrap();
        assert_eq!((picture.width, picture.height), size);
        assert_eq!(picture.media_type, media_type);
        let served = read_picture(&picture.bytes.unwrap()).unwrap();
        assert_eq!((served.width, served.height, served.bytes), (size.0, size.1, None));
    }
    assert_eq!(read_picture(&jpeg(5_000, 20)).unwrap().bytes, None);
}
