//! Answers to QuoteRequests, inside the transaction that stores them.

use crate::activity;
use crate::flow::effects::Desk;
use crate::ids::{ActivityId, QuoteId, ReactionId};
use crate::inbox::decide::{Effect, QuoteAnswer, ReactionKind};
use crate::store::quotes::{self, QuoteRequestRow};
use crate::store::reactions::{self, QuoteRow, ReactionRow};
use crate::store::{Queried, to_json};

/// Most requests that wait for a person, per actor; further ones are refused.
const WAITING_MAX: i64 = 1_000;

impl Desk<'_, '_> {
    /// Answers a QuoteRequest, or keeps it for a person. What was revoked stays revoked, and what one author was given no other
    /// author on the same server is given.
    pub(super) fn answer_quote(&mut self, effect: &Effect) -> Queried<()> {
        let Effect::AnswerQuote { post, instrument, by, answer, request, .. } = effect else { return Ok(()) };
        let before = quotes::answered(self.db, *post, instrument.as_str())?;
        match (before, answer) {
            (Some(row), _) if row.revoked_at.is_some() || row.author_url != by.as_str() => self.reject_quote(effect),
            (_, QuoteAnswer::Reject) => self.reject_quote(effect),
            // A person said yes once.
            (Some(_), _) | (None, QuoteAnswer::Accept) => self.accept_quote(effect),
            (None, QuoteAnswer::Ask) => {
                let Effect::AnswerQuote { actor, .. } = effect else { return Ok(()) };
                if quotes::count_waiting(self.db, *actor)? >= WAITING_MAX {
                    return self.reject_quote(effect);
                }
                let row = QuoteRequestRow {
                    id: QuoteId(self.mint.next()),
                    post_id: *post,
                    author_url: by.to_string(),
                    quote_url: instrument.to_string(),
                    request: to_json(&activity::essence(request))?,
                    inbox_id: self.inbox(&self.sender.inbox.clone())?,
                    created_at: self.at,
                };
                quotes::ask(self.db, &row)
            }
        }
    }

    fn reject_quote(&mut self, effect: &Effect) -> Queried<()> {
        let Effect::AnswerQuote { actor, request, .. } = effect else { return Ok(()) };
        let Some(own) = self.own(*actor)? else { return Ok(()) };
        let id = ActivityId(self.mint.next());
        let bytes = activity::reject_quote(&own, &own.base(), request, id);
        self.answer(*actor, id, "Reject", bytes)
    }

    fn accept_quote(&mut self, effect: &Effect) -> Queried<()> {
        let Effect::AnswerQuote { post, actor, instrument, by, request, .. } = effect else { return Ok(()) };
        let Some(own) = self.own(*actor)? else { return Ok(()) };
        let id = ActivityId(self.mint.next());
        let row = QuoteRow {
            id: QuoteId(self.mint.next()),
            post_id: *post,
            author_url: by.to_string(),
            quote_url: instrument.to_string(),
            revoked_at: None,
            created_at: self.at,
        };
        let quote = reactions::authorize_quote(self.db, &row)?;
        reactions::insert(self.db, &reaction(ReactionId(self.mint.next()), &row))?;
        let bytes = activity::accept_quote(&own, &own.base(), request, quote, id);
        self.answer(*actor, id, "Accept", bytes)
    }
}

/// A quote is a reaction, too; it goes with the quoting post.
pub fn reaction(id: ReactionId, row: &QuoteRow) -> ReactionRow {
    ReactionRow {
        id,
        activity_url: Some(row.quote_url.clone()),
        kind: ReactionKind::Quote.name().to_owned(),
        post_id: row.post_id,
        author_url: row.author_url.clone(),
        content: None,
        created_at: row.created_at,
    }
}
