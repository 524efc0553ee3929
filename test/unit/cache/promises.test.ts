// All promises, with the option `sessionCache`.
import '../../tools/session-cache-on.js'
import '../promises.test.js'
