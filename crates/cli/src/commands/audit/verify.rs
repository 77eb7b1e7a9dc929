//! `claviger audit verify`.

use claviger_server::upkeep::{
    self, AuditProblem as Problem, AuditProblemKind as ProblemKind, AuditProof,
    AuditVerdict as Verdict,
};
use serde_json::{Value, json};

use super::not_done;
use crate::args::AuditVerifyArgs;
use crate::commands::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::printer::Text;

/// Verifies every chain, and is done only if nothing is wrong.
pub(crate) async fn run(args: AuditVerifyArgs, ctx: &Context<'_>) -> Outcome {
    let proof = AuditProof {
        file: args.file,
        against: args.against,
        key_file: args.key_file,
        is_order_only: args.order_only,
    };
    let mut said = 0;
    let mut on_entries = |read: u64, total: u64| {
        if read >= said + EVERY {
            said = read;
            let line = format!("  {read} of {total} entries");
            ctx.printer.talk(&Text::new().dim(line));
        }
    };
    let verifying = Box::pin(upkeep::audit_verify(&ctx.config, &proof, &mut on_entries));
    let verdict = verifying.await.map_err(|error| not_done(&error))?;
    let is_well = verdict.problems.is_empty();
    if ctx.printer.is_json() {
        ctx.printer.json(&json!({
            "ok": is_well,
            "proved": verdict.is_proved,
            "entries": verdict.entries,
            "chains": verdict.chains,
            "problems": verdict.problems.iter().map(problem).collect::<Vec<_>>(),
        }));
    } else {
        say(&verdict, &proof, ctx);
    }
    Ok(if is_well { Exit::DONE } else { Exit::REFUSED })
}

fn say(verdict: &Verdict, proof: &AuditProof, ctx: &Context<'_>) {
    for problem in &verdict.problems {
        let line = Text::new().bad("✗ ").plain(problem.to_string());
        ctx.printer.out(&line);
    }
    let counts = format!("{} entries in {} chains", verdict.entries, verdict.chains);
    if verdict.problems.is_empty() && !verdict.is_proved {
        let line = Text::new().good("✓ in order").plain(": ").plain(counts);
        ctx.printer.out(&line);
        let unproved = "  NOT checked: the MACs. Whoever can write the file can have changed \
                        anything; give the key file with --key-file to prove it";
        ctx.printer.talk(&Text::line(unproved));
        return;
    }
    if verdict.problems.is_empty() {
        let line = Text::new().good("✓ unchanged").plain(": ").plain(counts);
        ctx.printer.out(&line);
        let unproved = if proof.against.is_some() {
            "  not proved: what was cut off the end since the last checkpoint (a minute)"
        } else {
            "  not proved: what was cut off the end since the last checkpoint (a minute), and that \
             the database was not set back as a whole (see `--against`)"
        };
        ctx.printer.talk(&Text::new().dim(unproved));
        return;
    }
    let line = Text::new().bad("✗ not as it was written");
    ctx.printer.out(&line.plain(": of ").plain(counts));
    ctx.printer.talk(&Text::line(
        "somebody with access to the database changed it: keep a copy, look at who had access, and \
         compare with a backup or an earlier export",
    ));
}

fn problem(problem: &Problem) -> Value {
    let mut shown = json!({
        "chain": problem.chain,
        "seq": problem.seq,
        "kind": problem.kind.as_str(),
        "message": problem.to_string(),
    });
    if let ProblemKind::Missing { to } = problem.kind {
        shown["to"] = to.into();
    }
    shown
}

/// A line for every page would say less.
const EVERY: u64 = 100_000;
