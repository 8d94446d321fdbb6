//! Byte ranges of a file (RFC 9110 §14). One range is served; several at once are answered with the whole file, which is
//! always allowed and cannot be used to make us send the same bytes many times.

/// What of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    All,
    /// The bytes from `first` to `last`, both included, both inside the file.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Nothing that is in it: 416.
    Nothing,
}

/// Reads a `Range` header for a file of `length` bytes. What is not understood is ignored, as §14.2 wants.
pub fn read(header: Option<&str>, length: u64) -> Wanted {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Wanted::All };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Wanted::All };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            let end = last.unwrap_or(u64::MAX);
            if end < first {
                return Wanted::All;
            }
            if first >= length { Wanted::Nothing } else { Wanted::Part { first, last: end.min(length - 1) } }
        }
        (Some(None), Some(Some(suffix))) => match length.min(suffix) {
            0 => Wanted::Nothing,
            bytes => Wanted::Part { first: length - bytes, last: length - 1 },
        },
        _ => Wanted::All,
    }
}

/// `Some(None)` for no number at all, `None` for something else than digits.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file() {
        let part = |first, last| Wanted::Part { first, last };
        let table = [
            (None, Wanted::All),
            (Some("bytes=0-9"), part(0, 9)),
            (Some("bytes=0-0"), part(0, 0)),
            (Some("bytes=90-"), part(90, 99)),
            (Some("bytes=90-500"), part(90, 99)),
            (Some("bytes=-10"), part(90, 99)),
            (Some("bytes=-500"), part(0, 99)),
            (Some("bytes=-0"), Wanted::Nothing),
            (Some("bytes=100-"), Wanted::Nothing),
            (Some("bytes=99999999999999999999999-"), Wanted::Nothing),
            (Some("bytes=9-0"), Wanted::All),
            (Some("bytes=-"), Wanted::All),
            (Some("bytes=+1-2"), Wanted::All),
            (Some("bytes=0-1,5-6"), Wanted::All),
            (Some("items=0-1"), Wanted::All),
            (Some("nonsense"), Wanted::All),
        ];
        for (header, expected) in table {
            assert_eq!(read(header, 100), expected, "{header:?}");
        }
        assert_eq!(read(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
