// A program on the Vercel AI SDK that asks a model four things and is traced as its author would set it up:
// `node app.mjs json|protobuf`.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, jsonSchema, streamText, tool } from "ai";

const { CENSUS_URL, CENSUS_KEY, UPSTREAM_URL } = process.env;

const Exporter = process.argv[2] === "json" ? JsonExporter : ProtobufExporter;
const exporter = new Exporter({
  url: `${CENSUS_URL}/v1/traces`,
  headers: { Authorization: `Bearer ${CENSUS_KEY}` },
});
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "tests" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
provider.register();

const model = createOpenAICompatible({ name: "openai", baseURL: UPSTREAM_URL, includeUsage: true });
const settings = { maxRetries: 0, experimental_telemetry: { isEnabled: true, functionId: "tests" } };
const tools = {
  get_weather: tool({ inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }) }),
};

await generateText({ ...settings, model: model("gpt-4o"), prompt: "Translate 'good morning' into French." });

const asked = {
  ...settings,
  tools,
  model: model("gpt-4o"),
  system: "You are a terse weather bot.",
};
const question = { role: "user", content: "What is the weather in Oslo?" };
const called = await generateText({ ...asked, messages: [question] });
const result = {
  type: "tool-result",
  toolCallId: called.toolCalls[0].toolCallId,
  toolName: "get_weather",
  output: { type: "text", value: "7C, rain" },
};
await generateText({
  ...asked,
  messages: [question, ...called.response.messages, { role: "tool", content: [result] }],
});

const stream = streamText({
  ...settings,
  model: model("gpt-4o"),
  prompt: "Solve 3x + 5 = 20 and show each step.",
});
for await (const _ of stream.textStream);

await generateText({ ...settings, model: model("busy"), prompt: "Are you there?" }).catch((error) => {
  if (error.statusCode !== 429) throw error;
});

await provider.shutdown();
