// Claviger against servers, issuers and callers from elsewhere.
//
//   node run.mjs [--case PART-OF-A-NAME] [--list] [--verbose]

import { parseArgs } from 'node:util';
import { Claviger, findBinary, Refusal } from '../support/claviger.mjs';
import { cases } from './cases.mjs';
import { ensurePython, isInstalled } from './servers.mjs';

const MOST_S = 60;

const { values: options } = parseArgs({
  options: {
    case: { type: 'string' },
    list: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

process.exit(await main());

async function main() {
  const chosen = Object.entries(cases).filter(([name]) => !options.case || name.includes(options.case));
  if (options.list) {
    for (const [name] of chosen) console.log(name);
    return 0;
  }
  if (chosen.length === 0) return refuse('no such case; --list names them');
  if (!isInstalled()) return refuse('the peers are not installed: run `npm ci` in tests/peers');
  if (!findBinary()) return refuse('no claviger binary: build it with `cargo build`, or name it in CLAVIGER_BIN');
  ensurePython();
  let failed = 0;
  for (const [name, each] of chosen) {
    const started = Date.now();
    const { error, notes } = await one(each);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${error ? 'FAIL' : 'ok  '} ${name} (${seconds} s)`);
    if (error) {
      failed += 1;
      console.log(indent(error instanceof Refusal ? error.message : error.stack ?? String(error)));
    }
    if (error || options.verbose) console.log(indent(notes));
  }
  console.log(`\n${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** One case in a world of its own, which is gone afterwards whatever happened. */
async function one({ server: startServer, play }) {
  const notes = [];
  const log = (line) => notes.push(line);
  const claviger = new Claviger({ log });
  let server;
  let late;
  try {
    server = await startServer();
    const deadline = new Promise((_, fail) => (late = setTimeout(() => fail(new Error(`not done after ${MOST_S} s`)), MOST_S * 1000)));
    await Promise.race([play({ claviger, server, log }), deadline]);
    return { error: null, notes: notes.join('\n') };
  } catch (error) {
    const logs = [`gateway:\n${claviger.serveLog()}`, `server:\n${server?.log().slice(-3000)}`];
    return { error, notes: [...notes, ...logs].join('\n') };
  } finally {
    clearTimeout(late);
    server?.stop();
    claviger.cleanUp();
  }
}

function indent(text) {
  return text.split('\n').map((line) => `       ${line}`).join('\n');
}

function refuse(why) {
  console.error(why);
  return 2;
}
