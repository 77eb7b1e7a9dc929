// Starts the foreign servers, each as a child of its own on free ports, and ends them.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Refusal } from '../support/claviger.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const VENV = resolve(HERE, '../.cache/peers-venv');
export const NODE = join(HERE, 'node_modules/.bin/node');
export const PYTHON = process.env.CLAVIGER_TEST_PYTHON ?? join(VENV, 'bin/python');

/** Whether the npm side is installed. */
export const isInstalled = () => existsSync(NODE);

/** Makes the Python environment where it is missing or its pins have changed. */
export function ensurePython() {
  // `cargo xtask test` has made one already.
  if (process.env.CLAVIGER_TEST_PYTHON) return;
  const pins = readFileSync(join(HERE, 'requirements.txt'));
  const mark = createHash('sha256').update(pins).digest('hex');
  const stamp = join(VENV, 'pins.sha256');
  if (existsSync(PYTHON) && existsSync(stamp) && readFileSync(stamp, 'utf8') === mark) return;
  console.log('installing the Python peers…');
  rmSync(VENV, { recursive: true, force: true });
  mkdirSync(dirname(VENV), { recursive: true });
  must('python3', ['-m', 'venv', VENV]);
  must(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', join(HERE, 'requirements.txt')]);
  writeFileSync(stamp, mark);
}

/** The example server of npm `@modelcontextprotocol/sdk`, as it is published. */
export async function sdkServer() {
  const [mcp, auth] = [await freePort(), await freePort()];
  const path = 'node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server/simpleStreamableHttp.js';
  const env = { MCP_PORT: String(mcp), MCP_AUTH_PORT: String(auth) };
  return start(NODE, [path, '--oauth', '--oauth-strict'], mcp, [auth], env);
}

/** The server on PyPI `mcp`'s `mcp.server.auth`. */
export async function pypiServer() {
  const port = await freePort();
  return start(PYTHON, ['servers/guarded.py', String(port)], port);
}

/** `oidc-provider` with an MCP server that trusts it; `stats()` tells what it counted. */
export async function certifiedIssuer(lifeS) {
  const [issuer, resource] = [await freePort(), await freePort()];
  const server = await start(NODE, ['servers/issuer.mjs', issuer, resource].map(String), resource, [issuer], { TOKEN_LIFE_S: String(lifeS) });
  server.stats = async () => (await fetch(`http://localhost:${resource}/stats`)).json();
  return server;
}

async function start(program, args, port, more = [], env = {}) {
  const child = spawn(program, args, { cwd: HERE, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (log = (log + chunk).slice(-20_000)));
  const server = {
    url: `http://localhost:${port}/mcp`,
    log: () => log,
    stop: () => child.kill('SIGKILL'),
  };
  const deadline = Date.now() + 20_000;
  for (const each of [port, ...more]) {
    while (!await answers(each)) {
      if (child.exitCode !== null || Date.now() > deadline) {
        server.stop();
        throw new Refusal(`${args[0]} does not answer on port ${each}: ${log}`);
      }
      await new Promise((tick) => setTimeout(tick, 50));
    }
  }
  return server;
}

async function answers(port) {
  try {
    await (await fetch(`http://localhost:${port}/.well-known/oauth-authorization-server`)).text();
    return true;
  } catch {
    return false;
  }
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().on('error', fail).listen(0, () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

function must(program, args) {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'inherit', 'pipe'] });
  if (status !== 0) throw new Refusal(`${program} ${args.slice(0, 3).join(' ')}: ${error?.message ?? stderr}`);
}
