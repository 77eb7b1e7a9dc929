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
        url: args.url.clone(),
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
    walked.map_err(|error| error.or_hint(hint.clone()))?;
    if ctx.printer.is_json() {
        return Ok(Exit::DONE);
    }
    let summary = match warnings {
        0 => Text::new()
            .good("✓ all is well")
            .plain(format!(" after {steps} steps")),
        count => Text::new()
            .warn("! it works")
            .plain(format!(", with {count} of {steps} steps to mend")),
    };
    ctx.printer.out(&summary);
    match hint {
        Some(hint) => ctx.printer.hint(&hint),
        None if args.allow_private => {
            ctx.next(&format!(
                "claviger server add NAME {} --allow-private",
                args.url
            ));
        }
        None => ctx.next(&format!("claviger server add NAME {}", args.url)),
    }
    Ok(Exit::DONE)
}
