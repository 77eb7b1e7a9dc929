// A certified authorization server (npm `oidc-provider`) and a small MCP server that trusts it:
// dynamic registration, resource indicators, access tokens of a few seconds, rotation, PKCE.
// `GET /stats` counts what happened, so that a test can say "exactly one refresh".

import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import Provider from 'oidc-provider';

const LIFE_S = Number(process.env.TOKEN_LIFE_S ?? 4);
const [issuerPort, resourcePort] = process.argv.slice(2).map(Number);
const issuer = `http://localhost:${issuerPort}`;
const resource = `http://localhost:${resourcePort}/mcp`;
const stats = { registrations: 0, authorizations: 0, redemptions: 0, refreshes: 0, errors: [], revoked_grants: 0, calls: 0, unauthorized: 0 };

const provider = new Provider(issuer, {
  clients: [],
  cookies: { keys: ['only for tests'] },
  scopes: ['openid', 'offline_access', 'mcp:tools'],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: LIFE_S, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600 },
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, indicator) => {
        if (indicator !== resource) throw new Error(`no such resource: ${indicator}`);
        return { scope: 'mcp:tools', audience: resource, accessTokenTTL: LIFE_S, accessTokenFormat: 'opaque' };
      },
    },
  },
});
provider.on('registration_create.success', () => (stats.registrations += 1));
provider.on('authorization.success', () => (stats.authorizations += 1));
provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params.grant_type === 'refresh_token') stats.refreshes += 1;
  else stats.redemptions += 1;
});
provider.on('grant.revoked', () => (stats.revoked_grants += 1));
for (const event of ['grant.error', 'authorization.error', 'registration_create.error', 'server_error']) {
  provider.on(event, (_ctx, error) => stats.errors.push(`${event}: ${error.message} ${error.error_detail ?? error.error_description ?? ''}`));
}

/** A fresh server per request: nothing is remembered between them. */
async function answer(request, response) {
  const server = new McpServer({ name: 'guarded-by-oidc-provider', version: '1.0.0' });
  server.registerTool('whoami', { description: 'Says that the token was good' }, () => ({ content: [{ type: 'text', text: 'somebody' }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  response.on('close', () => transport.close().then(() => server.close()));
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

async function guard(request, response) {
  const { pathname } = new URL(request.url, resource);
  if (pathname === '/stats') return json(response, 200, stats);
  if (pathname === '/.well-known/oauth-protected-resource/mcp') {
    return json(response, 200, { resource, authorization_servers: [issuer], scopes_supported: ['mcp:tools'], bearer_methods_supported: ['header'] });
  }
  if (pathname !== '/mcp') return json(response, 404, {});
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const token = bearer && await provider.AccessToken.find(bearer);
  if (!token || token.isExpired || ![token.aud].flat().includes(resource)) {
    stats.unauthorized += 1;
    const why = bearer ? ', error="invalid_token"' : '';
    response.setHeader('www-authenticate', `Bearer resource_metadata="http://localhost:${resourcePort}/.well-known/oauth-protected-resource/mcp"${why}`);
    return json(response, 401, { error: 'invalid_token' });
  }
  stats.calls += 1;
  return answer(request, response);
}

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

createServer(provider.callback()).listen(issuerPort, 'localhost', () => {
  createServer((request, response) => guard(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) json(response, 500, {});
  })).listen(resourcePort, 'localhost', () => console.log('ready'));
});
