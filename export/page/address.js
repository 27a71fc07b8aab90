// What stands behind # in the address, so that a link to a picture can be sent:
// #seed=7&n=12 is picture 12 of the sheet of seed 7; where it was changed since, face=…
// holds all numbers of it.

const FINENESS = 4096;        // steps of a number between 0 and 1; it ends before 8
const LONGEST = 1800;         // characters, which every program passes on
export const SEEDS = 2 ** 32;

/** Return the text for {seed, n} or {seed, numbers}; numbers too many are left out. */
export function write({seed, n, numbers}) {
  const text = `seed=${seed}`;
  if (n !== undefined) return `${text}&n=${n}`;
  const packed = numbers ? pack(numbers) : '';
  return packed && packed.length <= LONGEST ? `${text}&face=${packed}` : text;
}

/** Return {seed, n, numbers} of such a text; what is not there, or wrong, is undefined. */
export function read(text, count) {
  const found = new URLSearchParams(text.replace(/^#/, ''));
  const seed = whole(found.get('seed'));
  return {
    seed: seed < SEEDS ? seed : undefined,
    n: whole(found.get('n')),
    numbers: unpack(found.get('face') || '', count),
  };
}

function whole(text) {
  return /^\d{1,10}$/.test(text || '') ? Number(text) : undefined;
}

/** Write numbers as base64 of 16 bits each, with the characters that links may have. */
export function pack(numbers) {
  const bytes = new DataView(new ArrayBuffer(2 * numbers.length));
  numbers.forEach((x, i) => bytes.setInt16(
    2 * i, Math.max(-32768, Math.min(32767, Math.round(FINENESS * x)))));
  const text = String.fromCharCode(...new Uint8Array(bytes.buffer));
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}

/** Return the `count` numbers that pack wrote, or undefined. */
export function unpack(packed, count) {
  if (!/^[\w-]+$/.test(packed)) return undefined;
  let text;
  try {
    text = atob(packed.replace(/-/g, '+').replace(/_/g, '/'));
  } catch (error) {
    return undefined;
  }
  if (text.length !== 2 * count) return undefined;
  const bytes = new DataView(Uint8Array.from(text, c => c.charCodeAt(0)).buffer);
  return Float32Array.from({length: count}, (_, i) => bytes.getInt16(2 * i) / FINENESS);
}
