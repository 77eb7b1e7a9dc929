//! `claviger doctor`: discovery, step by step.

use claviger_admin_api::{Line, Request, StepStatus};

use crate::act::act;
use crate::args::DoctorArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;
use crate::show;

/// Walks through the discovery of a URL. The steps are the data.
pub(crate) async fn run(args: DoctorArgs, ctx: &Context<'_>) -> Outcome {
    let request = Request::Doctor {
        url: args.url,
        allow_private: args.allow_private,
    };
    let (mut steps, mut warnings, mut hint) = (0_usize, 0_usize, None);
    let walked = ctx
        .with_gateway(async |gateway| {
            act(gateway, request, |line| {
                let Line::Step(step) = &line else {
                    ctx.say(&line);
                    return;
                };
                steps += 1;
                warnings += usize::from(step.status == StepStatus::Warned);
                hint = step.hint.clone().or(hint.take());
                if ctx.printer.is_json() {
                    ctx.printer.json(&line);
                } else {
                    for text in show::step(step) {
                        ctx.printer.out(&text);
                    }
                }
            })
            .await
        })
        .await;
    let summary = match (&walked, warnings) {
        (Err(_), _) => return walked.map(|()| Exit::DONE).map_err(|e| e.or_hint(hint)),
        (Ok(()), 0) => Text::new()
            .good("✓ all is well")
            .plain(format!(" after {steps} steps")),
        (Ok(()), count) => Text::new()
            .warn("! it works")
            .plain(format!(", with {count} of {steps} steps to mend")),
    };
    if !ctx.printer.is_json() {
        ctx.printer.out(&summary);
    }
    Ok(Exit::DONE)
}
