// Random numbers, and ways through the space of z. Nothing here knows the page.
//
// A point is z as normal numbers. Where the network takes uniform ones, toZ makes them
// of it; so ways between points stay where z is drawn, whichever it is.

/** Return a function that draws from [0, 1): the same for a seed everywhere (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Return `count` numbers of N(0, 1), by Box and Muller. */
export function normals(random, count) {
  return Float32Array.from({length: count}, () =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}

/** Return the share of N(0, 1) below x, within 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
export function phi(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const powers = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const above = powers.reduce((sum, power) => sum * t + power) * t * Math.exp(-x * x / 2) / 2;
  return x < 0 ? above : 1 - above;
}

/** Return the z that the network takes for a point. */
export function toZ(point, prior) {
  if (prior === 'normal01') return point;
  const low = prior === 'uniform_signed' ? -1 : 0;
  return point.map(x => low + (1 - low) * phi(x));
}

export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Return a + factor * b. */
export function plus(a, b, factor) {
  return a.map((x, i) => x + factor * b[i]);
}

/** Return the point moved along a vector of length 1, to where it measures `value`. */
export function moved(point, vector, value) {
  return plus(point, vector, value - dot(point, vector));
}

/** Return a point on the line from a to b, for labels. */
export function between(a, b, t) {
  return a.map((x, i) => (1 - t) * x + t * b[i]);
}

/** Return the point at the share t of the arc from a to b; the length changes evenly. */
export function arc(a, b, t) {
  if (t <= 0 || t >= 1) return t <= 0 ? a : b;
  const sizes = [a, b].map(v => Math.sqrt(dot(v, v)) || 1);
  const cosine = dot(a, b) / sizes[0] / sizes[1];
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine)));
  if (Math.sin(angle) < 1e-6) return between(a, b, t);
  const size = (1 - t) * sizes[0] + t * sizes[1];
  const from = size * Math.sin((1 - t) * angle) / Math.sin(angle) / sizes[0];
  const to = size * Math.sin(t * angle) / Math.sin(angle) / sizes[1];
  return a.map((x, i) => from * x + to * b[i]);
}

/** Return a point beside another: `share` of it, from 0 to 1, is drawn anew. */
export function near(point, random, share) {
  const kept = point.map(x => Math.sqrt(1 - share * share) * x);
  return plus(kept, normals(random, point.length), share);
}
