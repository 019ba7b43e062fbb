//! Admission and renewal, limit by limit, and the pace over many seconds.

use super::*;

const START: Time = Time(1_795_167_000_000);
const LIMITS: Limits = Limits {
    seats: 5,
    reserve: 0,
    agent: None,
    per_second: None,
};

fn lease(call: u32, agent: &str, inbound: bool) -> Lease {
    Lease {
        call: call.to_string(),
        agent: agent.to_owned(),
        inbound,
        until: START.plus_s(60),
    }
}

fn met(result: Result<(), Full>) -> Option<(Limit, u32, u32)> {
    result.err().map(|full| (full.limit, full.taken, full.most))
}

#[test]
fn the_organization_has_so_many_seats() {
    let mut seats = Seats::default();
    for call in 0..5 {
        assert_eq!(seats.take(lease(call, "a", false), &LIMITS, START), Ok(()));
    }
    let full = seats.take(lease(5, "a", false), &LIMITS, START);
    assert_eq!(met(full), Some((Limit::Organization, 5, 5)));
    assert!(seats.free("3"));
    assert!(!seats.free("3"));
    assert_eq!(seats.take(lease(5, "a", false), &LIMITS, START), Ok(()));
    assert_eq!(seats.taken(START), 5);
}

#[test]
fn an_agent_has_its_own_limit_beside() {
    let limits = Limits {
        agent: Some(2),
        ..LIMITS
    };
    let mut seats = Seats::default();
    for call in 0..2 {
        assert_eq!(seats.take(lease(call, "a", false), &limits, START), Ok(()));
    }
    let full = seats.take(lease(2, "a", false), &limits, START);
    assert_eq!(met(full), Some((Limit::Agent, 2, 2)));
    assert_eq!(seats.take(lease(2, "b", false), &limits, START), Ok(()));
}

#[test]
fn calls_placed_leave_the_reserve_to_calls_that_come_in() {
    let limits = Limits {
        reserve: 2,
        ..LIMITS
    };
    let mut seats = Seats::default();
    for call in 0..3 {
        assert_eq!(seats.take(lease(call, "a", false), &limits, START), Ok(()));
    }
    let full = seats.take(lease(3, "a", false), &limits, START);
    assert_eq!(met(full), Some((Limit::InboundReserve, 3, 5)));
    for call in 3..5 {
        assert_eq!(seats.take(lease(call, "a", true), &limits, START), Ok(()));
    }
    let full = seats.take(lease(5, "a", true), &limits, START);
    assert_eq!(met(full), Some((Limit::Organization, 5, 5)));
}

#[test]
fn a_lease_is_renewed_and_runs_out() {
    let limits = Limits { seats: 1, ..LIMITS };
    let mut seats = Seats::default();
    assert_eq!(seats.take(lease(1, "a", false), &limits, START), Ok(()));
    let mut longer = lease(1, "a", false);
    longer.until = START.plus_s(90);
    assert_eq!(seats.take(longer, &limits, START), Ok(()));
    // An older request for the same seat does not shorten it.
    assert_eq!(seats.take(lease(1, "a", false), &limits, START), Ok(()));
    let mut other = lease(2, "a", false);
    other.until = START.plus_s(200);
    let full = seats.take(other.clone(), &limits, START.plus_s(89));
    assert_eq!(met(full), Some((Limit::Organization, 1, 1)));
    assert_eq!(seats.taken(START.plus_s(90)), 0);
    assert_eq!(seats.take(other, &limits, START.plus_s(90)), Ok(()));
}

/// In no second do more begin than may, whatever the times they are asked for at.
#[test]
fn the_pace_is_kept_in_every_second() {
    let limits = Limits {
        seats: 100_000,
        per_second: Some(3),
        ..LIMITS
    };
    let mut seats = Seats::default();
    let mut begun: Vec<u64> = Vec::new();
    let mut now = START;
    let mut chance = 7_u64;
    for call in 0..3_000 {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        now = Time(now.0 + chance % 400);
        match seats.take(lease(call, "a", false), &limits, now) {
            Ok(()) => begun.push(now.0),
            Err(full) => {
                assert_eq!(full.limit, Limit::CallsPerSecond);
                assert_eq!(full.retry_after_s, 1);
            }
        }
    }
    assert!(begun.len() > 500);
    assert!(begun.windows(4).all(|four| four[3] - four[0] >= 1_000));
}

#[test]
fn a_call_that_comes_in_is_not_paced_and_a_renewal_is_no_beginning() {
    let limits = Limits {
        per_second: Some(1),
        ..LIMITS
    };
    let mut seats = Seats::default();
    assert_eq!(seats.take(lease(1, "a", false), &limits, START), Ok(()));
    assert_eq!(seats.take(lease(1, "a", false), &limits, START), Ok(()));
    assert_eq!(seats.take(lease(2, "a", true), &limits, START), Ok(()));
    let full = seats.take(lease(3, "a", false), &limits, START);
    assert_eq!(
        met(full).map(|(limit, ..)| limit),
        Some(Limit::CallsPerSecond)
    );
    // A freed seat does not give the pace back.
    seats.free("1");
    assert!(seats.take(lease(3, "a", false), &limits, START).is_err());
}

#[test]
fn asking_for_room_takes_none() {
    let limits = Limits { seats: 1, ..LIMITS };
    let seats = Seats::default();
    assert_eq!(seats.room("a", false, &limits, START), Ok(()));
    assert_eq!(seats.taken(START), 0);
}

/// Seats without the reserve, and no more than the pace lets begin at this moment.
#[test]
fn what_is_available_is_what_would_be_admitted() {
    let limits = Limits {
        reserve: 1,
        per_second: Some(3),
        ..LIMITS
    };
    let mut seats = Seats::default();
    assert_eq!(seats.available(&LIMITS, START), 5);
    assert_eq!(seats.available(&limits, START), 3);
    let mut admitted = 0;
    while seats.take(lease(admitted, "a", false), &limits, START) == Ok(()) {
        admitted += 1;
        assert_eq!(seats.available(&limits, START), 3 - admitted);
    }
    assert_eq!(admitted, 3);
    assert_eq!(seats.available(&limits, START.plus_s(1)), 1);
    assert_eq!(seats.available(&limits, START.plus_s(60)), 3);
}
