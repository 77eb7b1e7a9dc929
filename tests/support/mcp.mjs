// A plain MCP caller in both eras, small enough to show everything that crosses the wire.

const META = 'io.modelcontextprotocol';
const CLIENT = { name: 'claviger-plain-caller', version: '1.0.0' };

/** True where every request stands alone and there is no `initialize`. */
export const isModern = (version) => version >= '2026-07-28';

/** Somebody has to sign in first; `url` is where. */
export class SignInNeeded extends Error {
  constructor(url, again = {}) {
    super('a sign-in is needed');
    this.url = url;
    this.again = again;
  }
}

/** One caller of one MCP endpoint. */
export class Caller {
  constructor(url, { token, version, log = () => {} }) {
    this.url = url;
    this.origin = new URL(url).origin;
    this.token = token;
    this.version = version;
    this.log = log;
    this.session = null;
    this.isOpen = false;
    this.lastId = 0;
  }

  /** The legacy handshake; nothing in the modern era. */
  async open() {
    if (this.isOpen || isModern(this.version)) return;
    this.session = null;
    const { result, headers } = await this.#post({
      jsonrpc: '2.0', id: ++this.lastId, method: 'initialize',
      params: { protocolVersion: this.version, capabilities: { elicitation: { form: {}, url: {} } }, clientInfo: CLIENT },
    });
    this.agreed = result.protocolVersion;
    this.session = headers.get('mcp-session-id');
    await this.#post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    this.isOpen = true;
  }

  /** One request and its result. A link to a sign-in is thrown as `SignInNeeded`. */
  async request(method, params = {}, again = {}) {
    await this.open();
    const body = { jsonrpc: '2.0', id: ++this.lastId, method, params: { ...params, ...again } };
    if (isModern(this.version)) {
      body.params._meta = {
        [`${META}/protocolVersion`]: this.version,
        [`${META}/clientInfo`]: CLIENT,
        [`${META}/clientCapabilities`]: { elicitation: { form: {}, url: {} } },
      };
    }
    const { result } = await this.#post(body);
    return result;
  }

  async #post(body) {
    const response = await fetch(this.url, { method: 'POST', headers: this.#headers(body), body: JSON.stringify(body) });
    this.log(`${body.method} -> ${response.status}`);
    const text = await response.text();
    const messages = messagesOf(response.headers.get('content-type') ?? '', text);
    const answer = messages.find((message) => message.id === body.id && (message.result || message.error))
      ?? messages.find((message) => message.error);
    const need = answer && signInOf(answer, this.origin);
    if (need) throw need;
    if (response.status === 404 && this.session) {
      this.isOpen = false;
      throw new Error(`${body.method}: the session is gone`);
    }
    if (body.id === undefined) {
      if (!response.ok) throw new Error(`${body.method}: HTTP ${response.status} ${text.slice(0, 300)}`);
      return { result: null, headers: response.headers };
    }
    if (!answer) throw new Error(`${body.method}: HTTP ${response.status} without an answer: ${text.slice(0, 300)}`);
    if (answer.error) throw new Error(`${body.method}: HTTP ${response.status} ${JSON.stringify(answer.error)}`);
    if (!response.ok) throw new Error(`${body.method}: HTTP ${response.status} with a result`);
    if (answer.result.isError) throw new Error(`${body.method}: tool error ${JSON.stringify(answer.result.content)}`);
    return { result: answer.result, headers: response.headers };
  }

  #headers(body) {
    const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (this.session) headers['mcp-session-id'] = this.session;
    if (isModern(this.version)) {
      headers['mcp-protocol-version'] = this.version;
      headers['mcp-method'] = body.method;
      const name = body.params?.name ?? body.params?.uri;
      if (name) headers['mcp-name'] = name;
    } else if (body.method !== 'initialize') {
      headers['mcp-protocol-version'] = this.agreed ?? this.version;
    }
    return headers;
  }
}

/** Lists the tools and calls each one; answers what was called. */
export async function callEverything(caller, whenSignInNeeded) {
  const ask = async (method, params) => {
    let again = {};
    for (;;) {
      try {
        return await caller.request(method, params, again);
      } catch (error) {
        if (!(error instanceof SignInNeeded)) throw error;
        await whenSignInNeeded(error.url);
        again = error.again;
      }
    }
  };
  const { tools } = await ask('tools/list', {});
  const results = {};
  for (const tool of tools) {
    results[tool.name] = await ask('tools/call', { name: tool.name, arguments: argumentsOf(tool) });
  }
  return results;
}

/** What a tool of the suites gets: two numbers where it adds, else nothing. */
export function argumentsOf(tool) {
  return tool.name === 'add_numbers' ? { a: 2, b: 3 } : {};
}

/** The JSON-RPC messages of an answer, whether it came as one document or as events. */
export function messagesOf(type, text) {
  if (type.includes('text/event-stream')) {
    return text.split(/\r?\n\r?\n/)
      .map((event) => event.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart()).join('\n'))
      .filter(Boolean)
      .map((data) => JSON.parse(data));
  }
  try {
    return [JSON.parse(text)].flat();
  } catch {
    return [];
  }
}

/** The link to a sign-in in any of the forms a gateway answers with, by era and method. */
function signInOf(message, origin) {
  const { error, result } = message;
  const ours = error?.data?.claviger?.url;
  if (ours) return new SignInNeeded(ours);
  if (error?.code === -32042) return new SignInNeeded(error.data.elicitations[0].url);
  if (result?.resultType === 'input_required') {
    const asked = Object.entries(result.inputRequests ?? {});
    const url = asked.map(([, request]) => request.params?.url ?? request.url).find(Boolean);
    if (!url) return null;
    const again = { inputResponses: Object.fromEntries(asked.map(([key]) => [key, { action: 'accept' }])) };
    if (result.requestState !== undefined) again.requestState = result.requestState;
    return new SignInNeeded(url, again);
  }
  const text = (result?.content ?? []).map((part) => part.text ?? '').join('\n');
  const link = text.match(/http:\/\/[^\s"'<>)]+\/login\/[^\s"'<>).,]+/)?.[0];
  return link && new URL(link).origin === origin ? new SignInNeeded(link) : null;
}
