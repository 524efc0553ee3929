import { defineConfig } from 'rolldown'

const entries = [
  'index',
  'plugin/index',
  'compat/index',
  'oauth/index',
  'stores/postgres/index',
  'stores/redis/index',
  'stores/sqlite/index',
  'testing/index',
]

/**
 * One file of the core, and one for each other entry point, which imports from the core what it shares with it: a
 * class must be one class, and each further file costs time at start-up.
 */
export default defineConfig({
  input: Object.fromEntries(entries.map((name) => [name, `lib/${name}.ts`])),
  platform: 'node',
  logLevel: 'warn',
  external: /^[^./]/,
  transform: { target: 'node20.19' },
  output: {
    dir: 'dist/lib',
    chunkFileNames: '[name].js',
    codeSplitting: {
      groups: [
        {
          name: 'gosesh',
          test: /lib\/(?!compat|oauth|testing|stores\/(postgres|redis|sqlite)|device-binding\/(?!options|headers)|plugin\/device-(binding|events))/,
        },
      ],
    },
    comments: false,
    sourcemap: true,
    sourcemapExcludeSources: true,
    // The sources are not packed. Names that are no files keep tools from looking for them.
    sourcemapPathTransform: (source) => source.replace(/^.*?(?=lib\/)/, 'gosesh:///'),
  },
})
