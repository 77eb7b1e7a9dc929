// Driver 2: `claviger serve`, and a plain MCP caller in front of it that opens the link it gets.

import { Browser } from '../../support/browser.mjs';
import { Refusal } from '../../support/claviger.mjs';
import { callEverything, Caller } from '../../support/mcp.mjs';
import { boundedSignIns, main, SLUG } from './scenario.mjs';

await main(async ({ version }, claviger) => {
  const browser = new Browser({ log: (line) => console.error(`browser: ${line}`) });
  const { url, token } = await claviger.serve();
  const caller = new Caller(`${url}/${SLUG}/mcp`, { token, version, log: (line) => console.error(`caller: ${line}`) });
  const results = await callEverything(caller, boundedSignIns(async (link) => {
    const page = await browser.visit(link);
    if (page.status !== 200) throw new Refusal(`the sign-in ended on a page with status ${page.status}: ${page.body.replace(/<[^>]*>|\s+/g, ' ').slice(0, 400)}`);
  }));
  if (Object.keys(results).length === 0) throw new Refusal('no tools were listed');
});
