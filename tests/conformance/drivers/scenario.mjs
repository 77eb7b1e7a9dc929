// What the suite tells a client about the scenario, turned into words Claviger understands, and
// the frame both drivers run in: throw-away data, a hard deadline, nothing left running.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Claviger } from '../../support/claviger.mjs';

// The suite gives up after 30 s and waits for our pipes: end first, and say why.
const DEADLINE_MS = 25_000;

// More would be the sign-in loop that scope-retry-limit looks for.
const MOST_SIGN_INS = 4;

/** Never fetched by the suite; it only compares the string. */
const METADATA_URL = 'https://conformance-test.local/client-metadata.json';

export const SLUG = 'suite';

/** Runs `play(scenario, claviger)` and ends the process: 0 only if it came through. */
export async function main(play) {
  const claviger = new Claviger({ log: (line) => console.error(line) });
  const end = (code, why) => {
    if (why) console.error(why);
    if (code !== 0 && claviger.serveLog()) console.error(`gateway:\n${claviger.serveLog(20_000)}`);
    claviger.cleanUp();
    process.exit(code);
  };
  setTimeout(() => end(1, `the deadline of ${DEADLINE_MS / 1000} s has passed`), DEADLINE_MS);
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => end(1, signal));
  try {
    const scenario = readScenario();
    await claviger.addServer(SLUG, scenario.url, optionsOf(scenario, claviger.dataDir));
    await play(scenario, claviger);
    await claviger.stop();
    end(0);
  } catch (error) {
    end(1, error.message);
  }
}

/** Counts sign-ins and stops a loop. */
export function boundedSignIns(play) {
  let count = 0;
  return async (...args) => {
    count += 1;
    if (count > MOST_SIGN_INS) throw new Error(`would sign in more than ${MOST_SIGN_INS} times`);
    await play(...args);
  };
}

function readScenario() {
  const name = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
  return {
    name,
    url: process.argv.at(-1),
    context: JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}'),
    // Package 0.1.16 names no version: its mock speaks the newest of its day, or the one in the name.
    version: process.env.MCP_CONFORMANCE_PROTOCOL_VERSION
      ?? (name.startsWith('auth/2025-03-26-') ? '2025-03-26' : '2025-11-25'),
  };
}

function optionsOf({ name, context }, dir) {
  const options = [];
  const file = (label, content) => {
    const path = join(dir, label);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  if (name.startsWith('auth/client-credentials-')) options.push('--grant', 'client_credentials');
  if (context.client_id) options.push('--client-id', context.client_id);
  else options.push('--client-metadata-url', METADATA_URL);
  if (context.client_secret) options.push('--client-secret-file', file('client-secret', context.client_secret));
  if (context.private_key_pem) options.push('--private-key-file', file('client-key.pem', context.private_key_pem));
  return options;
}
