//! The queries to Experience Edge. What goes into them is checked before: ids are hexadecimal, the language is a language tag;
//! a cursor comes from Edge, and is written as a text of GraphQL.

/// What is asked of each item.
const ITEM: &str =
    "id name version url { path url } template { name } fields(ownFields: false) { name value jsonValue }";

/// These items, each under its id.
pub(super) fn items(ids: &[String], locale: &str) -> String {
    let each = ids.iter().map(|id| format!("i{id}: item(path: \"{id}\", language: \"{locale}\") {{ ...F }}"));
    format!("query {{ {} }} fragment F on Item {{ {ITEM} }}", each.collect::<Vec<_>>().join(" "))
}

/// Items of a template below another, latest first.
pub(super) fn search(root: &str, template: &str, locale: &str, first: usize, after: &str) -> String {
    let after = if after.is_empty() { String::new() } else { format!(", after: {}", serde_json::Value::from(after)) };
    format!(
        "query {{ search(where: {{ AND: [{{ name: \"_path\", value: \"{root}\", operator: CONTAINS }}, {{ name: \"_templates\", value: \
         \"{template}\", operator: CONTAINS }}, {{ name: \"_language\", value: \"{locale}\" }}] }}, first: {first}{after}, orderBy: {{ \
         name: \"__Updated\", direction: DESC }}) {{ pageInfo {{ endCursor hasNext }} results {{ ...F }} }} }} fragment F on Item {{ {ITEM} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_cannot_leave_its_text() {
        let query = search("A", "B", "nl", 50, "x\") { evil } \\");
        assert!(query.contains(r#", after: "x\") { evil } \\", orderBy"#), "{query}");
        assert!(!search("A", "B", "nl", 50, "").contains("after"));
    }
}
