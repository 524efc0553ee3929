// @ts-check

/**
 * A check that sessions are kept safe by, and what its absence would look like.
 *
 * @typedef {object} Mutation
 * @property {string} check What the text does.
 * @property {string} requirement Of OWASP ASVS 5.0 by its number, else one of our own promises.
 * @property {string} file
 * @property {string} text Occurs once in the file.
 * @property {string} replacement
 * @property {string} test The test file that must fail then.
 */

export {}
