// The official MCP conformance suite with Claviger as the client: every auth scenario on every
// wire, each by itself, through both drivers, under the strictest reading of a pass.
//
//   node run.mjs [--driver call|gateway] [--package 0.2|0.1] [--scenario S] [--wire V]
//                [--command 'CMD'] [--keep] [--no-control]

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findBinary } from '../support/claviger.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = { 0.2: '0.2.0-alpha.12', 0.1: '0.1.16' };
const DRIVERS = ['call', 'gateway'];
const PARALLEL = 2;
const EXCUSED = JSON.parse(readFileSync(join(HERE, 'left-out.json'), 'utf8')).checks;

const { values: options } = parseArgs({
  options: {
    driver: { type: 'string' },
    package: { type: 'string' },
    scenario: { type: 'string' },
    wire: { type: 'string' },
    command: { type: 'string' },
    keep: { type: 'boolean', default: false },
    'no-control': { type: 'boolean', default: false },
  },
});

process.exitCode = await main();

async function main() {
  const node = join(HERE, 'node_modules/.bin/node');
  if (!existsSync(node)) return refuse('the suite is not installed: run `npm ci` in tests/conformance');
  if (!options.command && !findBinary()) return refuse('no claviger binary: build it with `cargo build`, or name it in CLAVIGER_BIN');
  if (options.driver && !DRIVERS.includes(options.driver)) return refuse(`--driver is one of ${DRIVERS.join(', ')}`);
  if (options.package && !PACKAGES[options.package]) return refuse(`--package is one of ${Object.keys(PACKAGES).join(', ')}`);
  const jobs = chosen();
  if (jobs.length === 0) return refuse('no such run; the list is baseline.json without left-out.json');
  const results = mkdtempSync(join(tmpdir(), 'conformance-'));
  try {
    if (!options.command && !options['no-control'] && !options.scenario) {
      const vacuous = await control(jobs, node, join(results, 'control'));
      if (vacuous > 0) return 1;
    }
    const outcomes = await all(jobs, (job) => one(job, node, join(results, job.driver)), tell);
    report(outcomes);
    return outcomes.every((outcome) => outcome.passed) ? 0 : 1;
  } finally {
    if (options.keep) console.log(`results kept in ${results}`);
    else rmSync(results, { recursive: true, force: true });
  }
}

/** What there is to run: the baseline's keys, less what is left out with its reason. */
function chosen() {
  const baseline = JSON.parse(readFileSync(join(HERE, 'baseline.json'), 'utf8'));
  const leftOut = JSON.parse(readFileSync(join(HERE, 'left-out.json'), 'utf8'));
  const drivers = options.command ? ['command'] : options.driver ? [options.driver] : DRIVERS;
  return drivers.flatMap((driver) => Object.entries(PACKAGES)
    .filter(([short]) => !options.package || options.package === short)
    .flatMap(([short, version]) => Object.entries(baseline[version])
      .map(([key, expected]) => ({ driver, short, version, key, expected, scenario: key.split('@')[0], wire: key.split('@')[1] }))
      .filter((job) => !(job.key in leftOut[version]))
      .filter((job) => !options.scenario || [job.scenario, `auth/${job.scenario}`.replace('auth/auth/', '')].includes(options.scenario) || job.scenario === `auth/${options.scenario}`)
      .filter((job) => !options.wire || job.wire === options.wire)));
}

/** A client that does nothing must fail every run: otherwise a pass says nothing. */
async function control(jobs, node, dir) {
  const unique = jobs.filter((job) => job.driver === jobs[0].driver).map((job) => ({ ...job, driver: 'control', command: 'true' }));
  const outcomes = await all(unique, (job) => one(job, node, dir));
  const vacuous = outcomes.filter((outcome) => outcome.passed);
  console.log(`control: ${unique.length - vacuous.length} of ${unique.length} runs fail with a client that does nothing`);
  for (const { job } of vacuous) console.log(`  passes without a client: ${job.short} ${job.key}`);
  return vacuous.length;
}

/** Works through the list, a few at a time, telling each end as it comes. */
async function all(jobs, work, said = () => {}) {
  const outcomes = [];
  const queue = jobs.entries();
  let ended = 0;
  const worker = async () => {
    for (const [index, job] of queue) {
      outcomes[index] = await work(job);
      ended += 1;
      said(outcomes[index], `[${ended}/${jobs.length}]`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return outcomes;
}

async function one(job, node, dir) {
  const started = Date.now();
  const out = join(dir, `${job.short}-${job.key.replaceAll('/', '_')}`);
  mkdirSync(out, { recursive: true });
  const command = job.command ?? options.command ?? `node_modules/.bin/node drivers/${job.driver}.mjs`;
  const args = [`node_modules/conformance-${job.short}/dist/index.js`, 'client', '--command', command, '--scenario', job.scenario, '--timeout', '30000', '-o', out];
  // Only dated wires are on the timeline of 0.2; 0.1 knows one wire, and extensions have none.
  if (job.short === '0.2' && /^\d/.test(job.wire)) args.push('--spec-version', job.wire);
  const { code, text } = await run(node, args);
  const { checks, stderr } = resultsIn(out);
  const problems = judge(job, code, text, checks);
  return { job, passed: problems.length === 0, problems, checks, stderr, seconds: (Date.now() - started) / 1000 };
}

/** Strict: exit 0, no failure, no warning, nothing skipped, and every check of the baseline passed. */
function judge(job, code, text, checks) {
  const problems = [];
  if (/^SKIPPED:/m.test(text)) problems.push('the suite skipped the scenario');
  if (checks === null) return [...problems, `no results, exit ${code}: ${text.trim().split('\n').at(-1)}`];
  for (const check of checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')) {
    problems.push(`${check.status} ${check.id}: ${check.errorMessage ?? check.description}`);
  }
  const passed = new Set(checks.filter(({ status }) => status === 'SUCCESS').map(({ id }) => id));
  const excused = EXCUSED[job.scenario] ?? {};
  const missing = job.expected.filter((id) => !passed.has(id) && !(id in excused));
  if (missing.length > 0) problems.push(`not passed: ${missing.join(', ')}`);
  if (code !== 0) problems.push(`exit ${code}`);
  return problems;
}

function run(program, args) {
  return new Promise((done) => {
    const env = { ...process.env, CLAVIGER_BIN: findBinary() ?? '' };
    const child = spawn(program, args, { cwd: HERE, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.stderr.on('data', (chunk) => (text += chunk));
    const late = setTimeout(() => child.kill('SIGKILL'), 45_000);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      done({ code: code ?? signal, text });
    });
  });
}

function resultsIn(dir) {
  const file = (name) => readdirSync(dir, { recursive: true }).map(String).filter((path) => path.endsWith(name)).map((path) => join(dir, path))[0];
  const checks = file('checks.json');
  const stderr = file('stderr.txt');
  return {
    checks: checks ? JSON.parse(readFileSync(checks, 'utf8')) : null,
    stderr: stderr ? readFileSync(stderr, 'utf8') : '',
  };
}

function tell({ job, passed, problems, stderr, seconds }, count) {
  console.log(`${count} ${passed ? 'ok  ' : 'FAIL'} ${job.driver} ${job.short} ${job.key} (${seconds.toFixed(1)} s)`);
  if (passed) return;
  for (const problem of problems) console.log(`       ${problem}`);
  const last = stderr.trim().split('\n').slice(-12).join('\n         ');
  if (last) console.log(`       driver:\n         ${last}`);
}

function report(outcomes) {
  const drivers = [...new Set(outcomes.map(({ job }) => job.driver))];
  const rows = new Map();
  for (const outcome of outcomes) {
    const name = `${outcome.job.version.padEnd(14)} ${outcome.job.key}`;
    rows.set(name, { ...rows.get(name), [outcome.job.driver]: outcome });
  }
  const width = Math.max(...[...rows.keys()].map((name) => name.length));
  console.log(`\n${'package        scenario@wire'.padEnd(width)}  ${drivers.map((driver) => driver.padEnd(12)).join('')}`);
  for (const [name, row] of rows) {
    console.log(`${name.padEnd(width)}  ${drivers.map((driver) => cell(row[driver]).padEnd(12)).join('')}`);
  }
  const passed = outcomes.filter((outcome) => outcome.passed).length;
  console.log(`\n${passed} passed, ${outcomes.length - passed} failed`);
}

function cell({ passed, checks }) {
  const good = (checks ?? []).filter(({ status }) => status === 'SUCCESS').length;
  const bad = (checks ?? []).filter(({ status }) => status === 'FAILURE' || status === 'WARNING').length;
  return `${passed ? 'ok' : 'FAIL'} ${good}/${good + bad}`;
}

function refuse(why) {
  console.error(why);
  return 2;
}
