// The film: the sheets of a run as they are, one after another, by a slider or played.

import { count, set } from './words.js';

const MOST = 80; // frames that are played
const PAUSE = 120; // milliseconds of a frame
const HOLD = 2000; // of the last one

/** The film in the page's figure. */
export class Film {
  constructor(page) {
    this.page = page; // {film, title, large, sheet, player, play, place, which}
    this.sheets = []; // [[step, epoch, address]]
    this.playing = false;
    this.shown = null; // the address of the sheet that is shown
    page.place.addEventListener('input', () => {
      this.stop();
      this.go(Number(page.place.value));
    });
    page.play.addEventListener('click', () => this.playing ? this.stop() : this.play());
  }

  /** Take the sheets of a run; stay at the newest where that was shown. */
  show(base, sheets, anew) {
    const old = this.sheets, place = Number(this.page.place.value);
    const newest = anew || place >= old.length - 1;
    const step = old.length ? old[Math.min(place, old.length - 1)][0] : 0;
    if (anew) {
      this.stop();
      this.shown = null;
      this.page.sheet.removeAttribute('src'); // not another run's under this name
    }
    this.base = base;
    this.sheets = sheets;
    this.page.film.hidden = !sheets.length;
    if (!sheets.length) return;
    const points = sheets[0][0] === null;
    this.page.player.hidden = points;
    set(this.page.title, 'textContent', points ? 'Real and generated points'
      : 'Samples, from the same z all along');
    this.page.place.max = sheets.length - 1;
    this.page.place.disabled = this.page.play.disabled = sheets.length < 2;
    if (this.playing) return;
    const same = sheets.findIndex(sheet => sheet[0] >= step);
    this.go(newest || same < 0 ? sheets.length - 1 : same);
  }

  /** Show the sheet of a place, as soon as it is loaded. */
  async go(place) {
    const [step, epoch, address] = this.sheets[place];
    const url = this.base + address, { sheet, large, which } = this.page;
    this.page.place.value = place;
    const text = step === null ? 'the last step'
      : `step ${count(step)}, epoch ${count(epoch)}`;
    set(which, 'textContent', text);
    this.page.place.setAttribute('aria-valuetext', text);
    if (this.shown === url) return;
    this.shown = url;
    const next = new Image();
    next.src = url;
    try {
      await next.decode();
    } catch {
      if (this.shown === url) this.shown = null; // it has gone: begun anew
      return;
    }
    if (this.shown !== url) return;
    sheet.src = large.href = url;
    sheet.alt = `Samples after ${text}`;
  }

  /** Play from here, or from the beginning where this is the end. */
  async play() {
    this.playing = true;
    set(this.page.play, 'textContent', 'Pause');
    const number = this.number = (this.number || 0) + 1;
    let place = Number(this.page.place.value);
    if (place >= this.sheets.length - 1) place = 0;
    while (this.playing && number === this.number) {
      const last = this.sheets.length - 1;
      await this.go(Math.min(place, last));
      await new Promise(done => setTimeout(done, place === last ? HOLD : PAUSE));
      if (place >= last) place = 0;
      else place = Math.min(last, place + Math.max(1, Math.round(last / MOST)));
    }
  }

  stop() {
    this.playing = false;
    set(this.page.play, 'textContent', 'Play');
  }
}
