// The binary `claviger` as a program uses it: commands with `--json`, a sign-in played by the
// browser without a screen, and the gateway as a child that never outlives us.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Browser } from './browser.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Where the binary is, or null. */
export function findBinary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
  const places = process.env.CLAVIGER_BIN
    ? [resolve(process.env.CLAVIGER_BIN)]
    : [join(target, 'release/claviger'), join(target, 'debug/claviger')];
  return places.find((path) => existsSync(path)) ?? null;
}

/** Something a person should read; no stack is wanted. */
export class Refusal extends Error {}

/** Claviger on a throw-away data directory. */
export class Claviger {
  constructor({ binary = findBinary(), log = () => {} } = {}) {
    if (!binary) throw new Refusal('no claviger binary: build it with `cargo build`, or name it in CLAVIGER_BIN');
    this.binary = binary;
    this.log = log;
    this.dataDir = mkdtempSync(join(tmpdir(), 'claviger-'));
    this.children = new Set();
    this.gateway = null;
    this.signIns = 0;
  }

  /** Runs one command to its end. `lines` are the JSON objects of stdout. */
  run(args, { onLine = () => {}, stdin = 'ignore' } = {}) {
    return new Promise((done, fail) => {
      const child = this.#spawn(args, [stdin, 'pipe', 'pipe']);
      const lines = [];
      const raw = [];
      let rest = '';
      let talk = '';
      child.stdout.setEncoding('utf8').on('data', (chunk) => {
        rest += chunk;
        for (let cut = rest.indexOf('\n'); cut >= 0; cut = rest.indexOf('\n')) {
          const text = rest.slice(0, cut);
          rest = rest.slice(cut + 1);
          raw.push(text);
          const line = parse(text);
          if (line !== undefined) {
            lines.push(line);
            onLine(line, child);
          }
        }
      });
      child.stderr.setEncoding('utf8').on('data', (chunk) => (talk += chunk));
      child.on('error', fail);
      child.on('close', (code, signal) => {
        if (rest.trim()) raw.push(rest);
        this.log(`claviger ${args.slice(0, 2).join(' ')} -> ${code ?? signal}${code ? `: ${(raw.at(-1) ?? '')} ${talk.trim()}` : ''}`);
        done({ code, signal, lines, raw, stderr: talk });
      });
    });
  }

  /** Runs a command that must succeed. */
  async must(args, options) {
    const answer = await this.run(args, options);
    if (answer.code !== 0) {
      throw new Refusal(`claviger ${args.join(' ')}: exit ${answer.code ?? answer.signal}: ${answer.raw.join(' ')} ${answer.stderr.trim()}`);
    }
    return answer;
  }

  /**
   * Adds a server without looking at it: looking is what the tests are about. Only a client secret
   * needs a look, since it is bound to the issuer that is found.
   */
  addServer(slug, url, more = []) {
    const look = more.includes('--client-secret-file') ? [] : ['--no-discover'];
    return this.must(['server', 'add', slug, url, ...look, '--allow-private', ...more, '--json']);
  }

  /** Plays one sign-in by `claviger login`. Answers the last line and the exit code. */
  async login(slug, browser = new Browser({ log: this.log })) {
    this.signIns += 1;
    let visit = Promise.resolve(null);
    const answer = await this.run(['login', slug, '--no-browser', '--json'], {
      // An open pipe: the end of input must not be taken for a cancelled sign-in.
      stdin: 'pipe',
      onLine: (line) => {
        if (typeof line.authorization_url === 'string') {
          visit = browser.visit(line.authorization_url).catch((error) => error);
        }
      },
    });
    const page = await visit;
    if (page instanceof Error) this.log(`browser: ${page.message}`);
    return { ...answer, page, ended: answer.lines.findLast((line) => isOutcome(line.outcome)) ?? null };
  }

  /** Starts the gateway and waits until it serves. */
  async serve(more = []) {
    const ready = join(this.dataDir, `ready-${Date.now()}.json`);
    this.logFile = join(this.dataDir, 'serve.log');
    const log = openSync(this.logFile, 'a');
    // Files, not pipes: whoever waits for our own output must not wait for the gateway.
    const child = this.#spawn(['serve', '--listen', '127.0.0.1:0', '--ready-file', ready, ...more], ['ignore', log, log]);
    closeSync(log);
    const deadline = Date.now() + 15_000;
    let line;
    while (!(line = existsSync(ready) && parse(readFileSync(ready, 'utf8')))) {
      if (child.exitCode !== null) throw new Refusal(`claviger serve ended with ${child.exitCode}: ${this.serveLog()}`);
      if (Date.now() > deadline) throw new Refusal(`claviger serve wrote no ready file: ${this.serveLog()}`);
      await new Promise((tick) => setTimeout(tick, 20));
    }
    this.gateway = { ...line, child, url: `http://${line.address}`, token: readFileSync(join(this.dataDir, 'token'), 'utf8').trim() };
    return this.gateway;
  }

  /** Ends the gateway: politely with SIGTERM, or as a crash with SIGKILL. */
  async stop(signal = 'SIGTERM') {
    const child = this.gateway?.child;
    this.gateway = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(late);
  }

  serveLog(bytes = 3000) {
    return this.logFile && existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').slice(-bytes) : '';
  }

  /** Kills what still runs and removes the data directory. Safe in an exit handler. */
  cleanUp() {
    for (const child of this.children) child.kill('SIGKILL');
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 3 });
  }

  #spawn(args, stdio) {
    const env = { ...process.env, CLAVIGER_DATA_DIR: this.dataDir, XDG_CONFIG_HOME: this.dataDir, NO_COLOR: '1' };
    const child = spawn(this.binary, args, { stdio, env, cwd: this.dataDir });
    this.children.add(child);
    child.on('exit', () => this.children.delete(child));
    return child;
  }
}

/** `needs_sign_in`, `needs_scopes`, …: the stable word of a refusal, or null. */
export function problemOf(lines) {
  const line = lines.findLast((each) => typeof each.error === 'string' || each.line === 'problem');
  return line ? line.error ?? line.code : null;
}

/** The tools named in the lines of `claviger tools`: one a line, or a whole list. */
export function toolsOf(lines) {
  return lines.flatMap((line) => line.tools ?? line.result?.tools ?? (typeof line.name === 'string' ? [line] : []));
}

function isOutcome(word) {
  return ['success', 'denied', 'failed', 'cancelled', 'timed_out'].includes(word);
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
