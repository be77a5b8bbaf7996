// Parser of the Prometheus text format, with quantiles and rates.

// The rest of a longer text is ignored.
const MAX_LENGTH = 8 << 20;

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = new Map([
  ["n", "\n"],
  ["\\", "\\"],
  ['"', '"'],
]);

/** Parses a text into a `Map` of names to `[{ labels: Map, value }]`. */
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
export function countersByMethod(families) {
  const methods = new Map();
  const countersOf = (labels) => {
    const name = labels.get("method") ?? "";
    if (!methods.has(name)) methods.set(name, { calls: 0, errors: 0, inFlight: 0, buckets: new Map() });
    return methods.get(name);
  };
  for (const { labels, value } of families.get("antiphon_calls_total") ?? [])
    countersOf(labels).calls += value;
  for (const { labels, value } of families.get("antiphon_errors_total") ?? [])
    countersOf(labels).errors += value;
  for (const { labels, value } of families.get("antiphon_calls_in_flight") ?? [])
    countersOf(labels).inFlight += value;
  for (const { labels, value } of families.get("antiphon_call_seconds_bucket") ?? []) {
    const { buckets } = countersOf(labels);
    const bound = Number((labels.get("le") ?? "").replace("+Inf", "Infinity"));
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return methods;
}

/** The sum of the buckets of all methods. With `before`, only the calls since then are counted. */
export function sumBuckets(methods, before = new Map()) {
  const sum = new Map();
  for (const [name, { buckets }] of methods) {
    for (const [bound, count] of buckets) {
      // A counter that has decreased was reset.
      const old = before.get(name)?.buckets.get(bound) ?? 0;
      sum.set(bound, (sum.get(bound) ?? 0) + (count >= old ? count - old : count));
    }
  }
  return sum;
}

/** The quantile of the duration in seconds; NaN without calls. */
export function quantile(buckets, share) {
  const bounds = [...buckets].sort(([a], [b]) => a - b);
  const all = bounds.at(-1)?.[1] ?? 0;
  if (!(all > 0)) return NaN;
  const wanted = all * share;
  let [lower, below] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= wanted) {
      // The last bucket has no upper bound to interpolate to.
      if (bound === Infinity) return lower;
      return count === below ? bound : lower + ((bound - lower) * (wanted - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

/** The growth of a counter per second, as a `Map` by key. */
export function rates(now, before, seconds, counter) {
  const out = new Map();
  for (const [key, value] of now) {
    const [current, old] = [counter(value), before.has(key) ? counter(before.get(key)) : null];
    // A new key counts as 0: its calls were not made in this interval.
    const grown = old === null ? 0 : current >= old ? current - old : current;
    out.set(key, grown / seconds);
  }
  return out;
}
