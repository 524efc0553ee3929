// What `gosesh/plugin` exports, and the type of `request.session`, which is another one's to declare if `decorateAs` is used.
import '../types/request-session.js'

export * from './plugin/index.js'
export { default, default as 'module.exports' } from './plugin/index.js'
