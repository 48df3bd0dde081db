//! Which parts of a model may be in memory at the same time, and the progress of loading several parts.

use must_tensors::Result;

use super::budget::Budget;
use super::needs::{Needs, Stretch};
use crate::control::{Control, Stage};

/// Which parts of a model may be in memory at the same time. The choice does not change a bit of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Residency {
    /// All parts.
    Together,
    /// One part.
    OneByOne,
    /// One part, and only one block of the denoiser.
    Streamed,
}

impl Residency {
    /// Chooses the residency for a request: all parts if they need at most half of the budget, so that the host keeps the other
    /// half; otherwise one part at a time, with streamed blocks if even that does not fit.
    pub(crate) fn of(needs: &Needs, budget: Budget) -> Self {
        match budget.bytes {
            Some(memory) if needs.one_by_one() > memory => Self::Streamed,
            Some(memory) if needs.together() > memory / 2 => Self::OneByOne,
            _ => Self::Together,
        }
    }

    /// Returns the peak bytes of a generation with these needs.
    pub(crate) fn peak(self, needs: &Needs) -> u64 {
        match self {
            Self::Together => needs.together(),
            Self::OneByOne => needs.one_by_one(),
            Self::Streamed => needs.least(),
        }
    }
}

/// How the residency of a request is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// By the needs of each request and this budget.
    ByNeed(Budget),
    /// The same for every request.
    #[cfg(test)]
    Always(Residency),
}

impl Policy {
    /// Returns the residency for a request.
    pub(crate) fn residency(self, needs: impl FnOnce() -> Needs) -> Residency {
        match self {
            Self::ByNeed(budget) => Residency::of(&needs(), budget),
            #[cfg(test)]
            Self::Always(residency) => residency,
        }
    }

    /// Returns whether the autoencoder fits into memory beside the denoiser, so that a preview can be decoded between two steps.
    /// `both` returns the stretches of the denoiser and of the preview. When parts are loaded one by one, the autoencoder is
    /// loaded for the first preview and stays loaded at least until the last step.
    pub(crate) fn has_room_for_preview(
        self,
        residency: Residency,
        both: impl FnOnce() -> Option<[Stretch; 2]>,
    ) -> bool {
        if residency == Residency::Together {
            return true;
        }
        match self {
            Self::ByNeed(budget) => both().zip(budget.bytes).is_some_and(|([denoiser, decoding], memory)| {
                let held = if residency == Residency::Streamed { denoiser.least } else { denoiser.weights };
                held + denoiser.work + decoding.weights + decoding.work <= memory
            }),
            #[cfg(test)]
            Self::Always(_) => false,
        }
    }
}

/// Reports the loading of several parts as one progress.
pub(crate) struct CombinedLoading<'a> {
    control: &'a mut dyn Control,
    /// Bytes of the parts that were loaded before the current one.
    before: u64,
    /// Bytes read of the current part.
    part: u64,
    /// Bytes of all parts.
    total: u64,
}

impl<'a> CombinedLoading<'a> {
    /// Starts the progress of loading parts that have `total` bytes together.
    pub(crate) fn new(control: &'a mut dyn Control, total: u64) -> Self {
        Self { control, before: 0, part: 0, total }
    }
}

impl Control for CombinedLoading<'_> {
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
