// Are our documents OpenRPC? Asked of the specification's own schemas, and of a validator for those
// inside. Arguments: files and URLs.

import { readFile } from "node:fs/promises";
import { OpenRPCSpecificationSchema1_3, OpenRPCSpecificationSchema1_4 } from "@open-rpc/spec";
import Ajv from "ajv";
import { tell } from "./lib.mjs";

// What the specification calls a schema is published elsewhere; it is this.
const schemas = {
  allOf: [{ $ref: "http://json-schema.org/draft-07/schema#" }],
  definitions: { JSONSchemaObject: { properties: { $ref: { type: "string" } } } },
};

/** A validator of whole documents. */
function validator(specification) {
  const { $schema: _, ...schema } = specification;
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  // It is referred to in both ways.
  for (const id of ["https://meta.json-schema.tools", "https://meta.json-schema.tools/"]) {
    ajv.addSchema(schemas, id);
  }
  return ajv.compile(schema);
}

const versions = {
  "1.3.2": validator(OpenRPCSpecificationSchema1_3),
  "1.4.0": validator(OpenRPCSpecificationSchema1_4),
};

function faults(document) {
  const valid = versions[document.openrpc];
  if (!valid) return [`version ${document.openrpc}`];
  if (!valid(document)) return valid.errors.map((e) => `${e.instancePath}: ${e.message}`);
  return faultsOfSchemas(document);
}

/** Every schema can be used, and every reference in it leads somewhere. */
function faultsOfSchemas(document) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema(document, "document");
  const places = Object.keys(document.components?.schemas ?? {}).map(
    (name) => `components/schemas/${encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"))}`,
  );
  document.methods.forEach((method, at) => {
    method.params.forEach((_, param) => places.push(`methods/${at}/params/${param}/schema`));
    places.push(`methods/${at}/result/schema`);
    if (method["x-subscription"]) places.push(`methods/${at}/x-subscription/item/schema`);
  });
  return places.flatMap((place) => {
    try {
      ajv.compile({ $ref: `document#/${place}` });
      return [];
    } catch (error) {
      return [`${place}: ${error.message}`];
    }
  });
}

async function read(place) {
  return place.startsWith("http:") ? (await fetch(place)).json() : JSON.parse(await readFile(place, "utf8"));
}

for (const place of process.argv.slice(2)) {
  const document = await read(place);
  tell(place, faults(document));
  tell("as 1.4", faults({ ...document, openrpc: "1.4.0" }));
}

// What is wrong is found.
const info = { title: "", version: "" };
const wrong = (method, more) => faults({ openrpc: "1.3.2", info, methods: [method], ...more }).length > 0;
const params = [{ name: "a", schema: { $ref: "#/components/schemas/Missing" } }];
const result = { name: "result", schema: {} };
tell("a method without a name", wrong({ params: [], result }));
tell("a member that is not known", wrong({ name: "a", params: [], result, subscription: {} }));
tell("a schema that is none", wrong({ name: "a", params: [], result: { name: "r", schema: { type: "text" } } }));
tell("a reference that leads nowhere", wrong({ name: "a", params, result }));
