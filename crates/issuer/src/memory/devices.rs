//! Devices in memory.

use async_trait::async_trait;
use claviger_model::Timestamp;

use super::MemoryStore;
use super::requests::make_room;
use crate::{
    AccessRow, DeviceDecision, DeviceRow, DeviceRows, Family, IssuerStoreError, Poll, PollRefused,
    TokenMac,
};

#[async_trait]
impl DeviceRows for MemoryStore {
    async fn insert_device(&self, device: DeviceRow) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        let taken = rows
            .devices
            .values()
            .any(|row| row.user_code_mac == device.user_code_mac);
        if taken {
            return Ok(false);
        }
        make_room(&mut rows.devices, self.limits.pending, |row| row.expires_at);
        rows.devices.insert(device.mac, device);
        Ok(true)
    }

    async fn find_device(
        &self,
        user_code_mac: &TokenMac,
        now: Timestamp,
    ) -> Result<Option<DeviceRow>, IssuerStoreError> {
        let rows = self.rows();
        let open = |row: &&DeviceRow| {
            row.user_code_mac == *user_code_mac && row.decision.is_none() && row.expires_at > now
        };
        Ok(rows.devices.values().find(open).cloned())
    }

    async fn decide_device(
        &self,
        mac: &TokenMac,
        decision: DeviceDecision,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        let open = |row: &&mut DeviceRow| row.decision.is_none() && row.expires_at > now;
        let Some(row) = rows.devices.get_mut(mac).filter(open) else {
            return Ok(false);
        };
        row.decision = Some(decision);
        Ok(true)
    }

    async fn poll_device(
        &self,
        poll: &Poll<'_>,
    ) -> Result<Result<DeviceRow, PollRefused>, IssuerStoreError> {
        let mut rows = self.rows();
        let own = |row: &&mut DeviceRow| row.client_id == poll.client_id;
        let Some(row) = rows.devices.get_mut(poll.mac).filter(own) else {
            return Ok(Err(PollRefused::Unknown));
        };
        let last = row.polled_at.replace(poll.now);
        if last.is_some_and(|last| poll.now.since(last) < i64::from(row.interval_s)) {
            row.interval_s = row.interval_s.saturating_add(SLOW_DOWN_S);
            return Ok(Err(PollRefused::TooFast));
        }
        Ok(Ok(row.clone()))
    }

    async fn redeem_device(
        &self,
        mac: &TokenMac,
        family: Family,
        access: AccessRow,
    ) -> Result<bool, IssuerStoreError> {
        let mut rows = self.rows();
        let approved = rows
            .devices
            .get(mac)
            .is_some_and(|row| matches!(row.decision, Some(DeviceDecision::Approved { .. })));
        if !approved {
            return Ok(false);
        }
        rows.devices.remove(mac);
        rows.begin(family, access);
        Ok(true)
    }
}

/// RFC 8628 §3.5.
const SLOW_DOWN_S: u32 = 5;
