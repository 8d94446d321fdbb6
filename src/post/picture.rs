//! Bytes that a source calls an image, to a picture that every peer accepts. Pure.

use thiserror::Error;

/// A picture that may be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// As found in the bytes: `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub media_type: &'static str,
    /// Extension of the file name, without a dot.
    pub extension: &'static str,
    /// Pixels, as shown.
    pub width: u32,
    /// Pixels, as shown.
    pub height: u32,
    /// BlurHash of 4×3 components.
    pub blurhash: String,
    /// SHA-256 of the file to serve, lower-case hex.
    pub sha256: String,
    /// The file to serve where it differs from what was read; `None` means serve what was read.
    pub bytes: Option<Vec<u8>>,
}

/// Why bytes are not a picture that may be served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PictureError {
    /// Something else.
    #[error("the file is not a picture")]
    NotAPicture,
}

/// Reads a picture.
pub fn read_picture(_bytes: &[u8]) -> Result<Picture, PictureError> {
    Err(PictureError::NotAPicture)
}
