/** The rules of a model's parameters in the form of `/models`, and the values that a form holds for them. */

import type { Parameter, ParameterItem, ParameterKind } from "../api/types";

export type { Parameter };
export type Kind = ParameterKind;
export type Item = ParameterItem;

export type Choice = string | number;

/** Holds when all named parameters (or the mode) have one of the listed values. */
export type Rule = Record<string, unknown[]>;

export type Schema = Record<string, Parameter>;

/** A picture that the user chose. */
export interface Picture {
  name: string;
  uri: string;
}

/** One entry of a list of frames. `key` identifies the entry while it is moved or removed. */
export interface Frame {
  key: string;
  values: Record<string, Value>;
}

/** The value of a control. A number that cannot be parsed yet is the typed text. */
export type Value = string | number | Picture | Frame[] | null;

export type Values = Record<string, Value>;

export const isPicture = (value: unknown): value is Picture => typeof value === "object" && value !== null && "uri" in value;
