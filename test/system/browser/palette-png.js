// @ts-check
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const signature = Buffer.from('89504e470d0a1a0a', 'hex')
const paletteSize = 128

/**
 * The chunks of a PNG file (W3C PNG, section 5.3).
 *
 * @param {Buffer} file
 */
function* chunksOf(file) {
  for (let at = signature.length; at < file.length; ) {
    const length = file.readUInt32BE(at)
    yield { type: file.toString('latin1', at + 4, at + 8), data: file.subarray(at + 8, at + 8 + length) }
    at += length + 12
  }
}

/**
 * @param {string} type
 * @param {Buffer} data
 */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/**
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function paeth(left, up, corner) {
  const estimate = left + up - corner
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(estimate - value))
  if (Number(a) <= Number(b) && Number(a) <= Number(c)) return left
  return Number(b) <= Number(c) ? up : corner
}

/**
 * Takes the filters off rows of pixels, in place (section 9.2).
 *
 * @param {Buffer} rows A byte with the filter's number before each row.
 * @param {number} stride Bytes of a row, without that byte.
 * @param {number} step Bytes of a pixel.
 */
function unfilter(rows, stride, step) {
  for (let start = 1; start < rows.length; start += stride + 1) {
    const filter = rows[start - 1]
    for (let x = 0; x < stride; x++) {
      const at = start + x
      const left = x < step ? 0 : Number(rows[at - step])
      const up = start === 1 ? 0 : Number(rows[at - stride - 1])
      const corner = x < step || start === 1 ? 0 : Number(rows[at - stride - 1 - step])
      const predicted = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][Number(filter)] ?? 0
      rows[at] = (Number(rows[at]) + predicted) & 255
    }
  }
}

/**
 * The colours that occur most, and for every other one the nearest of them.
 *
 * @param {Map<number, number>} counts By colour, 0xRRGGBB.
 */
function choosePalette(counts) {
  const colours = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour)
  const palette = colours.slice(0, paletteSize)
  /** @param {number} colour */
  const parts = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]
  /** @param {number} colour */
  const nearest = (colour) => {
    const wanted = parts(colour)
    const distances = palette.map((candidate) =>
      parts(candidate).reduce((sum, part, index) => sum + (part - Number(wanted[index])) ** 2, 0),
    )
    return distances.indexOf(Math.min(...distances))
  }
  const indices = new Map(colours.map((colour) => [colour, nearest(colour)]))
  return { indices, table: Buffer.from(palette.flatMap(parts)) }
}

/**
 * The same picture with a palette: a third of the size, for pages of few colours. Takes what Chromium makes, 8 bits a
 * channel without interlacing.
 *
 * @param {Buffer} file
 * @returns {Buffer}
 */
export function withPalette(file) {
  const chunks = [...chunksOf(file)]
  const header = Buffer.from(/** @type {{ data: Buffer }} */ (chunks[0]).data)
  const [width, height, step] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9] === 6 ? 4 : 3]
  const rows = inflateSync(
    Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data)),
  )
  unfilter(rows, width * step, step)

  /** @type {Map<number, number>} */
  const counts = new Map()
  const colours = new Uint32Array(width * height)
  for (let pixel = 0; pixel < colours.length; pixel++) {
    const at = pixel * step + Math.floor(pixel / width) + 1
    const colour = rows.readUIntBE(at, 3)
    colours[pixel] = colour
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  const { indices, table } = choosePalette(counts)
  const indexed = Buffer.alloc((width + 1) * height)
  colours.forEach((colour, pixel) => {
    indexed[pixel + Math.floor(pixel / width) + 1] = Number(indices.get(colour))
  })
  // 8 bits a pixel, each an index of the palette.
  header.set([8, 3], 8)
  const data = deflateSync(indexed, { level: 9 })
  const parts = [
    chunk('IHDR', header),
    chunk('PLTE', table),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]
  return Buffer.concat([signature, ...parts])
}
