//! Counts repeated refusals, so that they do not fill the log.

use super::event::NewEvent;
use crate::time::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;

/// How long refusals of one kind are counted together, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// Largest number of kinds that are counted separately; all further kinds are counted together.
const MOST_KINDS: usize = 1024;

/// Refusals with the same actor, source, action and target.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    actor: String,
    source: String,
    action: String,
    target: String,
}

struct Count {
    since: i64,
    more: u64,
    last: NewEvent,
}

/// The refusals of the last minute.
#[derive(Default)]
pub(super) struct RepeatedRefusals {
    counts: Mutex<HashMap<Kind, Count>>,
}

impl RepeatedRefusals {
    /// Returns the event to write now: the first of its kind, or one with the count of the minute that is over. Returns `None` when
    /// the refusal was only counted.
    pub(super) fn take(&self, event: NewEvent, now: Timestamp) -> Option<NewEvent> {
        let mut counts = self.counts.lock();
        let mut kind = Kind {
            actor: event.actor.clone(),
            source: event.source.clone(),
            action: event.action.clone(),
            target: event.target.clone(),
        };
        let mut event = event;
        if counts.len() >= MOST_KINDS && !counts.contains_key(&kind) {
            counts.retain(|_, count| count.more > 0 || now.0 - count.since < WINDOW_MS);
        }
        if counts.len() >= MOST_KINDS && !counts.contains_key(&kind) {
            kind = Kind {
                actor: "many".into(),
                source: "many".into(),
                action: event.action.clone(),
                target: "many".into(),
            };
            event.actor.clone_from(&kind.actor);
            event.source.clone_from(&kind.source);
            event.target.clone_from(&kind.target);
        }
        match counts.get_mut(&kind) {
            Some(count) if now.0 - count.since < WINDOW_MS => {
                count.more += 1;
                count.last = event;
                None
            }
            Some(count) => {
                let more = std::mem::take(&mut count.more);
                count.since = now.0;
                count.last = event.clone();
                Some(if more == 0 { event } else { event.with("repeated", more) })
            }
            None => {
                counts.insert(kind, Count { since: now.0, more: 0, last: event.clone() });
                Some(event)
            }
        }
    }

    /// Returns events with the counts of the minutes that are over, or of all minutes.
    pub(super) fn due(&self, now: Timestamp, all: bool) -> Vec<NewEvent> {
        let mut counts = self.counts.lock();
        let mut due = Vec::new();
        counts.retain(|_, count| {
            let over = all || now.0 - count.since >= WINDOW_MS;
            if over && count.more > 0 {
                due.push(count.last.clone().with("repeated", count.more));
            }
            !over
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Outcome;

    fn denial(source: &str) -> NewEvent {
        NewEvent { source: source.to_owned(), ..NewEvent::internal("denied", "generation", Outcome::Denied) }
    }

    #[test]
    fn a_refusal_repeated_many_times_is_two_events_a_minute() {
        let refusals = RepeatedRefusals::default();
        assert!(refusals.take(denial("a"), Timestamp(0)).is_some());
        assert!((1..1000).all(|at| refusals.take(denial("a"), Timestamp(at)).is_none()));
        assert!(refusals.take(denial("b"), Timestamp(1000)).is_some());
        assert!(refusals.due(Timestamp(59_999), false).is_empty());
        let due = refusals.due(Timestamp(61_000), false);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].details["repeated"], "999");
        assert!(refusals.take(denial("a"), Timestamp(61_000)).is_some());
    }

    #[test]
    fn very_many_sources_are_counted_together() {
        let refusals = RepeatedRefusals::default();
        let written = (0..100_000).filter_map(|n| refusals.take(denial(&n.to_string()), Timestamp(0))).count();
        assert!(written <= MOST_KINDS + 1, "{written}");
        let due = refusals.due(Timestamp(0), true);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].source, "many");
    }
}
