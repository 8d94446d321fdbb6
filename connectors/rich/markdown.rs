//! Markdown (CommonMark, with tables and strikethrough).

use std::fmt;

use pulldown_cmark::{Options, Parser, html};

use crate::draft::{TEXT_BYTES_MAX, text};
use crate::item::RawHtml;

/// As HTML. HTML inside Markdown stays as it is: untrusted, as all that is in [`RawHtml`]. More than 512 KiB is cut, before and after:
/// a table with many columns can be far longer as HTML.
pub(crate) fn markdown(source: &str) -> RawHtml {
    let source = text::cut_bytes(source, TEXT_BYTES_MAX);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut out = Bounded(String::with_capacity(source.len() + source.len() / 4));
    // An error says that the limit is reached: what is there by then is kept.
    let _ = html::write_html_fmt(&mut out, Parser::new_ext(source, options));
    RawHtml(out.0.trim().to_owned())
}

struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > TEXT_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_is_html() {
        let table = [
            ("Een *twee* **drie**\nvier\n\nvijf", "<p>Een <em>twee</em> <strong>drie</strong>\nvier</p>\n<p>vijf</p>"),
            ("## Kop\n\n- a\n- b", "<h2>Kop</h2>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
            (
                "[site](https://a.example/x) <https://b.example/>",
                "<p><a href=\"https://a.example/x\">site</a> <a href=\"https://b.example/\">https://b.example/</a></p>",
            ),
            ("![Een dijk](/uploads/dijk.jpg)", "<p><img src=\"/uploads/dijk.jpg\" alt=\"Een dijk\" /></p>"),
            ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>"),
            ("  ", ""),
        ];
        for (source, wanted) in table {
            assert_eq!(markdown(source).0, wanted);
        }
    }

    #[test]
    fn a_text_at_the_limit_is_whole_and_what_grows_beyond_it_is_cut() {
        let whole = "a".repeat(TEXT_BYTES_MAX - 9);
        assert_eq!(markdown(&whole).0.len(), TEXT_BYTES_MAX - 2);
        let wide = format!("|{}\n|{}\n{}", "a|".repeat(2_000), "-|".repeat(2_000), "|b\n".repeat(50_000));
        for hostile in [wide, "*a_ ".repeat(100_000), "[".repeat(200_000), ">".repeat(200_000), "![".repeat(100_000)] {
            assert!(markdown(&hostile).0.len() <= TEXT_BYTES_MAX);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(source in "[-*_#>|`~\\[\\]()!<&a-c0-9 \n]{0,200}") {
            let _ = markdown(&source);
        }
    }
}
