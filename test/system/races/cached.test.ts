// The same races with the option `sessionCache`. They run one schedule in six: what they share with the others is tried there.
import '../../tools/session-cache-on.js'
import './fewer-runs.js'
import './races.test.js'
