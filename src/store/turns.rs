//! The line in which deliveries wait: start-time fair queueing over agencies (Goyal, Vin and Cheng, 1996), per lane. A delivery
//! joins at the place that is served now, or behind what its agency has in line already, whichever is later. So an agency that
//! owes a hundred thousand deliveries does not keep another one's first waiting, and each keeps the order of its own.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};

use crate::ids::{ActorId, AgencyId};
use crate::on;
use crate::post::lane::Lane;
use crate::store::first::FirstRow as _;
use crate::store::schema::{actors, turns};
use crate::store::statement::statement;
use crate::store::{BINDS_MAX, Db, Queried};

/// The row that holds the place that is served now.
const SERVED: AgencyId = AgencyId(0);

/// Where deliveries of an agency join. Others of that agency wait until the transaction ends, so that two of its activities
/// take places in the order in which they are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    agency: AgencyId,
    lane: Lane,
    start: i64,
}

impl Joined {
    /// The turn of the `n`th delivery, the first being 1.
    pub fn turn(self, n: i64) -> i64 {
        self.lane.turn(self.start.saturating_add(n))
    }
}

/// Joins a lane for the agency of an actor. Who joins for several agencies does so with [`join_all`].
pub fn join(db: &mut Db<'_>, actor: ActorId, lane: Lane) -> Queried<Joined> {
    let agency: AgencyId = on!(db, c => actors::table.find(actor).select(actors::agency_id).first_row(c))?;
    join_as(db, agency, lane)
}

/// Joins a lane for the agencies of these actors, once each and in the order of their ids, so that two who join for several do not
/// wait for each other. Gives which actor is of which agency; one that is not there has none.
pub fn join_all(
    db: &mut Db<'_>,
    of: &[ActorId],
    lane: Lane,
) -> Queried<(HashMap<ActorId, AgencyId>, HashMap<AgencyId, Joined>)> {
    let mut agencies = HashMap::new();
    for chunk in of.chunks(BINDS_MAX) {
        let rows: Vec<(ActorId, AgencyId)> = on!(db, c => actors::table
            .filter(actors::id.eq_any(chunk))
            .select((actors::id, actors::agency_id))
            .load(c))?;
        agencies.extend(rows);
    }
    let in_order: BTreeSet<AgencyId> = agencies.values().copied().collect();
    let joined = in_order.into_iter().map(|agency| Ok((agency, join_as(db, agency, lane)?))).collect::<Queried<_>>()?;
    Ok((agencies, joined))
}

fn join_as(db: &mut Db<'_>, agency: AgencyId, lane: Lane) -> Queried<Joined> {
    on!(db, c => diesel::insert_into(turns::table)
        .values((turns::agency_id.eq(agency), turns::lane.eq(lane.code()), turns::next.eq(0)))
        .on_conflict_do_nothing()
        .execute(c))?;
    let own = turns::table.find((agency, lane.code())).select(turns::next);
    let next: i64 = match db {
        Db::Lite(c) => own.first_row(&mut **c)?,
        Db::Pg(c) => own.for_update().first(&mut **c)?,
    };
    let served: Option<i64> =
        on!(db, c => turns::table.find((SERVED, lane.code())).select(turns::next).first_row(c).optional())?;
    Ok(Joined { agency, lane, start: next.max(served.unwrap_or_default()) })
}

/// Takes `n` places: the agency's next delivery joins behind them.
pub fn take(db: &mut Db<'_>, joined: Joined, n: i64) -> Queried<()> {
    on!(db, c => diesel::update(turns::table.find((joined.agency, joined.lane.code())))
        .set(turns::next.eq(joined.start.saturating_add(n)))
        .execute(c))
    .map(|_| ())
}

/// Notes which turns are served now; the place of a lane only moves on.
pub fn serve(db: &mut Db<'_>, served: impl Iterator<Item = i64>) -> Queried<()> {
    let mut last = [None::<i64>; Lane::ALL.len()];
    for (lane, place) in served.map(Lane::of_turn) {
        if let Some(last) = last.get_mut(usize::try_from(lane.code()).unwrap_or_default()) {
            *last = (*last).max(Some(place));
        }
    }
    for (lane, place) in Lane::ALL.into_iter().zip(last) {
        let Some(place) = place else { continue };
        let moved = on!(db, c => statement("UPDATE turns SET next = $1 WHERE agency_id = $2 AND lane = $3 AND next < $1")
            .bind::<BigInt, _>(place)
            .bind::<BigInt, _>(SERVED)
            .bind::<SmallInt, _>(lane.code())
            .execute(c))?;
        if moved == 0 {
            on!(db, c => diesel::insert_into(turns::table)
                .values((turns::agency_id.eq(SERVED), turns::lane.eq(lane.code()), turns::next.eq(place)))
                .on_conflict_do_nothing()
                .execute(c))?;
        }
    }
    Ok(())
}
