// Animated GIFs. Pictures come as RGBA bytes, [height * width * 4]; all share 256 colours.

const COLOURS = 256;
const LONGEST_CODE = 12;      // bits
const GRAYS = Array.from({length: COLOURS}, (_, i) => [i, i, i]);

/** Return the bytes of a GIF that goes round for ever; `delay` in hundredths of a second. */
export function animation(frames, width, height, delay) {
  const gray = [...new Set(frames)].every(isGray);
  const palette = gray ? GRAYS : chooseColours(frames);
  const nearest = gray ? r => r : finder(palette);
  const written = new Map();
  const chunks = [Uint8Array.from(header(width, height, palette))];
  for (const frame of frames) {
    if (!written.has(frame)) {
      written.set(frame, Uint8Array.from([
        ...control(delay), ...place(width, height), ...compress(indices(frame, nearest))]));
    }
    chunks.push(written.get(frame));
  }
  return new Blob([...chunks, Uint8Array.of(0x3b)], {type: 'image/gif'});
}

// --- the format --------------------------------------------------------------------

const short = x => [x & 255, x >> 8];
const text = letters => [...letters].map(letter => letter.charCodeAt(0));

function header(width, height, palette) {
  const table = palette.flat();
  const unused = Array(3 * COLOURS - table.length).fill(0);
  const forEver = [0x21, 0xff, 11, ...text('NETSCAPE2.0'), 3, 1, 0, 0, 0];
  return [...text('GIF89a'), ...short(width), ...short(height), 0xf7, 0, 0,
    ...table, ...unused, ...forEver];
}

function control(delay) {
  return [0x21, 0xf9, 4, 4, ...short(delay), 0, 0];
}

function place(width, height) {
  return [0x2c, 0, 0, 0, 0, ...short(width), ...short(height), 0];
}

/** Return colour numbers by LZW, in blocks of at most 255 bytes, as GIF has them. */
export function compress(pixels) {
  const bytes = [];
  let buffer = 0, held = 0;
  const put = (code, bits) => {
    buffer |= code << held;
    for (held += bits; held >= 8; held -= 8, buffer >>>= 8) bytes.push(buffer & 255);
  };
  const clear = COLOURS, end = COLOURS + 1;
  let codes = new Map(), next = COLOURS + 2, bits = 9, prefix = pixels[0];
  put(clear, bits);
  for (let i = 1; i < pixels.length; i++) {
    const key = prefix << 8 | pixels[i];
    if (codes.has(key)) {
      prefix = codes.get(key);
      continue;
    }
    put(prefix, bits);
    prefix = pixels[i];
    if (next === 2 ** LONGEST_CODE) {
      put(clear, bits);
      [codes, next, bits] = [new Map(), COLOURS + 2, 9];
    } else {
      if (next === 2 ** bits) bits++;
      codes.set(key, next++);
    }
  }
  put(prefix, bits);
  put(end, bits);
  put(0, 7);
  return blocks(bytes);
}

function blocks(bytes) {
  const out = [8];
  for (let i = 0; i < bytes.length; i += 255) {
    const part = bytes.slice(i, i + 255);
    out.push(part.length, ...part);
  }
  return [...out, 0];
}

// --- colours -----------------------------------------------------------------------

const bin = (r, g, b) => r >> 2 << 12 | g >> 2 << 6 | b >> 2;     // 64 of each

function isGray(frame) {
  return frame.every((x, i) => i % 4 === 3 || x === frame[i - i % 4]);
}

/** Return at most 256 colours [r, g, b], by cutting the fullest box at its middle. */
export function chooseColours(frames) {
  const boxes = [count(frames)];
  while (boxes.length < COLOURS) {
    boxes.sort((a, b) => worth(a) - worth(b));
    if (worth(boxes[boxes.length - 1]) === 0) break;
    boxes.push(...cut(boxes.pop()));
  }
  return boxes.map(mean);
}

/** Return the colours that there are, [[r, g, b, how often], …]; similar ones together. */
function count(frames) {
  const sums = new Map();
  for (const frame of new Set(frames)) {
    for (let i = 0; i < frame.length; i += 4) {
      const key = bin(frame[i], frame[i + 1], frame[i + 2]);
      const sum = sums.get(key) || [0, 0, 0, 0];
      sum[0] += frame[i];
      sum[1] += frame[i + 1];
      sum[2] += frame[i + 2];
      sum[3]++;
      sums.set(key, sum);
    }
  }
  return [...sums.values()].map(([r, g, b, n]) => [r / n, g / n, b / n, n]);
}

function range(box, channel) {
  let low = 255, high = 0;
  for (const colour of box) {
    low = Math.min(low, colour[channel]);
    high = Math.max(high, colour[channel]);
  }
  return high - low;
}

function longest(box) {
  const ranges = [0, 1, 2].map(channel => range(box, channel));
  return ranges.indexOf(Math.max(...ranges));
}

function weight(box) {
  return box.reduce((sum, colour) => sum + colour[3], 0);
}

/** Return how much a box gains by being cut; kept with it, since it is asked for often. */
function worth(box) {
  if (box.worth === undefined) {
    box.worth = box.length < 2 ? 0 : range(box, longest(box)) * Math.sqrt(weight(box));
  }
  return box.worth;
}

function cut(box) {
  const channel = longest(box);
  const sorted = [...box].sort((a, b) => a[channel] - b[channel]);
  const half = weight(box) / 2;
  let at = 0, sum = 0;
  while (at < sorted.length - 1 && (sum === 0 || sum < half)) sum += sorted[at++][3];
  return [sorted.slice(0, at), sorted.slice(at)];
}

function mean(box) {
  const all = weight(box);
  return [0, 1, 2].map(channel => Math.round(
    box.reduce((sum, colour) => sum + colour[channel] * colour[3], 0) / all));
}

/** Return a function that gives the number of the nearest colour; it remembers. */
function finder(palette) {
  const known = new Int16Array(2 ** 18).fill(-1);
  return (r, g, b) => {
    const key = bin(r, g, b);
    if (known[key] < 0) {
      const distances = palette.map(([x, y, z]) => (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2);
      known[key] = distances.indexOf(Math.min(...distances));
    }
    return known[key];
  };
}

function indices(frame, nearest) {
  return Uint8Array.from({length: frame.length / 4}, (_, i) =>
    nearest(frame[4 * i], frame[4 * i + 1], frame[4 * i + 2]));
}
