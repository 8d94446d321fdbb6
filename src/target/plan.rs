//! What is done next about a post on a target, by what is owed and what is known of it there.
//!
//! | known there | owed | next |
//! |---|---|---|
//! | a request was sent, its answer is not known | anything | look whether it is there |
//! | nothing | a Delete, last | nothing: it was never there |
//! | nothing | a Create, perhaps Updates | post what it says now; they are one |
//! | a status | a Delete, last | delete it; Updates before it are void |
//! | a status | Updates | edit it to what the last one says |
//! | it was there, and somebody removed it there | anything | nothing |

/// What is owed about a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is public now.
    Create,
    /// It was edited.
    Update,
    /// It was withdrawn.
    Delete,
}

impl Act {
    /// Reads the type of the activity that says the same to followers.
    pub fn of_activity(kind: &str) -> Option<Self> {
        match kind {
            "Create" => Some(Self::Create),
            "Update" => Some(Self::Update),
            "Delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One thing that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// What.
    pub act: Act,
    /// The revision of the post that it is about.
    pub revision: i32,
}

/// What is known of a post on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// It stands there, and we know where.
    pub stands: bool,
    /// A request to make it was sent and the answer is not known: the revision that it was to say.
    pub unsure: Option<i32>,
    /// It stood there, and somebody removed it there.
    pub gone: bool,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Look whether an earlier request made it, and decide anew.
    Look {
        /// What it was to say.
        revision: i32,
    },
    /// Make it, with what this revision says. It settles what is owed of this revision and before.
    Post {
        /// The revision.
        revision: i32,
    },
    /// Edit it to what this revision says. It settles what is owed of this revision and before.
    Edit {
        /// The revision.
        revision: i32,
    },
    /// Delete it. It settles everything.
    Remove,
    /// Nothing need be sent: everything is void.
    Drop,
}

/// What is done next; `None` when nothing is owed. `owed` is in the order in which it came to be owed.
pub fn next(owed: &[Owed], known: Known) -> Option<Step> {
    let newest = owed.iter().map(|owed| owed.revision).max()?;
    let withdrawn = owed.iter().any(|owed| owed.act == Act::Delete);
    Some(match (known.gone, known.stands, known.unsure) {
        (true, ..) => Step::Drop,
        (false, true, _) if withdrawn => Step::Remove,
        (false, true, _) => Step::Edit { revision: newest },
        (false, false, Some(revision)) => Step::Look { revision },
        (false, false, None) if withdrawn => Step::Drop,
        (false, false, None) => Step::Post { revision: newest },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: Owed = Owed { act: Act::Create, revision: 1 };
    const UPDATE: Owed = Owed { act: Act::Update, revision: 2 };
    const LATER: Owed = Owed { act: Act::Update, revision: 3 };
    const DELETE: Owed = Owed { act: Act::Delete, revision: 3 };

    #[test]
    fn the_table_holds() {
        let nothing = Known::default();
        let stands = Known { stands: true, ..nothing };
        let unsure = Known { unsure: Some(1), ..nothing };
        let gone = Known { gone: true, ..nothing };
        let table: &[(&[Owed], Known, Option<Step>)] = &[
            (&[], stands, None),
            (&[CREATE], nothing, Some(Step::Post { revision: 1 })),
            (&[CREATE, UPDATE, LATER], nothing, Some(Step::Post { revision: 3 })),
            (&[CREATE, UPDATE, DELETE], nothing, Some(Step::Drop)),
            (&[CREATE, UPDATE], unsure, Some(Step::Look { revision: 1 })),
            (&[CREATE, DELETE], unsure, Some(Step::Look { revision: 1 })),
            (&[UPDATE, LATER], stands, Some(Step::Edit { revision: 3 })),
            (&[UPDATE, DELETE], stands, Some(Step::Remove)),
            (&[UPDATE], nothing, Some(Step::Post { revision: 2 })),
            (&[UPDATE], gone, Some(Step::Drop)),
            (&[DELETE], gone, Some(Step::Drop)),
        ];
        for (owed, known, expected) in table {
            assert_eq!(next(owed, *known), *expected, "{owed:?} {known:?}");
        }
    }
}
