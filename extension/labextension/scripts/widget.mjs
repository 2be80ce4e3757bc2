/** Bundles the kernel widget's front end into the Python package: one file, style included, nothing fetched at run time. */
import { build } from 'esbuild';

const result = await build({
  entryPoints: ['src/widget.ts'],
  outfile: '../../widgets/retinue/static/chart.js',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  loader: { '.css': 'text' },
  minify: process.argv.includes('--minify'),
  legalComments: 'inline',
  metafile: true
});
for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
  console.log(`${file}: ${(bytes / 1024).toFixed(0)} KiB`);
}
