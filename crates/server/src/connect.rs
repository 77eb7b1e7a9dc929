//! Whom a command line talks to.

use claviger_config::Config;

use crate::app::App;
use crate::local::Local;
use crate::open::OpenError;
use crate::remote::Remote;
use crate::{Gateway, places};

/// The running server on this data directory, if one answers on its admin socket; else this
/// process's own pieces on the same database. Both take the same lease, so that a server that
/// starts in between does no harm.
pub async fn open(config: &Config) -> Result<Box<dyn Gateway>, OpenError> {
    let places = places::Places::prepare(&config.data_dir)?;
    if let Some(remote) = Remote::find(&places.admin_socket).await {
        return Ok(Box::new(remote));
    }
    let app = App::compose(config, None, Vec::new()).await?;
    Ok(Box::new(Local::new(app)))
}
