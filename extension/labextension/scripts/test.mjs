/** Bundles the unit tests and runs them with Node's own test runner. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { build } from 'esbuild';

const tests = readdirSync('test').filter(name => name.endsWith('.test.ts'));
await build({
  entryPoints: tests.map(name => `test/${name}`),
  outdir: 'lib/test',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node22'
});
const files = tests.map(name => `lib/test/${name.replace(/\.ts$/, '.cjs')}`);
const run = spawnSync(process.execPath, ['--test', ...files], {
  stdio: 'inherit'
});
process.exit(run.status ?? 1);
