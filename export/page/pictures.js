// From the network's numbers to what is seen: canvases, large ones, and files.

import {facts} from './facts.js';

const {height, width, c_dim} = facts;
const LARGE = 512;            // pixels of an enlarged picture's longer side, about
export const FACTOR = Math.max(1, Math.round(LARGE / Math.max(height, width)));

/** Return an empty canvas for one picture. */
export function makeCanvas(factor = 1) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, {width: factor * width, height: factor * height});
  return canvas;
}

/** Paint a picture [H * W * C] in [-1, 1] onto a canvas of its size. */
export function paint(canvas, picture) {
  const image = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * p + c] = Math.round(127.5 * (picture[c_dim * p + c % c_dim] + 1));
    }
    image.data[4 * p + 3] = 255;
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
}

/** Paint a picture onto a canvas that is FACTOR times as large. */
export function paintLarge(canvas, picture, smooth) {
  const small = makeCanvas();
  paint(small, picture);
  const context = canvas.getContext('2d');
  Object.assign(context, {imageSmoothingEnabled: smooth, imageSmoothingQuality: 'high'});
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/** Let the browser save a Blob. */
export function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
