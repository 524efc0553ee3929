// Lets Node run the TypeScript of this repository: `node --import ./test/tools/typescript.js FILE.ts`.
import { register } from 'node:module'

register('./typescript-hooks.js', import.meta.url)
