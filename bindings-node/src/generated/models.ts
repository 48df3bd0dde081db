// Made from types in core/src by `cargo xtask regen`. Do not edit.

// The models of the catalog.

import type { MediaType } from "./tasks";

/**
 * The kind of value that a parameter takes.
 * - `string`: Text.
 * - `integer`: A whole number; `30.0` is one, as in JSON Schema.
 * - `number`: Any finite number.
 * - `choice`: One of `choices`.
 * - `image`: A picture: data URI or raw bytes.
 * - `frames`: A list of pictures placed at frames of a clip.
 */
export type ParameterKind = "string" | "integer" | "number" | "choice" | "image" | "frames";

/** The rules of one parameter. */
export interface ParameterSchema {
  /** The kind of value. */
  type: ParameterKind;
  /** A short name for people. */
  label: string;
  /** The allowed values of a choice. */
  choices?: (string | number)[];
  /** The value that is used when none is given. */
  default?: string | number;
  /** A sentence for people. */
  help?: string;
  /** The fields of an entry of a list. */
  item?: Record<string, ParameterItem>;
  /** Whether every value but the default is refused. */
  locked?: boolean;
  /** Largest number of characters. */
  max_length?: number;
  /** Greatest value. */
  maximum?: number;
  /** Fewest entries of a list. */
  min_items?: number;
  /** Fewest characters. If this is above 0, the text must not be blank. */
  min_length?: number;
  /** Least value. */
  minimum?: number;
  /** The value that works best. */
  recommended?: string | number;
  /** Whether every request must give it. */
  required?: boolean;
  /** The rule under which it must be given. Without a rule, `required` alone decides. */
  required_if?: Record<string, (string | number)[]>;
  /** Distance between allowed values, counted from `minimum`. */
  step?: number;
  /** The rule under which it may be given. Without a rule, it may always be given. */
  visible_if?: Record<string, (string | number)[]>;
}

/** One field of an entry of a list. */
export interface ParameterItem extends ParameterSchema {
  /** Name of the parameter whose value the field's value must be below. */
  below?: string;
}

/**
 * A model as callers see it. Its JSON form is an entry of the list that `GET /models` and the lists of models in every language
 * return.
 */
export interface Model {
  /** Stable id. */
  id: string;
  /** Other names that are accepted for it. */
  aliases: string[];
  /** A name for people. */
  name: string;
  /** Picture or clip. */
  type: MediaType;
  /** `anime` or `realistic`. */
  category: string;
  /** Architecture: `sdxl`, `flux`, `wan`. */
  family: string;
  /** A sentence for people. */
  description: string;
  /** The inputs that it can start from. */
  modes: string[];
  /** The mode when none is asked for. */
  default_mode: string;
  /** Values that apply to every request and cannot be changed. */
  fixed_parameters: Record<string, string | number>;
  /** The values that work best. */
  recommended_parameters: Record<string, string | number>;
  /** Its parameters, in the order in which people should see them. */
  parameters_schema: Record<string, ParameterSchema>;
  /** Whether the model can run here. */
  available: boolean;
  /** A description of the model's files, if it has its own and can run. */
  files?: string;
  /** Why the model cannot run here. Absent when it can. */
  unavailable_reason?: string;
  /** What makes the model run here. Absent when it can run. */
  user_action?: string;
}
