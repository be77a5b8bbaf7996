// What all programs here share: one JSON line for each check, and an end in any case.

// A program that hangs fails before whoever has started it gives up.
setTimeout(() => {
  console.error("not finished after 18 s");
  process.exit(3);
}, 18_000).unref();

process.on("unhandledRejection", (reason) => {
  console.error("unhandled:", reason);
  process.exit(4);
});

/** Tells what was seen. */
export function tell(check, seen) {
  console.log(JSON.stringify({ check, seen: seen === undefined ? null : seen }));
}

/** A promise with its two ends outside. */
export function promised() {
  const ends = {};
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  return ends;
}

/** What an error says, as far as peers can know it. */
export function told(error) {
  const { code, message, data } = error;
  return data === undefined ? { code, message } : { code, message, data };
}

/** The error of a promise that has to fail. */
export async function refusal(promise) {
  try {
    return { result: await promise };
  } catch (error) {
    return told(error);
  }
}
