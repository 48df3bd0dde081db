/** The models of the core's own catalog, as `/models` lists them. */

import catalog from "../../core/catalog.json";
import type { MediaType, Model } from "../src/api/types";
import type { Parameter, Schema } from "../src/catalog/schema";

const shared = catalog.parameters as unknown as Record<string, Parameter>;

function schemaOf(own: Record<string, object>): Schema {
  return Object.fromEntries(Object.entries(own).map(([name, rules]) => [name, { ...shared[name], ...rules } as Parameter]));
}

export const models: Model[] = catalog.models.map((raw) => {
  const schema = schemaOf(raw.parameters as Record<string, object>);
  const locked = Object.entries(schema).flatMap(([name, { locked, default: value }]) =>
    locked && value !== undefined ? [[name, value] as const] : [],
  );
  const embedded = raw.weights.source === "embedded";
  return {
    id: raw.id,
    aliases: raw.aliases,
    name: raw.name,
    type: raw.type as MediaType,
    category: raw.category,
    family: raw.family,
    description: raw.description,
    modes: raw.modes,
    default_mode: raw.default_mode,
    fixed_parameters: Object.fromEntries(locked),
    recommended_parameters: {},
    parameters_schema: schema,
    available: embedded,
    ...(embedded
      ? {}
      : { unavailable_reason: `the weights of ${raw.id} are not on this machine`, user_action: `Put them into models/${raw.id}.` }),
  };
});

export function model(id: string): Model {
  const found = models.find((one) => one.id === id);
  if (!found) throw new Error(`the catalog has no ${id}`);
  return found;
}

export function parameter(id: string, name: string): Parameter {
  const found = model(id).parameters_schema[name];
  if (!found) throw new Error(`${id} has no ${name}`);
  return found;
}
