// What must hold between Claviger and programs nobody here wrote. Each case gets a fresh data
// directory and fresh servers, and ends by throwing or not.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Browser } from '../support/browser.mjs';
import { problemOf, toolsOf } from '../support/claviger.mjs';
import { Caller, SignInNeeded } from '../support/mcp.mjs';
import { certifiedIssuer, NODE, pypiServer, PYTHON, sdkServer } from './servers.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';
const SLUG = 'peer';

/** Name to `{server, play(world)}`, where `world` is `{claviger, server, log}`. */
export const cases = {
  'npm sdk server: sign in and call by command': {
    server: sdkServer,
    play: (world) => byCommand(world, LEGACY, 'greet', { name: 'Ada' }, 'Hello, Ada!'),
  },
  'npm sdk server: sign in and call through the gateway': {
    server: sdkServer,
    play: (world) => byGateway(world, LEGACY, 'greet', { name: 'Ada' }, 'Hello, Ada!'),
  },
  'pypi mcp server: sign in and call by command, stateful': {
    server: pypiServer,
    play: (world) => byCommand(world, LEGACY, 'add', { a: 2, b: 3 }, '5'),
  },
  'pypi mcp server: sign in and call by command, stateless': {
    server: pypiServer,
    play: (world) => byCommand(world, MODERN, 'add', { a: 2, b: 3 }, '5'),
  },
  'pypi mcp server: sign in and call through the gateway, stateful': {
    server: pypiServer,
    play: (world) => byGateway(world, LEGACY, 'add', { a: 2, b: 3 }, '5'),
  },
  'pypi mcp server: sign in and call through the gateway, stateless': {
    server: pypiServer,
    play: (world) => byGateway(world, MODERN, 'add', { a: 2, b: 3 }, '5'),
  },
  'pypi mcp server: sign out revokes at the issuer': { server: pypiServer, play: signOut },
  'npm sdk client: sessions, notifications and the end of a session': { server: sdkServer, play: sdkCallerWithSessions },
  'npm sdk client: progress arrives while the call runs': { server: pypiServer, play: sdkCallerWithProgress },
  'npm sdk client: is told where to sign in': { server: pypiServer, play: sdkCallerNotSignedIn },
  'pypi mcp client: progress arrives while the call runs, stateful': {
    server: pypiServer,
    play: (world) => pypiCaller(world, 'legacy', LEGACY),
  },
  'pypi mcp client: progress arrives while the call runs, stateless': {
    server: pypiServer,
    play: (world) => pypiCaller(world, MODERN, MODERN),
  },
  'pypi mcp client: finds the era by itself': {
    server: pypiServer,
    play: (world) => pypiCaller(world, 'auto', MODERN),
  },
  'oidc-provider: 8 parallel calls after expiry are one refresh': { server: () => certifiedIssuer(4), play: oneRefresh },
  'oidc-provider: 4 processes after expiry are one refresh': { server: () => certifiedIssuer(8), play: oneRefreshOfManyProcesses },
  'oidc-provider: a restart needs no second sign-in': { server: () => certifiedIssuer(4), play: restart },
};

async function byCommand({ claviger, server }, version, tool, args, expected) {
  await claviger.addServer(SLUG, server.url);
  const before = await claviger.run(['tools', SLUG, '--json', '--protocol-version', version]);
  assert.equal(before.code, 3, `exit before a sign-in: ${before.raw.join(' ')} ${before.stderr}`);
  assert.equal(problemOf(before.lines), 'needs_sign_in');
  await signIn(claviger);
  const { lines } = await claviger.must(['tools', SLUG, '--json', '--protocol-version', version]);
  assert.ok(toolsOf(lines).some(({ name }) => name === tool), `${tool} is not among ${JSON.stringify(lines)}`);
  const { raw } = await claviger.must(['call', SLUG, tool, '--json', JSON.stringify(args), '--protocol-version', version]);
  assert.ok(raw.join('\n').includes(expected), `no ${expected} in ${raw.join('\n')}`);
  const [status] = (await claviger.must(['status', SLUG, '--json'])).lines;
  assert.equal(status.standing, 'connected');
}

async function byGateway(world, version, tool, args, expected) {
  const { claviger, server, log } = world;
  await claviger.addServer(SLUG, server.url);
  const { url, token } = await claviger.serve();
  const caller = new Caller(`${url}/${SLUG}/mcp`, { token, version, log });
  let signIns = 0;
  const ask = async (method, params, again = {}) => {
    try {
      return await caller.request(method, params, again);
    } catch (error) {
      if (!(error instanceof SignInNeeded)) throw error;
      signIns += 1;
      assert.equal(signIns, 1, 'a second sign-in was asked for');
      const page = await new Browser({ log }).visit(error.url);
      assert.equal(page.status, 200, `the sign-in ended on ${page.status}: ${page.body.slice(0, 500)}`);
      return ask(method, params, error.again);
    }
  };
  const { tools } = await ask('tools/list');
  assert.ok(tools.some(({ name }) => name === tool));
  const { content } = await ask('tools/call', { name: tool, arguments: args });
  assert.equal(content[0].text, expected);
  assert.equal(signIns, 1, 'nobody was asked to sign in');
}

async function signOut({ claviger, server }) {
  await signedIn(claviger, server);
  await claviger.must(['call', SLUG, 'add', '--json', '{"a":1,"b":1}']);
  const { lines } = await claviger.must(['logout', SLUG, '--json']);
  assert.ok(JSON.stringify(lines).includes('revoked'), `the issuer was not told: ${JSON.stringify(lines)}`);
  const after = await claviger.run(['call', SLUG, 'add', '--json', '{"a":1,"b":1}']);
  assert.equal(after.code, 3);
  assert.equal(problemOf(after.lines), 'needs_sign_in');
}

async function sdkCallerWithSessions({ claviger, server }) {
  await signedIn(claviger, server);
  const seen = await sdkCaller(claviger, 'start-notification-stream', { interval: 150, count: 4 });
  assert.equal(seen.refused, null, JSON.stringify(seen.refused));
  assert.ok(seen.session, 'no session id came through');
  assert.ok(seen.tools.includes('greet'));
  assert.equal(seen.logged.length, 4, `notifications on the GET stream: ${JSON.stringify(seen.logged)}`);
  arrivedOneByOne(seen.logged, 150);
  assert.equal(seen.ended, 404, 'an ended session still answers');
}

async function sdkCallerWithProgress({ claviger, server }) {
  await signedIn(claviger, server);
  const seen = await sdkCaller(claviger, 'count', { to: 4 });
  assert.equal(seen.refused, null, JSON.stringify(seen.refused));
  assert.equal(seen.text, 'counted to 4');
  assert.deepEqual(seen.progress.map(({ progress }) => progress), [1, 2, 3, 4]);
  arrivedOneByOne(seen.progress, 150);
}

async function sdkCallerNotSignedIn({ claviger, server }) {
  await claviger.addServer(SLUG, server.url);
  const gateway = await claviger.serve();
  const seen = await sdkCaller(claviger, 'add', { a: 1, b: 2 }, gateway);
  assert.ok(seen.refused, 'the call went through without a sign-in');
  const told = JSON.stringify(seen.refused);
  const link = told.match(/http:\/\/127\.0\.0\.1:\d+\/login\/[^"\\ )]+/)?.[0];
  assert.ok(link?.startsWith(gateway.url), `no link of ours in ${told}`);
  const page = await new Browser().visit(link);
  assert.equal(page.status, 200);
  const again = await sdkCaller(claviger, 'add', { a: 1, b: 2 }, gateway);
  assert.equal(again.text, '3', JSON.stringify(again));
}

async function pypiCaller({ claviger, server }, mode, version) {
  await signedIn(claviger, server);
  const gateway = await claviger.serve();
  const seen = await program(PYTHON, ['callers/pypi.py', `${gateway.url}/${SLUG}/mcp`, mode, 'count', '{"to":4}'], gateway.token);
  assert.equal(seen.refused, null, seen.refused ?? '');
  assert.equal(seen.version, version);
  assert.ok(seen.tools.includes('add'));
  assert.equal(seen.text, 'counted to 4');
  assert.deepEqual(seen.progress.map(({ progress }) => progress), [1, 2, 3, 4]);
  arrivedOneByOne(seen.progress, 150);
}

async function oneRefresh({ claviger, server }) {
  await signedIn(claviger, server);
  const gateway = await claviger.serve();
  await parallelCalls(gateway, 1);
  await expire(4);
  const before = await server.stats();
  const results = await parallelCalls(gateway, 8);
  assert.deepEqual(results, Array(8).fill('somebody'));
  const after = await server.stats();
  assert.equal(after.refreshes - before.refreshes, 1, `refreshes: ${JSON.stringify({ before, after })}`);
  assertOneSignIn(after);
}

async function oneRefreshOfManyProcesses({ claviger, server }) {
  await signedIn(claviger, server);
  await claviger.must(['call', SLUG, 'whoami', '--json', '{}']);
  await expire(8);
  const before = await server.stats();
  const answers = await Promise.all(Array.from({ length: 4 }, () => claviger.run(['call', SLUG, 'whoami', '--json', '{}'])));
  for (const answer of answers) assert.equal(answer.code, 0, `${answer.raw.join(' ')} ${answer.stderr}`);
  const after = await server.stats();
  assert.equal(after.refreshes - before.refreshes, 1, `refreshes: ${JSON.stringify({ before, after })}`);
  assertOneSignIn(after);
}

async function restart({ claviger, server }) {
  await signedIn(claviger, server);
  let gateway = await claviger.serve();
  await parallelCalls(gateway, 1);
  await claviger.stop('SIGKILL');
  await expire(4);
  gateway = await claviger.serve();
  assert.deepEqual(await parallelCalls(gateway, 2), ['somebody', 'somebody']);
  await claviger.stop('SIGTERM');
  await expire(4);
  gateway = await claviger.serve();
  assert.deepEqual(await parallelCalls(gateway, 2), ['somebody', 'somebody']);
  assertOneSignIn(await server.stats());
}

function assertOneSignIn(stats) {
  assert.deepEqual(stats.errors, []);
  assert.equal(stats.revoked_grants, 0, 'a refresh token was used twice');
  assert.equal(stats.registrations, 1);
  assert.equal(stats.redemptions, 1);
}

async function signIn(claviger) {
  const { code, ended, raw, stderr } = await claviger.login(SLUG);
  assert.equal(code, 0, `the sign-in failed: ${raw.join(' ')} ${stderr}`);
  assert.equal(ended?.outcome, 'success');
  assert.equal(ended?.standing, 'connected');
}

async function signedIn(claviger, server) {
  await claviger.addServer(SLUG, server.url);
  await signIn(claviger);
}

/** Past the end of a token, with a second of grace for whole-second clocks. */
const expire = (lifeS) => new Promise((done) => setTimeout(done, lifeS * 1000 + 1200));

async function parallelCalls({ url, token }, count) {
  return Promise.all(Array.from({ length: count }, async () => {
    const caller = new Caller(`${url}/${SLUG}/mcp`, { token, version: LEGACY });
    const { content } = await caller.request('tools/call', { name: 'whoami', arguments: {} });
    return content[0].text;
  }));
}

async function sdkCaller(claviger, tool, args, gateway) {
  const { url, token } = gateway ?? await claviger.serve();
  return program(NODE, ['callers/sdk.mjs', `${url}/${SLUG}/mcp`, tool, JSON.stringify(args)], token);
}

/** Buffered events would all arrive at the end: the first and the last must lie apart. */
function arrivedOneByOne(events, everyMs) {
  const spread = events.at(-1).at - events[0].at;
  assert.ok(spread > everyMs * (events.length - 1) * 0.6, `events came at once: ${JSON.stringify(events)}`);
}

function program(path, args, token) {
  return new Promise((done, fail) => {
    const child = spawn(path, args, { cwd: HERE, env: { ...process.env, CLAVIGER_TOKEN: token }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, talk] = ['', ''];
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (talk += chunk));
    const late = setTimeout(() => child.kill('SIGKILL'), 25_000);
    child.on('close', (code) => {
      clearTimeout(late);
      try {
        done(JSON.parse(out));
      } catch {
        fail(new Error(`${args[0]} ended with ${code} and said: ${out} ${talk.slice(-2000)}`));
      }
    });
  });
}
