// The smallest test runner that prints one line per check and goes on after a failure.

import assert from "node:assert/strict";

let passed = 0;
let failed = 0;

export async function check(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${describe(error)}`);
  }
}

export function end() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

/** The error of a call that must be refused with this status; and, if given, with this code of the service. */
export async function refused(promise, status, code) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    assert.equal(error.statusCode, status, describe(error));
    if (code !== undefined) {
      assert.equal(innermost(error), code);
    }
    return error;
  }
  assert.fail(`expected ${status}, but the call succeeded: ${JSON.stringify(answer)?.slice(0, 200)}`);
}

export async function collect(iterator) {
  const items = [];
  for await (const item of iterator) {
    items.push(item);
  }
  return items;
}

function innermost(error) {
  return error.details?.error?.innerError?.code ?? error.code;
}

function describe(error) {
  return `${error?.stack ?? error}`.split("\n").filter((line) => !line.includes("node_modules") && line.trim()).join(" | ").slice(0, 900);
}
