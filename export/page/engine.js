// The network: an ONNX file, run by onnxruntime-web in WebAssembly, both in this file.
// One thread, since more would need headers of a server.

import {facts, part} from './facts.js';
import {toZ} from './numbers.js';

const AT_ONCE = 16;           // pictures a call; so that nobody waits long for their turn

let ort, session;
let queue = Promise.resolve();

/** Start the network; an error says what the browser lacks. */
export async function start() {
  const [wasm, model] = await Promise.all([gunzip(part('wasm')), gunzip(part('model'))]);
  const code = new Blob([part('runtime')], {type: 'text/javascript'});
  const url = URL.createObjectURL(code);
  ort = await import(url);
  URL.revokeObjectURL(url);
  Object.assign(ort.env.wasm, {wasmBinary: wasm, numThreads: 1});
  session = await ort.InferenceSession.create(model, {executionProviders: ['wasm']});
}

async function gunzip(base64) {
  const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return the pictures of faces {point, y}, each a Float32Array [H * W * C] in [-1, 1]. */
export async function draw(faces) {
  const pictures = [];
  for (let i = 0; i < faces.length; i += AT_ONCE) {
    pictures.push(...await inTurn(faces.slice(i, i + AT_ONCE)));
  }
  return pictures;
}

/** Do as run does, after all that was asked for before. */
function inTurn(faces) {
  const drawn = queue.then(() => run(faces));
  queue = drawn.catch(() => {});
  return drawn;
}

async function run(faces) {
  const feeds = {z: tensor(faces.map(face => toZ(face.point, facts.z_dist)))};
  if (facts.names.length) feeds.y = tensor(faces.map(face => face.y));
  const {images} = await session.run(feeds);
  const size = images.data.length / faces.length;
  const pictures = faces.map((_, i) => images.data.slice(i * size, (i + 1) * size));
  images.dispose();
  return pictures;
}

function tensor(rows) {
  const data = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => data.set(row, i * row.length));
  return new ort.Tensor('float32', data, [rows.length, rows[0].length]);
}
