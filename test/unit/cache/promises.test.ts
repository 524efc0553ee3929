// All promises, with the option `sessionCache`.
import '../../tools/session-cache-on.js'
import '../promise-idle.test.js'
import '../promises.test.js'
