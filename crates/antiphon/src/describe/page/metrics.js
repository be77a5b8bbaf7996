// Figures in the text format of Prometheus: read, compared with the ones before, and summed up.

// More than that is no text of ours.
const MAX_LENGTH = 8 << 20;

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = new Map([
  ["n", "\n"],
  ["\\", "\\"],
  ['"', '"'],
]);

/** The text as `Map` of names to `[{ labels: Map, value }]`. */
export function parseMetrics(text) {
  const families = new Map();
  for (const line of text.slice(0, MAX_LENGTH).split("\n")) {
    const parts = line.startsWith("#") ? null : line.match(LINE);
    if (!parts) continue;
    const [, name, raw = "", value] = parts;
    const labels = new Map();
    for (const [, key, label] of raw.matchAll(LABEL))
      labels.set(
        key,
        label.replace(/\\(.)/g, (all, char) => ESCAPES.get(char) ?? all),
      );
    if (!families.has(name)) families.set(name, []);
    families.get(name).push({ labels, value: Number(value.replace("Inf", "Infinity")) });
  }
  return families;
}

/** The counters of each method: `Map` of names to `{ calls, errors, inFlight, buckets }`. */
export function byMethod(families) {
  const methods = new Map();
  const of = (labels) => {
    const name = labels.get("method") ?? "";
    if (!methods.has(name)) methods.set(name, { calls: 0, errors: 0, inFlight: 0, buckets: new Map() });
    return methods.get(name);
  };
  for (const { labels, value } of families.get("antiphon_calls_total") ?? []) of(labels).calls += value;
  for (const { labels, value } of families.get("antiphon_errors_total") ?? []) of(labels).errors += value;
  for (const { labels, value } of families.get("antiphon_calls_in_flight") ?? [])
    of(labels).inFlight += value;
  for (const { labels, value } of families.get("antiphon_call_seconds_bucket") ?? []) {
    const { buckets } = of(labels);
    const bound = Number((labels.get("le") ?? "").replace("+Inf", "Infinity"));
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return methods;
}

/** All buckets of all methods together; with `before`, only what has come since. */
export function allBuckets(methods, before = new Map()) {
  const sum = new Map();
  for (const [name, { buckets }] of methods) {
    for (const [bound, count] of buckets) {
      // A counter that has gone back has begun again.
      const old = before.get(name)?.buckets.get(bound) ?? 0;
      sum.set(bound, (sum.get(bound) ?? 0) + (count >= old ? count - old : count));
    }
  }
  return sum;
}

/** The time, in seconds, below which a share of the calls stay; NaN without any. */
export function quantile(buckets, share) {
  const bounds = [...buckets].sort(([a], [b]) => a - b);
  const all = bounds.at(-1)?.[1] ?? 0;
  if (!(all > 0)) return NaN;
  const wanted = all * share;
  let [lower, below] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= wanted) {
      // The last bucket has no upper end to measure against.
      if (bound === Infinity) return lower;
      return count === below ? bound : lower + ((bound - lower) * (wanted - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

/** By how much a counter of each key has grown, as a rate, in a `Map` of the keys that have. */
export function rates(now, before, seconds, pick) {
  const out = new Map();
  for (const [key, value] of now) {
    const [current, old] = [pick(value), before.has(key) ? pick(before.get(key)) : null];
    // What was not there before has not grown in this second: it has only been noticed now.
    const grown = old === null ? 0 : current >= old ? current - old : current;
    out.set(key, grown / seconds);
  }
  return out;
}
