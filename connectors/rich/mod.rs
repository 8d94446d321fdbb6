//! Rich text as content management systems keep it, as HTML. What a form has no rule for keeps its text and loses its looks.

pub(crate) mod markdown;
pub(crate) mod strapi;

pub(crate) use self::markdown::markdown;
pub(crate) use self::strapi::strapi_blocks;
