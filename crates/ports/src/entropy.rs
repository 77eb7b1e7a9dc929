//! Where random bytes come from.

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `into` with random bytes.
    fn fill(&self, into: &mut [u8]);

    /// Sixteen random bytes: enough for an id.
    fn id_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }

    /// Thirty-two random bytes: enough for a key, a salt, a verifier or a token.
    fn key_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        bytes
    }
}
