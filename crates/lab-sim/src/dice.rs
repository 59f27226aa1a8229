//! Randomness that is the same for ever: a seed that failed once must fail in the same way after any update of a library.

/// xoshiro256**, started by splitmix64.
#[derive(Debug, Clone)]
pub struct Dice([u64; 4]);

impl Dice {
    /// Dice that fall by this seed.
    pub fn new(seed: u64) -> Dice {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Dice([next(), next(), next(), next()])
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let out = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        out
    }

    /// A number below `n`; 0 if there is none.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.any()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.any() >> 63 == 1
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len() as u64) as usize).copied()
    }

    /// How long until the next of events that come that often on average, in microseconds.
    pub fn wait(&mut self, mean_us: u64) -> u64 {
        // A sum of two even distributions is near enough to an exponential one, and needs no floating point.
        self.below(mean_us + 1) + self.below(mean_us + 1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes these numbers makes every recorded seed worthless.
    #[test]
    fn the_dice_fall_as_they_always_did() {
        let mut dice = Dice::new(7);
        let fallen: Vec<u64> = (0..4).map(|_| dice.below(1000)).collect();
        assert_eq!(fallen, FALLEN);
        assert!((0..1000).all(|_| dice.below(3) < 3 && (5..=9).contains(&dice.between(5, 9))));
    }

    const FALLEN: [u64; 4] = [700, 278, 839, 981];
}
