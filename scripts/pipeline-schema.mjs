/**
 * The schema of whole pipelines, for editors: `schemas/pipeline.base.json` with every stage type's settings under the
 * `uses` that chooses them. Unlike the schemas that judge (after references are resolved), it takes a reference wherever
 * a setting is expected.
 */

export function bundlePipelineSchema(base, stageSchemas) {
  const types = Object.keys(stageSchemas);
  const schema = structuredClone(base);
  const { definitions } = schema;
  schema.$comment =
    "Generated from pipeline.base.json and the stage types' schemas. Do not edit: run `npm run generate`.";
  const { description } = definitions.uses;
  definitions.uses = { description, anyOf: [{ enum: types }, { type: "string", pattern: USER_STAGE }] };
  definitions.reference = {
    description: "A reference to a param, a value of the matrix or an environment variable, or a text with references.",
    type: "string",
    pattern: "\\$\\{(params|matrix|env)\\.",
  };
  const { engineSettings, execution } = definitions;
  for (const owner of [engineSettings, execution.properties.resources, execution]) {
    for (const [name, property] of Object.entries(owner.properties)) owner.properties[name] = orReference(property);
  }
  const isShell = { required: ["run"] };
  definitions.stage.allOf = [
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword.
    { if: isShell, then: without(["uses", "with", "engine"]), else: without(["outputs", "shell", "folder", "tools"]) },
    ...types.map((type) => ({
      if: { required: ["uses"], properties: { uses: { const: type } } },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword.
      then: {
        properties: { with: { $ref: `#/definitions/with-${type}` } },
        ...((stageSchemas[type].required ?? []).length > 0 ? { required: ["with"] } : {}),
      },
    })),
  ];
  for (const type of types) {
    const { $schema: _, ...settings } = stageSchemas[type];
    definitions[`with-${type}`] = relax(settings, `#/definitions/with-${type}`);
  }
  return schema;
}

const USER_STAGE = "^(\\.{1,2}[/\\\\]|/|[A-Za-z]:[\\\\/])";

const without = (keys) => ({ properties: Object.fromEntries(keys.map((key) => [key, { type: "null" }])) });

/** References of the schema itself lead to its new place, and every setting may be a reference. */
function relax(node, place) {
  if (Array.isArray(node)) return node.map((part) => relax(part, place));
  if (typeof node !== "object" || node === null) return node;
  const copy = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "$ref") copy.$ref = value.replace(/^#/, place);
    else if (key === "x-role" || key === "default" || key === "enum" || key === "const") copy[key] = value;
    else if (key === "properties") {
      copy.properties = Object.fromEntries(
        Object.entries(value).map(([name, property]) => [name, orReference(relax(property, place))]),
      );
    } else if (key === "definitions") {
      copy.definitions = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, relax(part, place)]));
    } else if (key === "items" || key === "additionalProperties") {
      copy[key] = typeof value === "object" && !Array.isArray(value) ? orReference(relax(value, place)) : value;
    } else copy[key] = relax(value, place);
  }
  return copy;
}

/** `type: sgd` decides which settings there are, so it stays plain; text takes a reference as it is. */
function orReference(schema) {
  const isPlainText = schema.type === "string" && schema.enum === undefined && schema.pattern === undefined;
  if (schema.const !== undefined || isPlainText) return schema;
  const { description, default: fallback, ...rest } = schema;
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [rest, { $ref: "#/definitions/reference" }],
  };
}
