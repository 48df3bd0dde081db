//! Which parts of a model may be in memory at one time, and loading several of them as one whole.

use super::budget::Budget;
use super::needs::{Needs, Stretch};
use crate::control::{Control, Stage};
use crate::error::Result;

/// The parts of a model that can be in memory at one time. None of the three changes a bit of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Residency {
    /// All of them.
    Together,
    /// One.
    OneByOne,
    /// One, and of the denoiser one block.
    Streamed,
}

impl Residency {
    /// What may stay while a request is made: everything where it takes at most half of what there is, so that the host keeps
    /// the rest; else one part at a time, or less.
    pub(crate) fn of(needs: &Needs, budget: Budget) -> Self {
        match budget.bytes {
            Some(memory) if needs.one_by_one() > memory => Self::Streamed,
            Some(memory) if needs.together() > memory / 2 => Self::OneByOne,
            _ => Self::Together,
        }
    }

    /// The most bytes that are held in a generation with these needs.
    pub(crate) fn peak(self, needs: &Needs) -> u64 {
        match self {
            Self::Together => needs.together(),
            Self::OneByOne => needs.one_by_one(),
            Self::Streamed => needs.least(),
        }
    }
}

/// How it is decided what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// By what each request needs and what there is.
    ByNeed(Budget),
    /// Always the same.
    #[cfg(test)]
    Always(Residency),
}

impl Policy {
    /// What may stay.
    pub(crate) fn residency(self, needs: impl FnOnce() -> Needs) -> Residency {
        match self {
            Self::ByNeed(budget) => Residency::of(&needs(), budget),
            #[cfg(test)]
            Self::Always(residency) => residency,
        }
    }

    /// Whether the autoencoder may stay beside the denoiser while it works, so that a frame can be decoded between two steps: `beside`
    /// are the stretches of the two. Where parts leave for each other it is loaded for the first such frame, and stays for the result.
    pub(crate) fn affords_preview(self, residency: Residency, beside: impl FnOnce() -> Option<[Stretch; 2]>) -> bool {
        if residency == Residency::Together {
            return true;
        }
        match self {
            Self::ByNeed(budget) => beside().zip(budget.bytes).is_some_and(|([denoiser, decoding], memory)| {
                let held = if residency == Residency::Streamed { denoiser.least } else { denoiser.weights };
                held + denoiser.work + decoding.weights + decoding.work <= memory
            }),
            #[cfg(test)]
            Self::Always(_) => false,
        }
    }
}

/// Shows the loading of several parts as that of one whole.
pub(crate) struct Whole<'a> {
    control: &'a mut dyn Control,
    /// Bytes of the parts before this one, of what is read of this one, and of all.
    before: u64,
    part: u64,
    total: u64,
}

impl<'a> Whole<'a> {
    /// Loading of parts that have `total` bytes together.
    pub(crate) fn new(control: &'a mut dyn Control, total: u64) -> Self {
        Self { control, before: 0, part: 0, total }
    }
}

impl Control for Whole<'_> {
    fn progress(&mut self, stage: Stage, done: usize, _: usize) -> Result<()> {
        let done = done as u64;
        if done < self.part {
            self.before += self.part;
        }
        self.part = done;
        let bytes = |count: u64| usize::try_from(count.min(self.total)).unwrap_or(usize::MAX);
        self.control.progress(stage, bytes(self.before + done), bytes(self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Stretch;

    #[test]
    fn parts_stay_while_there_is_room() {
        let stretch = |weights, least, work| Stretch { name: "a part", weights, least, work };
        let needs = Needs { stretches: vec![stretch(60, 60, 5), stretch(80, 10, 20)] };
        let of = |bytes| Residency::of(&needs, Budget { bytes });
        assert_eq!(of(None), Residency::Together);
        assert_eq!(of(Some(320)), Residency::Together);
        assert_eq!(of(Some(319)), Residency::OneByOne);
        assert_eq!(of(Some(100)), Residency::OneByOne);
        assert_eq!(of(Some(99)), Residency::Streamed);
        let peaks = [Residency::Together, Residency::OneByOne, Residency::Streamed].map(|kept| kept.peak(&needs));
        assert_eq!(peaks, [160, 100, 65]);
    }
}
