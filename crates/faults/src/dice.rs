//! Randomness that a seed repeats.

/// `SplitMix64`: small, and good enough to choose instants.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

// === impl Dice ===

impl Dice {
    /// Dice of its own for one thing, so that adding a throw elsewhere changes nothing here.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed, |mixed, byte| {
            (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mixed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least `low`, less than `high`; `low` where there is nothing between.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low {
            return low;
        }
        low + self.next() % (high - low)
    }

    /// One place of a list of `length`.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.between(0, length)).unwrap_or(0)
    }

    /// True once in `n` throws.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.between(0, n) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself() {
        let throw = |seed| {
            let mut dice = Dice::of(seed, "name");
            [
                dice.between(5, 90),
                dice.between(5, 90),
                dice.between(5, 90),
            ]
        };
        assert_eq!(throw(1), throw(1));
        assert_ne!(throw(1), throw(2));
        assert_eq!(Dice::of(1, "").between(7, 7), 7);
    }
}
