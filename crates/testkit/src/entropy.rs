//! Random bytes that repeat with their seed.

use std::sync::Mutex;

use claviger_ports::Entropy;

/// Gives the same bytes for the same seed. Worthless as a secret.
#[derive(Debug)]
pub struct SeededEntropy {
    state: Mutex<u64>,
}

// === impl SeededEntropy ===

impl SeededEntropy {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new(seed),
        }
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(1)
    }
}

// SplitMix64: short, and distinct states give distinct words.
impl Entropy for SeededEntropy {
    fn fill(&self, into: &mut [u8]) {
        let mut state = self.state.lock().expect("no test panicked here");
        for chunk in into.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (byte, random) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_ports::Entropy;

    use super::SeededEntropy;

    #[test]
    fn repeats_with_its_seed_and_never_within_one() {
        let (one, two, other) = (
            SeededEntropy::new(7),
            SeededEntropy::new(7),
            SeededEntropy::new(8),
        );
        let first = one.key_bytes();
        assert_eq!(first, two.key_bytes());
        assert_ne!(first, other.key_bytes());
        assert_ne!(first, one.key_bytes());
        assert_ne!(one.id_bytes(), [0; 16]);
    }
}
