/**
 * Return a function that does `work` with what it is given, one after the other. What
 * comes while it works waits; of several that wait, only the newest is done. So whoever
 * asks last is shown last.
 */
export function newest(work) {
  let waiting = [], running = null;
  async function run() {
    try {
      while (waiting.length) await work(waiting.pop());
    } finally {
      running = null;
    }
  }
  return request => {
    waiting = [request];
    running = running || run();
    return running;
  };
}
