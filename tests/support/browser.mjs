// A browser without a screen: follows redirects one by one, keeps cookies per host, and submits
// plain forms, so that a sign-in can be played by a program.

/** Visits nothing twice: a mock issuer that sends us in circles must not look like a sign-in. */
export class Browser {
  constructor({ maxHops = 16, log = () => {} } = {}) {
    this.jar = new Map();
    this.seen = new Set();
    this.maxHops = maxHops;
    this.log = log;
    this.hops = [];
  }

  /**
   * Opens a link and goes on until a page asks for nothing more.
   * Answers the last page: `{status, url, body}`.
   */
  async visit(start) {
    let step = { method: 'GET', url: new URL(start), form: null };
    for (let hop = 0; hop < this.maxHops; hop += 1) {
      const answer = await this.#ask(step);
      this.hops.push({ method: step.method, url: step.url.href, status: answer.status });
      this.log(`${step.method} ${step.url.origin}${step.url.pathname} -> ${answer.status}`);
      const next = answer.location
        ? { method: 'GET', url: new URL(answer.location, step.url), form: null }
        : formOf(answer, step.url);
      if (!next) {
        return { status: answer.status, url: step.url.href, body: answer.body };
      }
      step = next;
    }
    throw new Error(`the sign-in did not end after ${this.maxHops} pages`);
  }

  async #ask({ method, url, form }) {
    if (method === 'GET') {
      if (this.seen.has(url.href)) {
        throw new Error(`would open ${url.origin}${url.pathname} a second time`);
      }
      this.seen.add(url.href);
    }
    const headers = { accept: 'text/html,*/*;q=0.8', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' };
    const cookies = this.#cookies(url);
    if (cookies) headers.cookie = cookies;
    if (form !== null) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      headers.origin = url.origin;
      headers['sec-fetch-site'] = 'same-origin';
    }
    const response = await fetchWhileStarting(url, { method, headers, body: form, redirect: 'manual' });
    this.#keep(url, response.headers.getSetCookie());
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
    return { status: response.status, location, body: await response.text() };
  }

  // Cookies know hosts, not ports: so do we.
  #cookies(url) {
    const now = Date.now();
    return [...(this.jar.get(url.hostname)?.values() ?? [])]
      .filter((c) => c.until > now && (url.pathname === c.path || url.pathname.startsWith(c.path.endsWith('/') ? c.path : `${c.path}/`)))
      .map((c) => `${c.name}=${c.value}`)
      .join('; ');
  }

  #keep(url, lines) {
    const host = this.jar.get(url.hostname) ?? new Map();
    this.jar.set(url.hostname, host);
    for (const line of lines) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const cut = pair.indexOf('=');
      const cookie = { name: pair.slice(0, cut), value: pair.slice(cut + 1), path: url.pathname.replace(/\/[^/]*$/, '') || '/', until: Infinity };
      for (const attribute of attributes) {
        const [name, value = ''] = attribute.split('=');
        if (name.toLowerCase() === 'path' && value.startsWith('/')) cookie.path = value;
        if (name.toLowerCase() === 'max-age') cookie.until = Date.now() + Number(value) * 1000;
        if (name.toLowerCase() === 'expires' && cookie.until === Infinity) cookie.until = Date.parse(value) || Infinity;
      }
      host.set(`${cookie.name} ${cookie.path}`, cookie);
    }
  }
}

/** A callback listener may need a moment to come up; nothing else is tried again. */
async function fetchWhileStarting(url, init) {
  const deadline = Date.now() + 3000;
  for (;;) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (error?.cause?.code !== 'ECONNREFUSED' || Date.now() > deadline) {
        throw new Error(`cannot open ${url.origin}${url.pathname}: ${error?.cause?.message ?? error.message}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The first plain form of a good page, as the request its first submit button would make. */
export function formOf(answer, base) {
  if (answer.status >= 400) return null;
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(answer.body);
  if (!form) return null;
  const attributes = attributesOf(form[1]);
  const fields = new URLSearchParams();
  for (const [, raw] of form[2].matchAll(/<input\b([^>]*)>/gi)) {
    const input = attributesOf(raw);
    const type = (input.type ?? 'text').toLowerCase();
    if (!input.name || ['submit', 'button', 'image', 'reset'].includes(type)) continue;
    if (['checkbox', 'radio'].includes(type) && !('checked' in input)) continue;
    // A login form wants somebody: anybody will do for the issuers we play with.
    fields.append(input.name, input.value || (['text', 'password', 'email'].includes(type) ? 'somebody' : ''));
  }
  const button = /<(?:button|input)\b([^>]*type=["']?submit[^>]*)>|<button\b([^>]*)>/i.exec(form[2]);
  if (button) {
    const pressed = attributesOf(button[1] ?? button[2]);
    if (pressed.name) fields.append(pressed.name, pressed.value ?? '');
  }
  const url = new URL(attributes.action || base, base);
  if ((attributes.method ?? 'get').toLowerCase() === 'post') {
    return { method: 'POST', url, form: fields.toString() };
  }
  url.search = fields.toString();
  return { method: 'GET', url, form: null };
}

function attributesOf(text) {
  const found = {};
  for (const [, name, , double, single, bare] of text.matchAll(/([\w:-]+)(\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    found[name.toLowerCase()] = unescape(double ?? single ?? bare ?? '');
  }
  return found;
}

function unescape(text) {
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, hex) => String.fromCodePoint(parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_, digits) => String.fromCodePoint(Number(digits)))
    .replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
}
