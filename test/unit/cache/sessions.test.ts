// Sessions, their end and their change, with the option `sessionCache`.
import '../../tools/session-cache-on.js'
import '../session/app-gosesh.test.js'
import '../session/events.test.js'
import '../session/reauthenticate.test.js'
import '../session/sessions.test.js'
import '../session/sign-in.test.js'
import '../session/sign-out.test.js'
