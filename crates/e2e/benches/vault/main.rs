//! What holding a credential costs: from memory, from the database, and kept durably.
//!
//! Run it with `cargo xtask bench vault`. Candidates take turns within every round of one run, so
//! that a noisy moment of the machine meets all of them, and each durable one stands beside a probe
//! that does nothing but wait for the same disk: see `probe`. `--quick` says whether it works, and
//! nothing about speed. What is printed is the table that `docs/benchmarks.md` holds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its figures"
)]

mod commit;
mod house;
mod load;
mod place;
mod probe;
mod report;
mod statements;

use core::time::Duration;

use anyhow::{Context as _, Result, ensure};
use claviger_testkit::postgres;

use commit::Refresher;
use house::House;
use load::{Load, closed_loop};
use place::Place;
use report::{Table, ratio};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: usize,
    span: Duration,
    few: u32,
    many: u32,
    /// How many of them are in use.
    hot: u32,
}

const FULL: Plan = Plan {
    rounds: 5,
    span: Duration::from_millis(1_500),
    few: 1_000,
    many: 1_000_000,
    hot: 500,
};

const QUICK: Plan = Plan {
    rounds: 1,
    span: Duration::from_millis(100),
    few: 100,
    many: 2_000,
    hot: 20,
};

const IN_FLIGHT: [usize; 2] = [1, 32];

fn main() -> Result<()> {
    let is_quick = std::env::args().any(|word| word == "--quick");
    let plan = if is_quick { QUICK } else { FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(run(plan))
}

async fn run(plan: Plan) -> Result<()> {
    statements::install()?;
    let mut table = Table::begin(plan.rounds, plan.span);
    let server = postgres::Server::start(DURABLE);
    let mut places = vec![Place::sqlite()?];
    match &server {
        Some(server) => places.push(Place::postgres(server)),
        None => eprintln!("!!! PostgreSQL is left out: it is not on this machine !!!"),
    }
    for place in &places {
        let name = place.name();
        eprintln!("{name}: making {} and {} credentials", plan.few, plan.many);
        let few = House::build(place, "few", plan.few, plan.hot).await?;
        let many = House::build(place, "many", plan.many, plan.hot).await?;
        count_statements(&mut table, &few).await?;
        for house in [&few, &many] {
            house.keep_the_log();
        }
        from_memory(&mut table, plan, &few, &many).await?;
        sealed(&mut table, plan, &few, &many).await?;
        durable(&mut table, plan, &few).await?;
        few.close().await;
        many.close().await;
    }
    fsyncs(&mut table, plan).await?;
    table.print();
    Ok(())
}

/// What the database is asked: never for a credential in memory.
async fn count_statements(table: &mut Table, house: &House) -> Result<()> {
    let users = house.users();
    let (_, asked) = statements::during(house.attach_all(users)).await;
    let (answer, from_memory) = statements::during(house.attach_all(users)).await;
    answer?;
    ensure!(from_memory == 0, "the hot path asked {from_memory} times");
    let mut refresher = Refresher::new(house, 0).await?;
    let (first, _) = statements::during(refresher.refresh()).await;
    let (second, per_commit) = statements::during(refresher.refresh()).await;
    first.and(second)?;
    let attached = u64::try_from(users.len())?;
    table.statements(house, from_memory, asked / attached, per_commit);
    Ok(())
}

async fn from_memory(table: &mut Table, plan: Plan, few: &House, many: &House) -> Result<()> {
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (house, loads) in [few, many].into_iter().zip(&mut rounds) {
            house.attach_all(house.users()).await?;
            let attach = async |call: usize| house.attach(call).await;
            loads.push(closed_loop(1, plan.span, attach).await?);
        }
    }
    let [few_loads, many_loads] = rounds;
    let what = |house: &House| format!("credential from memory, {} stored", house.stored);
    let base = what(few);
    table.row(few, &what(few), 1, &few_loads, None);
    table.row(
        many,
        &what(many),
        1,
        &many_loads,
        Some((&base, ratio(&many_loads, &few_loads))),
    );
    Ok(())
}

async fn sealed(table: &mut Table, plan: Plan, few: &House, many: &House) -> Result<()> {
    for in_flight in IN_FLIGHT {
        let mut rounds = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds {
            for (house, loads) in [few, many].into_iter().zip(&mut rounds) {
                let read = async |call: usize| house.attach_cold(call).await;
                loads.push(closed_loop(in_flight, plan.span, read).await?);
            }
        }
        for (house, loads) in [few, many].into_iter().zip(&rounds) {
            let what = format!("sealed read, {} stored", house.stored);
            table.row(house, &what, in_flight, loads, None);
        }
    }
    Ok(())
}

async fn durable(table: &mut Table, plan: Plan, house: &House) -> Result<()> {
    let bare = probe::Bare::new(house).await?;
    let refreshers = Refresher::several(house, 32).await?;
    for in_flight in IN_FLIGHT {
        let (mut ours, mut probes) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let refresh = async |call: usize| refreshers.refresh(call).await;
            ours.push(closed_loop(in_flight, plan.span, refresh).await?);
            let update = async |call: usize| bare.update(call).await;
            probes.push(closed_loop(in_flight, plan.span, update).await?);
        }
        let probe = "bare transaction";
        table.row(house, probe, in_flight, &probes, None);
        let of_probe = Some((probe, ratio(&ours, &probes)));
        table.row(house, "refresh commit", in_flight, &ours, of_probe);
    }
    bare.close().await;
    Ok(())
}

async fn fsyncs(table: &mut Table, plan: Plan) -> Result<()> {
    let journal = probe::Journaled::new()?;
    for in_flight in IN_FLIGHT {
        let (mut ours, mut probes): (Vec<Load>, Vec<Load>) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let append = async |_call: usize| journal.append().await;
            ours.push(closed_loop(in_flight, plan.span, append).await?);
            probes.push(probe::fsync(in_flight, plan.span)?);
        }
        let probe = "append and fdatasync";
        table.disk(probe, in_flight, &probes, None);
        let of_probe = Some((probe, ratio(&ours, &probes)));
        table.disk("journal entry", in_flight, &ours, of_probe);
    }
    Ok(())
}

/// As in production: the server waits for its disk.
const DURABLE: &[&str] = &[
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "shared_buffers=128MB",
    "max_wal_size=4GB",
];
