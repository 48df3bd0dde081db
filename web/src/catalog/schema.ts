/** The rules of a model's parameters as `/models` gives them, and the values that a form holds for them. */

import type { Parameter, ParameterItem, ParameterKind } from "../api/types";

export type { Parameter };
export type Kind = ParameterKind;
export type Item = ParameterItem;

export type Choice = string | number;

/** All of the named parameters (or the mode) have one of the values. */
export type Rule = Record<string, unknown[]>;

export type Schema = Record<string, Parameter>;

/** A picture that was chosen. */
export interface Picture {
  name: string;
  uri: string;
}

/** One entry of a list of frames. `key` tells entries apart while they are moved and removed. */
export interface Frame {
  key: string;
  values: Record<string, Value>;
}

/** What a control holds. A number that cannot be read yet is the text that was typed. */
export type Value = string | number | Picture | Frame[] | null;

export type Values = Record<string, Value>;

export const isPicture = (value: unknown): value is Picture => typeof value === "object" && value !== null && "uri" in value;
