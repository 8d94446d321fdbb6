//! The lanes of the line in which deliveries wait, and how fast a post may spread.

use std::time::Duration;

/// Places in one lane. At ten thousand deliveries a second they last three million years.
const PLACES: i64 = 1 << 60;

/// Which deliveries go first. Within a lane agencies take turns.
///
/// Activities about one post always take the same lane, or a Delete could overtake its Create.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Lane {
    /// Warnings: before everything else.
    Crisis = 0,
    /// What one server asked for and waits for: Accept, Reject, an answer to a citizen.
    Answer = 1,
    /// All other posts, and what actors say of themselves.
    News = 2,
}

impl Lane {
    /// All lanes, the first one first.
    pub const ALL: [Self; 3] = [Self::Crisis, Self::Answer, Self::News];

    /// The number in the database.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The reverse of [`Lane::code`]; an unknown number is news.
    pub fn from_code(code: i16) -> Self {
        Self::ALL.into_iter().find(|lane| lane.code() == code).unwrap_or(Self::News)
    }

    /// The turn of a place in this lane. Turns of an earlier lane are smaller, whatever the places.
    pub fn turn(self, place: i64) -> i64 {
        i64::from(self.code()) * PLACES + place.clamp(0, PLACES - 1)
    }

    /// Lane and place of a turn.
    pub fn of_turn(turn: i64) -> (Self, i64) {
        let code = i16::try_from(turn.div_euclid(PLACES)).unwrap_or_default();
        (Self::from_code(code), turn.rem_euclid(PLACES))
    }
}

/// How a post goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispatch {
    /// Its lane.
    pub lane: Lane,
    /// Over how long its deliveries are spread, so that the servers that receive it do not all fetch the linked page at once;
    /// zero for as fast as possible.
    pub spread: Duration,
}

impl Dispatch {
    /// As fast as possible, in that lane.
    pub const fn at_once(lane: Lane) -> Self {
        Self { lane, spread: Duration::ZERO }
    }
}

impl Default for Dispatch {
    fn default() -> Self {
        Self::at_once(Lane::News)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_of_a_lane_comes_before_every_turn_of_the_next() {
        for pair in Lane::ALL.windows(2) {
            assert!(pair[0].turn(i64::MAX) < pair[1].turn(0), "{pair:?}");
        }
        assert!(Lane::News.turn(i64::MAX) > 0, "no overflow");
    }

    #[test]
    fn a_turn_gives_its_lane_and_place_back() {
        for lane in Lane::ALL {
            for place in [0, 1, 12_345, PLACES - 1] {
                assert_eq!(Lane::of_turn(lane.turn(place)), (lane, place));
            }
            assert_eq!(Lane::from_code(lane.code()), lane);
        }
    }
}
