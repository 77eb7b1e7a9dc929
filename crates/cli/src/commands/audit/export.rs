//! `claviger audit export`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use claviger_model::Timestamp;
use claviger_ports::Clock;
use claviger_ports::system::SystemClock;
use claviger_server::upkeep::{self, UpkeepError};

use super::not_done;
use crate::args::AuditExportArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::printer::Text;

/// Writes every entry.
pub(crate) async fn run(args: AuditExportArgs, ctx: &Context<'_>) -> Outcome {
    let since = args
        .since
        .map(|since| since.counted_from(SystemClock.now()));
    let given = if let Some(path) = &args.output {
        into_file(path, since, ctx).await?
    } else {
        let mut each = |line: &str| {
            ctx.printer.json_line(line);
            Ok(())
        };
        let given = upkeep::audit_export(&ctx.config, since, &mut each).await;
        given.map_err(|error| not_done(&error))?
    };
    let said = format!("{given} entries");
    ctx.printer.talk(&Text::new().dim(said));
    Ok(Exit::DONE)
}

async fn into_file(
    path: &Path,
    since: Option<Timestamp>,
    ctx: &Context<'_>,
) -> Result<u64, CommandError> {
    let file = create(path).map_err(|error| unwritten(path, &error))?;
    let mut file = BufWriter::new(file);
    let mut each = |line: &str| writeln!(file, "{line}");
    let given = upkeep::audit_export(&ctx.config, since, &mut each).await;
    let given = given.map_err(|error| not_done(&error))?;
    let flushed = file.into_inner().map_err(io::IntoInnerError::into_error);
    let synced = flushed.and_then(|file| file.sync_all());
    synced.map_err(|error| unwritten(path, &error))?;
    Ok(given)
}

/// A file of its own, for its owner alone: the log names who works with what.
fn create(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn unwritten(path: &Path, error: &io::Error) -> CommandError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let message = format!("{} is there already", path.display());
        return CommandError::new(Exit::REFUSED, "file_exists", message)
            .with_hint("name a new file; an earlier export is worth keeping");
    }
    let error = UpkeepError::AuditFile {
        source: io::Error::new(error.kind(), error.to_string()),
    };
    not_done(&error)
}
