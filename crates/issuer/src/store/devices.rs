//! Rows of devices that wait for a person somewhere else (RFC 8628).

use async_trait::async_trait;
use claviger_model::{TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use super::{AccessRow, Family, IssuerStoreError, TokenMac};

/// What a person said about a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceDecision {
    /// Yes.
    Approved {
        /// Who said so.
        user: UserId,
        /// For how much of what was asked.
        scopes: ScopeSet,
    },
    /// No.
    Denied,
}

/// A device authorization request.
#[derive(Debug, Clone)]
pub struct DeviceRow {
    /// Keyed MAC of the device code.
    pub mac: TokenMac,
    /// Keyed MAC of what the person types.
    pub user_code_mac: TokenMac,
    /// Whose.
    pub tenant: TenantId,
    /// The grant that it begins.
    pub grant: String,
    /// Who asked.
    pub client_id: String,
    /// For what.
    pub resource: String,
    /// What would be granted.
    pub scopes: ScopeSet,
    /// What the person said; the store keeps it.
    pub decision: Option<DeviceDecision>,
    /// So many seconds between two polls; the store raises it.
    pub interval_s: u32,
    /// When the device asked last; the store says.
    pub polled_at: Option<Timestamp>,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// One attempt of a device to get its tokens.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// Keyed MAC of the device code.
    pub mac: &'a TokenMac,
    /// Who asks; another client's row is not found.
    pub client_id: &'a str,
    /// When.
    pub now: Timestamp,
}

/// Why a device is told to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollRefused {
    /// Faster than its interval, which is 5 s longer from now on (RFC 8628 §3.5).
    TooFast,
    /// No such row.
    Unknown,
}

/// Rows of devices.
#[async_trait]
pub trait DeviceRows: Send + Sync + 'static {
    /// Adds a device; surplus ones give way, the oldest first. `false` if another one has the same
    /// user code.
    async fn insert_device(&self, device: DeviceRow) -> Result<bool, IssuerStoreError>;

    /// The undecided device that shows this user code.
    async fn find_device(
        &self,
        user_code_mac: &TokenMac,
        now: Timestamp,
    ) -> Result<Option<DeviceRow>, IssuerStoreError>;

    /// Keeps what the person said; `false` if something was said before or it is too late.
    async fn decide_device(
        &self,
        mac: &TokenMac,
        decision: DeviceDecision,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError>;

    /// The row of a device that asks, and remembers that it did.
    async fn poll_device(
        &self,
        poll: &Poll<'_>,
    ) -> Result<Result<DeviceRow, PollRefused>, IssuerStoreError>;

    /// Removes an approved device and begins its family, both or neither; `false` if somebody was
    /// faster or it is not approved.
    async fn redeem_device(
        &self,
        mac: &TokenMac,
        family: Family,
        access: AccessRow,
    ) -> Result<bool, IssuerStoreError>;
}
