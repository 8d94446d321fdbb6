//! What the migrations of one database make, and what `src/store/schema.rs` says of it.

use std::collections::{BTreeMap, BTreeSet};

/// Tables, their columns, and whether a column may be null.
pub type Tables = BTreeMap<String, BTreeMap<String, bool>>;

/// What a sequence of migrations leaves.
#[derive(Default)]
pub struct Schema {
    /// The tables.
    pub tables: Tables,
    /// The indexes: their name, and the rest of the statement, spaced evenly.
    pub indexes: BTreeMap<String, String>,
    /// The triggers, and the table of each.
    pub triggers: BTreeMap<String, String>,
}

impl Schema {
    /// Takes in one `up.sql`. Says which statement it does not understand.
    pub fn apply(&mut self, sql: &str) -> Result<(), String> {
        let bare: String = sql.lines().map(|l| l.split("--").next().unwrap_or(l)).collect::<Vec<_>>().join("\n");
        for statement in statements(&bare) {
            self.statement(&statement).ok_or(format!("a statement that tidy cannot read: {statement}"))?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &str) -> Option<()> {
        let words: Vec<&str> = statement.split(' ').collect();
        match words.as_slice() {
            ["CREATE", "TABLE", name, ..] => {
                let inside = statement.split_once('(')?.1.rsplit_once(')')?.0;
                let columns = top_level(inside).into_iter().filter_map(|part| column(&part));
                self.tables.insert((*name).to_owned(), columns.collect());
            }
            ["CREATE", "UNIQUE", "INDEX", name, ..] | ["CREATE", "INDEX", name, ..] => {
                self.indexes.insert((*name).to_owned(), statement.to_owned());
            }
            ["DROP", "INDEX", name] => {
                self.indexes.remove(*name)?;
            }
            ["DROP", "TABLE", name] => {
                self.tables.remove(*name)?;
                let on = format!(" ON {name} (");
                self.indexes.retain(|_, index| !index.contains(&on));
            }
            // SQLite makes the table anew for another key.
            ["ALTER", "TABLE", table, "DROP", "CONSTRAINT", _]
            | ["ALTER", "TABLE", table, "ADD", "PRIMARY", "KEY", ..] => {
                self.tables.get(*table)?;
            }
            ["ALTER", "TABLE", table, "ADD", "COLUMN", rest @ ..] => {
                let (name, nullable) = column(&rest.join(" "))?;
                self.tables.get_mut(*table)?.insert(name, nullable);
            }
            ["ALTER", "TABLE", table, "DROP", "COLUMN", name] => {
                self.tables.get_mut(*table)?.remove(*name)?;
            }
            ["ALTER", "TABLE", table, "RENAME", "TO", name] => {
                let columns = self.tables.remove(*table)?;
                self.tables.insert((*name).to_owned(), columns);
            }
            ["ALTER", "TABLE", table, "RENAME", "COLUMN", from, "TO", to] => {
                let columns = self.tables.get_mut(*table)?;
                let nullable = columns.remove(*from)?;
                columns.insert((*to).to_owned(), nullable);
            }
            ["CREATE", "TRIGGER", name, rest @ ..] => {
                let on = rest.iter().position(|word| *word == "ON")?;
                self.triggers.insert((*name).to_owned(), (*rest.get(on + 1)?).to_owned());
            }
            ["DROP", "TRIGGER", name] | ["DROP", "TRIGGER", name, "ON", _] => {
                self.triggers.remove(*name)?;
            }
            // What a trigger runs, on PostgreSQL.
            ["CREATE" | "DROP", "FUNCTION", ..] | ["CREATE", "OR", "REPLACE", "FUNCTION", ..] => {}
            // Rows, not structure.
            ["INSERT" | "UPDATE" | "DELETE", ..] => {}
            _ => return None,
        }
        Some(())
    }
}

/// The tables of `diesel::table!`.
pub fn diesel_tables(code: &str) -> Tables {
    let mut tables = Tables::new();
    for (at, _) in code.match_indices("table!") {
        let rest = &code[at + "table!".len()..];
        let inside = rest.split_once('{').unwrap().1;
        let (head, columns) = inside.split_once('{').unwrap();
        let columns = columns.split_once('}').unwrap().0;
        let name = head.split('(').next().unwrap().trim().to_owned();
        let parsed = columns.split(',').filter_map(|line| {
            let (name, kind) = line.trim().split_once("->")?;
            Some((name.trim().to_owned(), kind.trim().starts_with("Nullable")))
        });
        tables.insert(name, parsed.collect());
    }
    tables
}

/// `table.column` of all that differs, with who has what.
pub fn differences(one: (&str, &Tables), other: (&str, &Tables)) -> Vec<String> {
    let say = |nullable: Option<&bool>| match nullable {
        Some(true) => "nullable",
        Some(false) => "not null",
        None => "absent",
    };
    let mut found = Vec::new();
    for table in one.1.keys().chain(other.1.keys()).collect::<BTreeSet<_>>() {
        let (left, right) = (one.1.get(table), other.1.get(table));
        if left.is_none() || right.is_none() {
            let there = if left.is_none() { other.0 } else { one.0 };
            found.push(format!("table {table} is only in {there}"));
            continue;
        }
        let (left, right) = (left.unwrap(), right.unwrap());
        for name in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
            let (l, r) = (left.get(name), right.get(name));
            if l != r {
                found.push(format!("{table}.{name} is {} in {} and {} in {}", say(l), one.0, say(r), other.0));
            }
        }
    }
    found
}

/// The statements, spaced evenly. One ends at a semicolon that is neither in the body of a trigger nor between `$$`.
fn statements(sql: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for part in sql.split(';') {
        let last = found.last_mut().unwrap();
        if !last.is_empty() {
            last.push(';');
        }
        last.push_str(part);
        let whole = spaced(last);
        let in_trigger = whole.starts_with("CREATE TRIGGER") && whole.contains(" BEGIN ") && !whole.ends_with(" END");
        if !in_trigger && whole.matches("$$").count().is_multiple_of(2) {
            found.push(String::new());
        }
    }
    found.iter().map(|statement| spaced(statement)).filter(|statement| !statement.is_empty()).collect()
}

fn spaced(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The name of a column, and whether it may be null; a constraint of the table is none.
fn column(definition: &str) -> Option<(String, bool)> {
    let name = definition.split(' ').next()?.to_owned();
    let constraint = matches!(name.as_str(), "PRIMARY" | "UNIQUE" | "FOREIGN" | "CHECK" | "CONSTRAINT");
    (!constraint && !name.is_empty()).then(|| (name, !definition.contains("NOT NULL")))
}

/// The parts between the commas that stand in no bracket.
fn top_level(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    parts.iter().map(|part| spaced(part)).collect()
}
