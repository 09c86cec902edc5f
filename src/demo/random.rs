// SPDX-License-Identifier: Apache-2.0
//! Repeatable chance: the same seed gives the same fleet and the same records. Not for secrets.

/// A generator of pseudo-random numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator that `seed` starts.
    pub fn new(seed: u64) -> Random {
        Random { state: mix(seed, 0x6d75_7374_6572) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        scramble(self.state)
    }

    /// A number from 0 to `end` - 1; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        scaled(self.bits(), end)
    }

    /// A number from `low` to `high`, both included; `low` where `high` is less.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.saturating_sub(low).saturating_add(1).max(1).unsigned_abs()) as i64
    }

    /// A number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }

    /// An index below `len`.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// 16 random bytes.
    pub fn bytes_16(&mut self) -> [u8; 16] {
        bytes_16(self.bits(), self.bits())
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bytes of two numbers.
pub fn bytes_16(first: u64, second: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_be_bytes());
    bytes[8..].copy_from_slice(&second.to_be_bytes());
    bytes
}

/// A number that depends on both in no visible way: chance without state.
pub fn mix(a: u64, b: u64) -> u64 {
    scramble(scramble(a.wrapping_add(GAMMA)) ^ b.wrapping_mul(GAMMA))
}

/// Like [`mix`], from 0 to `end` - 1.
pub fn mix_below(a: u64, b: u64, end: u64) -> u64 {
    scaled(mix(a, b), end)
}

fn scaled(bits: u64, end: u64) -> u64 {
    ((u128::from(bits) * u128::from(end)) >> 64) as u64
}

fn scramble(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A choice among things of different weight.
#[derive(Clone, Debug, Default)]
pub struct Weighted {
    ends: Vec<f64>,
}

impl Weighted {
    /// The choice among things with these weights; none is negative.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Weighted {
        let mut sum = 0.0;
        let ends = weights.into_iter().map(|weight| {
            sum += weight;
            sum
        });
        Weighted { ends: ends.collect() }
    }

    /// The sum of the weights.
    pub fn sum(&self) -> f64 {
        self.ends.last().copied().unwrap_or(0.0)
    }

    /// The index of the thing at `unit` (0 to 1) of the way; 0 where there is none.
    pub fn at(&self, unit: f64) -> usize {
        let point = unit * self.sum();
        self.ends.partition_point(|end| *end <= point).min(self.ends.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_within_their_bounds() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        for _ in 0..1_000 {
            assert_eq!(a.bits(), b.bits());
            assert!((-3..=4).contains(&a.between(-3, 4)) && (-3..=4).contains(&b.between(-3, 4)));
        }
        assert_eq!(a.between(5, 1), 5);
        assert_ne!(Random::new(7).bits(), Random::new(8).bits());
    }

    #[test]
    fn weights_decide_how_often_each_is_chosen() {
        let (mut random, choice) = (Random::new(1), Weighted::new([1.0, 0.0, 3.0]));
        let mut counts = [0; 3];
        for _ in 0..4_000 {
            counts[choice.at(random.unit())] += 1;
        }
        assert!(counts[1] == 0 && (800..1_200).contains(&counts[0]), "{counts:?}");
    }
}
