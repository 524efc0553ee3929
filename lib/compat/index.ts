export type { CompatSession, CompatSessionCalls } from '../../types/compat.js'
export { sessionCompat } from './plugin.js'
