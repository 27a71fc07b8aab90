// The page: asks for the list of runs and for the chosen one, and shows what changed.
// The chosen run is in the address, as #run=NAME&with=OTHER.

import { Chart } from './chart.js';
import { Film } from './film.js';
import { count, digits, make, set, span } from './words.js';

const SOON = 2000, LATER = 5000; // milliseconds until it asks again
const WORDS = { training: 'training', finished: 'finished', stopped: 'stopped',
  new: 'no step yet' };
const page = Object.fromEntries([...document.querySelectorAll('[id]')]
  .map(element => [element.id, element]));
const film = new Film({ ...page, title: page['film-title'] });
const loss = new Chart({ title: 'Losses' });
const accuracy = new Chart({ title: 'Share that D gets right', range: [0, 1.02],
  half: true, share: true });
const items = new Map(); // of the list, by the id of a run
const known = new Map(); // id: {version, details}
let judges = new Map(); // by what judged: a Chart
let list = { runs: [] };
let shown = null; // the id of the run that is shown
let drawn = null; // what the charts show
let timer = null;
let turn = 0; // the number of the newest refresh; what an older one brings is dropped

page.loss.append(loss.element);
page.accuracy.append(accuracy.element);

// --- what is asked for -------------------------------------------------------------

/** Return JSON of the server; null where it has no such thing. */
async function ask(address) {
  const answer = await fetch(address);
  return answer.ok ? answer.json() : null;
}

/** Return what the address says: {run, with}. */
function chosen() {
  const words = location.hash.slice(1).split('&').map(word => word.split('='));
  return Object.fromEntries(words);
}

/** Return all of a run, asked for again only where its files have changed. */
async function details(id) {
  const run = list.runs.find(run => run.id === id);
  if (!run) return null;
  const before = known.get(id);
  if (!before || before.version !== run.version) {
    const found = await ask(`runs/${id}.json`);
    if (!found) return null;
    known.set(id, found);
  }
  return { ...known.get(id), ...run };
}

/** Ask, show, and ask again after a while: never while nobody looks. */
async function refresh() {
  const mine = turn += 1;
  try {
    list = await ask('runs.json') || list;
    page.alarm.hidden = true;
    await show(mine);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // what fetch says of no network
    set(page.alarm, 'textContent', 'The server does not answer. Was it ended? Start it '
      + 'again by: python main.py --task watch');
    page.alarm.hidden = false;
  }
  clearTimeout(timer);
  const busy = list.runs.some(run => run.state === 'training');
  if (!document.hidden) timer = setTimeout(refresh, busy ? SOON : LATER);
}

async function show(mine) {
  showList();
  page.none.hidden = list.runs.length > 0;
  const { run, with: other } = chosen();
  const id = list.runs.some(item => item.id === run) ? run : list.runs[0]?.id;
  const found = id === undefined ? null : await details(id);
  const beside = found && other && other !== id ? await details(other) : null;
  if (mine !== turn) return; // another run was chosen meanwhile
  page.run.hidden = !found;
  if (found) showRun(found, beside);
}

// --- the list ----------------------------------------------------------------------

function showList() {
  set(page.folder, 'textContent', list.folder || '');
  page.older.hidden = !list.older;
  set(page.older, 'textContent', `and ${list.older} older ones`);
  for (const [id, item] of items) {
    if (!list.runs.some(run => run.id === id)) {
      item.remove();
      items.delete(id);
    }
  }
  list.runs.forEach((run, i) => {
    if (!items.has(run.id)) items.set(run.id, makeItem(run.id));
    const item = items.get(run.id);
    const there = page.runs.children[i];
    if (there !== item) page.runs.insertBefore(item, there);
    fillItem(item, run);
  });
}

function makeItem(id) {
  const link = make('a', { href: `#run=${id}` },
    make('div', { className: 'thumb' }, make('img', { alt: '', loading: 'lazy' })),
    make('div', {}, make('p', { className: 'name' }), make('p', { className: 'how' },
      make('span', { className: 'state' }), make('span', { className: 'far' })),
    make('p', { className: 'speed how' })));
  return make('li', {}, link);
}

function fillItem(item, run) {
  const part = name => item.querySelector(`.${name}`);
  set(part('name'), 'textContent', run.name);
  set(part('state'), 'textContent', WORDS[run.state]);
  set(part('state'), 'className', `state ${run.state}`);
  set(part('far'), 'textContent', far(run));
  set(part('speed'), 'textContent', speed(run));
  const thumb = part('thumb').firstChild, src = `pictures/${run.id}/${run.newest}`;
  if (run.newest && thumb.getAttribute('src') !== src) thumb.src = src;
  const current = run.id === (chosen().run || list.runs[0].id);
  const link = item.firstChild;
  if (current) link.setAttribute('aria-current', 'page');
  else link.removeAttribute('aria-current');
}

/** Say shortly how far a run is. */
function far(run) {
  if (run.left !== null) return ` · ${span(run.left)} left`;
  return run.step ? ` · step ${count(run.step)}` : '';
}

/** Say how fast it goes. */
function speed(run) {
  if (run.state !== 'training' || !run.rate) return '';
  return run.images ? `${digits(run.images)} images/s` : `${digits(run.rate)} steps/s`;
}

// --- the run -----------------------------------------------------------------------

function showRun(run, other) {
  const anew = shown !== run.id;
  shown = run.id;
  document.title = `${run.name} · ${count(run.step)}`;
  set(page.name, 'textContent', run.name);
  set(page.state, 'textContent', WORDS[run.state]);
  set(page.state, 'className', `state ${run.state}`);
  set(page.about, 'textContent', run.about);
  page.progress.hidden = !run.total;
  page.progress.value = run.total ? Math.min(1, run.step / run.total) : 0;
  fill(page.facts, facts(run), ([name, value]) => make('div', {},
    make('dt', { textContent: name }), make('dd', { textContent: value })));
  fill(page.notes, run.notes, note => make('li', { textContent: note }));
  film.show(`pictures/${run.id}/`, run.sheets, anew);
  page.empty.hidden = run.sheets.length > 0;
  set(page.empty, 'textContent', run.state === 'training'
    ? 'There is no sheet of samples yet: the first comes after --sample_freq steps.'
    : `There is no sheet of samples in ${run.sample_dir} `
      + '(another folder: --sample_dir).');
  showCharts(run, other);
  fill(page.given, run.given, flag => make('span', {},
    make('span', { textContent: flag }), ' '));
  page.given.parentElement.hidden = !run.given.length;
}

/** Fill an element with a part for each value, where the values have changed. */
function fill(element, values, part) {
  const text = JSON.stringify(values);
  if (element.filled === text) return;
  element.filled = text;
  element.replaceChildren(...values.map(part));
}

function facts(run) {
  const of = (value, all) => all ? `${count(value)} of ${count(all)}` : count(value);
  const found = [['step', of(run.step, run.total)]];
  if (run.epoch) found.push(['epoch', of(run.epoch, run.epochs)]);
  if (run.state === 'training' && run.rate) {
    found.push(['speed', `${speed(run)}, ${digits(1 / run.rate)} s a step`]);
  }
  if (run.total > run.step) {
    found.push(['still to go', `${count(run.total - run.step)} steps`
      + (run.left === null ? '' : `, about ${span(run.left)}`)]);
  }
  if (run.seconds) found.push(['trained for', span(run.seconds)]);
  if (run.age !== null && run.step && (run.state !== 'training' || run.age > 20)) {
    found.push(['last step', `${span(run.age)} ago`]);
  }
  return found;
}

// --- the charts --------------------------------------------------------------------

/** Return the lines of a run's curves: [name of the column, label, class]. */
function lines(run, columns, other) {
  return columns.filter(([name]) => run.curves[name]).map(([name, label, kind]) => ({
    label: other ? `${label} (${run.name})` : label, kind, other,
    step: run.curves.step, ...run.curves[name] }));
}

function showCharts(run, other) {
  showOthers(run, other);
  const news = [run.id, run.version, other?.id, other?.version].join();
  if (news === drawn) return;
  drawn = news;
  const both = columns => [...lines(run, columns, false),
    ...(other ? lines(other, columns, true) : [])];
  loss.show(both([['g_loss', 'G', 'g'], ['d_loss_real', 'D on real', 'real'],
    ['d_loss_fake', 'D on generated', 'fake']]));
  accuracy.show(both([['d_acc_real', 'on real', 'real'],
    ['d_acc_fake', 'on generated', 'fake']]));
  page.loss.hidden = !run.curves.g_loss;
  page.accuracy.hidden = !run.curves.d_acc_real;
  const distances = run => run.judged.map(judged => ({ ...judged, mean: judged.fd }));
  const charts = new Map(run.judged.map(({ by, title }) => [by, judges.get(by)
    || new Chart({ title: 'Fréchet distance', note: title, powers: true, best: true })]));
  if ([...charts.keys()].join() !== [...judges.keys()].join()) {
    page.judged.replaceChildren(...[...charts.values()].map(chart => chart.element));
  }
  judges = charts;
  for (const [by, chart] of charts) {
    const line = (run, other) => distances(run).filter(judged => judged.by === by)
      .map(judged => ({ ...judged, kind: 'g', other,
        label: other ? run.name : 'smaller is better', also: ['KID', judged.kid] }));
    chart.show([...line(run, false), ...(other ? line(other, true) : [])]);
  }
}

/** Offer the other runs, to compare with. */
function showOthers(run, other) {
  const others = list.runs.filter(item => item.id !== run.id && item.step);
  page.comparing.hidden = !others.length || !run.step;
  fill(page.other, [['', 'no other run'], ...others.map(item => [item.id, item.name])],
    ([value, textContent]) => make('option', { value, textContent }));
  set(page.other, 'value', other ? other.id : '');
}

page.other.addEventListener('change', () => {
  const other = page.other.value;
  location.hash = `run=${shown}${other ? `&with=${other}` : ''}`;
});
addEventListener('hashchange', refresh);
document.addEventListener('visibilitychange', () => document.hidden || refresh());
refresh();
