// OpenRouter's official TypeScript client, as it is on npm, reads every dataset of a running census.
//
// tests/test_client_typescript.py starts one and names it: CENSUS_URL ends in /api/v1; CENSUS_KEY and
// CENSUS_OTHER_KEY share the tests between them, since a key has 30 requests a minute; CENSUS_SPENT_KEY is for the test
// that uses them up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OpenRouter } from "@openrouter/sdk";
import { OpenRouterCore } from "@openrouter/sdk/core.js";
import { benchmarksGetBenchmarks } from "@openrouter/sdk/funcs/benchmarksGetBenchmarks.js";
import { classificationsGetTaskClassifications } from "@openrouter/sdk/funcs/classificationsGetTaskClassifications.js";
import { datasetsGetAppRankings } from "@openrouter/sdk/funcs/datasetsGetAppRankings.js";
import { datasetsGetRankingsDaily } from "@openrouter/sdk/funcs/datasetsGetRankingsDaily.js";
import { datasetsGetSessionCost } from "@openrouter/sdk/funcs/datasetsGetSessionCost.js";
import { HTTPClient } from "@openrouter/sdk/lib/http.js";
import * as errors from "@openrouter/sdk/models/errors";

const PER_MINUTE = 30;
const SOURCES = ["artificial-analysis", "design-arena", "openrouter"];

const { CENSUS_URL, CENSUS_KEY, CENSUS_OTHER_KEY, CENSUS_SPENT_KEY } = process.env;
assert(CENSUS_URL && CENSUS_KEY && CENSUS_OTHER_KEY && CENSUS_SPENT_KEY, "CENSUS_URL and the keys are not set");

let body;
const httpClient = new HTTPClient();
httpClient.addHook("response", async (response) => {
  body = await response.clone().json();
});

const options = (apiKey) => ({ serverURL: CENSUS_URL, apiKey, httpClient });
const client = new OpenRouter(options(CENSUS_KEY));
const other = new OpenRouter(options(CENSUS_OTHER_KEY));
const spent = new OpenRouter(options(CENSUS_SPENT_KEY));
const stranger = new OpenRouter(options("nobody"));

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

function renamed(value) {
  if (Array.isArray(value)) return value.map(renamed);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [camel(name), renamed(part)]));
}

// The client drops the keys that it does not know: none may be missing from what it makes of an answer.
function keepsAll(answer) {
  assert.deepEqual(answer, renamed(body));
}

const everyMethod = (of) => [
  () => of.classifications.getTaskClassifications(),
  () => of.datasets.getRankingsDaily(),
  () => of.datasets.getAppRankings(),
  () => of.datasets.getSessionCost(),
  () => of.benchmarks.getBenchmarks(),
];

async function failsWith(ask, kind, code, message) {
  await assert.rejects(ask, (error) => {
    assert(error instanceof kind, `${error?.name} is not ${kind.name}: ${error}`);
    assert.equal(error.statusCode, code);
    assert.equal(error.error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test("it reads the tasks", async () => {
  const answer = await client.classifications.getTaskClassifications({ window: "7d" });
  keepsAll(answer);
  assert.equal(answer.data.windowDays, 7);
  assert.equal(answer.data.asOf, "2026-11-20");
  assert(answer.data.classifications.length > 20);
  assert.deepEqual(answer.data.macroCategories.map((macro) => macro.key), ["code", "data", "agent", "general"]);
  assert.deepEqual(await client.classifications.getTaskClassifications(), answer);
});

test("it reads the rankings", async () => {
  const answer = await client.datasets.getRankingsDaily({ startDate: "2026-11-01", endDate: "2026-11-07" });
  keepsAll(answer);
  assert.equal(new Set(answer.data.map((row) => row.date)).size, 7);
  assert(answer.data.every((row) => BigInt(row.totalTokens) > 0n));
  assert.equal(answer.meta.version, "v1");
  assert.equal(answer.meta.startDate, "2026-11-01");
});

for (const asked of [
  { period: "day" },
  { period: "week", modality: "text" },
  { period: "month", modality: "tool_calling", contextBucket: "10K" },
]) {
  test(`it reads the rankings of ${JSON.stringify(asked)}`, async () => {
    const answer = await client.datasets.getRankingsDaily(asked);
    keepsAll(answer);
    assert(answer.data.length > 0);
  });
}

test("it reads the apps page by page", async () => {
  const ranks = [];
  for await (const page of await client.datasets.getAppRankings({ category: "coding", limit: 2 })) {
    keepsAll(page.result);
    ranks.push(...page.result.data.map((row) => row.rank));
  }
  assert.deepEqual(ranks, [1, 2, 3, 4]);
});

test("it reads the apps that grow", async () => {
  const page = await client.datasets.getAppRankings({
    sort: "trending",
    category: "coding",
    subcategory: "cli-agent",
    startDate: "2026-11-01",
    endDate: "2026-11-20",
  });
  keepsAll(page.result);
  assert.deepEqual(page.result.data.map((row) => [row.rank, row.appName]), [[1, "Loom Code"]]);
});

test("it reads what sessions cost page by page", async () => {
  const whole = await client.datasets.getSessionCost();
  keepsAll(whole.result);
  assert(whole.result.data.length > 20);
  const cells = [];
  for await (const page of await client.datasets.getSessionCost({ limit: 20 })) {
    keepsAll(page.result);
    cells.push(...page.result.data);
  }
  assert.deepEqual(cells, whole.result.data);
});

test("it reads what the sessions asked for cost", async () => {
  const asked = { appSlug: "longtalk.example", model: "openlab/small-01", turnRange: "10-49-turns" };
  const page = await client.datasets.getSessionCost(asked);
  keepsAll(page.result);
  assert.deepEqual(page.result.data.map((cell) => [cell.appName, cell.medianSessionCostUsd]), [["Longtalk", 0.012]]);
});

for (const source of SOURCES) {
  test(`it reads the benchmarks of ${source}`, async () => {
    const answer = await other.benchmarks.getBenchmarks({ source });
    keepsAll(answer);
    assert.deepEqual([...new Set(answer.data.map((row) => row.source))], [source]);
    assert.equal(answer.meta.source, source);
  });
}

test("it reads the benchmarks of all sources", async () => {
  const answer = await other.benchmarks.getBenchmarks();
  keepsAll(answer);
  assert.deepEqual([...new Set(answer.data.map((row) => row.source))], SOURCES);
  assert.deepEqual([answer.meta.source, answer.meta.sourceUrl, answer.meta.citation], [null, null, null]);
});

for (const taskType of ["coding", "intelligence", "agentic", "search"]) {
  test(`it reads the benchmarks of ${taskType}`, async () => {
    const answer = await other.benchmarks.getBenchmarks({ taskType });
    keepsAll(answer);
    assert(answer.data.length > 0);
    assert.equal(answer.meta.taskType, taskType);
  });
}

test("it reads an arena", async () => {
  const asked = { source: "design-arena", arena: "models", category: "website", maxResults: 1 };
  const answer = await other.benchmarks.getBenchmarks(asked);
  keepsAll(answer);
  assert.deepEqual(answer.data.map((row) => row.modelPermaslug), ["openlab/small-01"]);
});

test("it reads how a search benchmark was run only if asked", async () => {
  const asked = { benchmarkType: "search_browsecomp", searchEngine: "exa", searchSurface: "server-tool" };
  const plain = await other.benchmarks.getBenchmarks(asked);
  keepsAll(plain);
  assert.deepEqual(plain.data.map((row) => row.runConfig), [undefined]);
  const full = await other.benchmarks.getBenchmarks({ ...asked, includeRunConfig: true });
  keepsAll(full);
  assert.deepEqual(full.data[0].runConfig, { maxAgentTurns: 40, reasoningEffort: "high", temperature: 0.2 });
});

test("its standalone functions read the same", async () => {
  const core = new OpenRouterCore(options(CENSUS_OTHER_KEY));
  for (const [read, parts] of [
    [classificationsGetTaskClassifications, (value) => value.data.classifications],
    [datasetsGetRankingsDaily, (value) => value.data],
    [datasetsGetAppRankings, (value) => value.result.data],
    [datasetsGetSessionCost, (value) => value.result.data],
    [benchmarksGetBenchmarks, (value) => value.data],
  ]) {
    const result = await read(core);
    assert(result.ok, String(result.error));
    assert(parts(result.value).length > 0);
  }
  const refused = await datasetsGetAppRankings(core, { limit: 0 });
  assert(!refused.ok && refused.error instanceof errors.BadRequestResponseError);
});

// Not of the tasks: the client itself refuses any window but 7d.
test("it knows a bad request", async () => {
  for (const [ask, message] of [
    [() => other.datasets.getRankingsDaily({ startDate: "2026-02-30" }), /2026-02-30/],
    [() => other.datasets.getAppRankings({ limit: 0 }), /Invalid limit '0'/],
    [() => other.datasets.getSessionCost({ limit: 501 }), /Invalid limit '501'/],
    [() => other.benchmarks.getBenchmarks({ maxResults: 101 }), /Invalid max_results '101'/],
  ]) {
    await failsWith(ask, errors.BadRequestResponseError, 400, message);
  }
});

test("it knows a stranger", async () => {
  for (const ask of everyMethod(stranger)) {
    await failsWith(ask, errors.UnauthorizedResponseError, 401, /Invalid API key/);
  }
});

test("it knows the limit of a key", async () => {
  for (let asked = 0; asked < PER_MINUTE; asked += 1) {
    await spent.classifications.getTaskClassifications();
  }
  for (const ask of everyMethod(spent)) {
    await failsWith(ask, errors.TooManyRequestsResponseError, 429, /30 requests a minute/);
  }
});
