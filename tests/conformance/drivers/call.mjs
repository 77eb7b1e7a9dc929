// Driver 1: `claviger tools` and `claviger call`, with `claviger login` when they ask for it.

import { Browser } from '../../support/browser.mjs';
import { argumentsOf } from '../../support/mcp.mjs';
import { problemOf, Refusal, toolsOf } from '../../support/claviger.mjs';
import { boundedSignIns, main, SLUG } from './scenario.mjs';

await main(async ({ version }, claviger) => {
  const browser = new Browser({ log: (line) => console.error(`browser: ${line}`) });
  const signIn = boundedSignIns(async () => {
    const { code, ended, raw, stderr } = await claviger.login(SLUG, browser);
    if (code !== 0 || ended?.outcome !== 'success') {
      throw new Refusal(`the sign-in ended as ${ended?.outcome ?? 'nothing'}, exit ${code}: ${raw.join(' ')} ${stderr.trim()}`);
    }
  });
  const command = async (...args) => {
    for (;;) {
      const answer = await claviger.run([...args, '--protocol-version', version]);
      if (answer.code === 0) return answer.lines;
      const problem = problemOf(answer.lines);
      if (answer.code !== 3 || !['needs_sign_in', 'needs_scopes'].includes(problem)) {
        throw new Refusal(`claviger ${args.join(' ')}: exit ${answer.code} (${problem})`);
      }
      await signIn();
    }
  };
  const tools = toolsOf(await command('tools', SLUG, '--json'));
  if (tools.length === 0) throw new Refusal('no tools were listed');
  for (const tool of tools) {
    await command('call', SLUG, tool.name, '--json', JSON.stringify(argumentsOf(tool)));
  }
});
