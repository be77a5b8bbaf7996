// Human-readable text: sizes, durations, previews of JSON values.

import { stringify } from "./json.js";

// Length of a preview in characters.
const PREVIEW_LENGTH = 60;

/** A number of bytes with a binary unit. */
export function formatBytes(count) {
  if (!(count >= 1024)) return `${count ?? 0} B`;
  const power = Math.min(3, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** power).toPrecision(3)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

/** A duration, given in seconds, with a suitable unit. */
export function formatSeconds(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 1) return `${Number((value * 1000).toPrecision(3))} ms`;
  if (value < 60) return `${Number(value.toPrecision(3))} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(value % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A value as one line of JSON, shortened if it is long. */
export function preview(value) {
  const text = stringify(value);
  return text.length > PREVIEW_LENGTH ? `${text.slice(0, PREVIEW_LENGTH).toWellFormed()}…` : text;
}
