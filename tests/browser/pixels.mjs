// What a picture shows, as far as a test can tell.
import { inflateSync } from "node:zlib";

// The number of different colours in a PNG of 8 bits a channel, as a browser takes pictures of itself.
export const colours = (png) => {
  const { rows, channels } = decode(png);
  const seen = new Set();
  for (const row of rows) {
    for (let at = 0; at < row.length; at += channels) seen.add((row[at] << 16) | (row[at + 1] << 8) | row[at + 2]);
  }
  return seen.size;
};

const decode = (png) => {
  let header;
  const packed = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") header = { width: data.readUInt32BE(0), height: data.readUInt32BE(4), depth: data[8], colour: data[9] };
    if (kind === "IDAT") packed.push(data);
    at += 12 + length;
  }
  const channels = { 2: 3, 6: 4 }[header.colour];
  if (header.depth !== 8 || !channels) throw new Error(`a PNG of colour type ${header.colour} is not read here`);
  return { rows: unfilter(inflateSync(Buffer.concat(packed)), header.width * channels, channels), channels };
};

// PNG's five filters: what a byte adds to, by the number before its row.
const unfilter = (bytes, width, channels) => {
  const rows = [];
  let above = new Uint8Array(width);
  for (let at = 0; at < bytes.length; at += width + 1) {
    const row = new Uint8Array(width);
    for (let x = 0; x < width; x++) {
      const left = x < channels ? 0 : row[x - channels];
      const corner = x < channels ? 0 : above[x - channels];
      row[x] = bytes[at + 1 + x] + [0, left, above[x], (left + above[x]) >> 1, paeth(left, above[x], corner)][bytes[at]];
    }
    rows.push(row);
    above = row;
  }
  return rows;
};

const paeth = (left, above, corner) => {
  const [a, b, c] = [left, above, corner].map((value) => Math.abs(left + above - corner - value));
  return a <= b && a <= c ? left : b <= c ? above : corner;
};
