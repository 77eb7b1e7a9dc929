// A caller on npm `@modelcontextprotocol/sdk`, with the local API token as a fixed header.
// Prints one JSON object with what it saw.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const [url, tool, json] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: { authorization: `Bearer ${process.env.CLAVIGER_TOKEN}` } },
});
const client = new Client({ name: 'sdk-caller', version: '1.0.0' }, { capabilities: { elicitation: { url: {} } } });
const seen = { tools: [], text: null, progress: [], logged: [], session: false, refused: null, ended: null };
const started = Date.now();
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
  seen.logged.push({ at: Date.now() - started, data: params.data });
});
try {
  await client.connect(transport);
  seen.session = Boolean(transport.sessionId);
  seen.tools = (await client.listTools()).tools.map(({ name }) => name);
  const result = await client.callTool({ name: tool, arguments: JSON.parse(json) }, undefined, {
    onprogress: ({ progress }) => seen.progress.push({ at: Date.now() - started, progress }),
  });
  seen.text = result.content[0].text;
  seen.took = Date.now() - started;
  if (seen.session) {
    const session = transport.sessionId;
    await transport.terminateSession();
    const after = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${process.env.CLAVIGER_TOKEN}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-session-id': session,
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 99, method: 'tools/list' }),
    });
    await after.body?.cancel();
    seen.ended = after.status;
  }
} catch (error) {
  seen.refused = { code: error.code ?? null, message: error.message, data: error.data ?? null };
}
await client.close();
console.log(JSON.stringify(seen));
process.exit(0);
