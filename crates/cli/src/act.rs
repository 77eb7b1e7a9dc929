//! One administrative act: its lines as they come, and its end as a result.

use claviger_admin_api::{Line, Request};
use claviger_server::Gateway;

use crate::error::CommandError;
use crate::exit::Exit;

/// Does one act. `each` sees every line but the last one.
pub(crate) async fn act(
    gateway: &dyn Gateway,
    request: Request,
    mut each: impl FnMut(Line) + Send,
) -> Result<(), CommandError> {
    let mut end = None;
    let mut sink = |line| match line {
        Line::Done => end = Some(Ok(())),
        Line::Problem(problem) => end = Some(Err(problem.into())),
        other => each(other),
    };
    gateway.act(request, &mut sink).await?;
    end.unwrap_or_else(|| {
        let message = "the gateway ended its answer before it was complete";
        Err(CommandError::new(Exit::UNREACHABLE, "no_answer", message))
    })
}
