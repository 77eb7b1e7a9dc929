//! Who wants to know what the issuer does: counters now, audit later.

/// Something that happened at the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IssuerEvent {
    /// The person approved; a code was issued.
    Approved,
    /// A client got a token for itself.
    ClientGranted,
    /// A code was redeemed.
    CodeRedeemed,
    /// A code came a second time; its grant was revoked.
    CodeReused,
    /// A device got its tokens.
    DeviceRedeemed,
    /// A resource asked about a token.
    Introspected,
    /// The person said no.
    Denied,
    /// A client registered.
    Registered,
    /// A refresh token was honoured.
    Refreshed,
    /// A refresh token came again within the grace and got the same answer.
    RefreshReplayed,
    /// A spent or foreign refresh token came; its family was revoked.
    RefreshReused,
    /// A client ended its registration, and everything with it.
    Retired,
    /// A client revoked a token.
    Revoked,
}

/// Hears of every event, before the answer goes out. It must not block.
pub trait Observe: Send + Sync + 'static {
    /// One event.
    fn observe(&self, event: IssuerEvent);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObserveNothing;

impl Observe for ObserveNothing {
    fn observe(&self, _event: IssuerEvent) {}
}
