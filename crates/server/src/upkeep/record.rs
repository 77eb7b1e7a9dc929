//! Acts on a database as a whole, in its audit log: each in a chain of its own, which ends with it.

use claviger_broker::{Auditor, Note};
use claviger_config::Config;
use claviger_store::StoreError;

use super::UpkeepError;
use crate::doors::Doors;
use crate::open::Opened;

/// The log of a database, for one act of whoever runs this process. To be closed.
pub(super) fn auditor(config: &Config, opened: &Opened) -> Result<Auditor, UpkeepError> {
    let doors = Doors::open(config, Vec::new())?;
    Ok(doors.auditor(config, opened, false)?)
}

/// Records what changes nothing in the database.
pub(super) async fn tell(auditor: &Auditor, note: Note) -> Result<(), StoreError> {
    auditor.tell(note.by(auditor.admin())).await
}
