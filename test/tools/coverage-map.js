/** What a test file covers: anything in `lib`, and nothing of the examples or of the tests themselves. */
export default () => ['lib/**/*.ts']
