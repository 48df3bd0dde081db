/**
 * The section of the panel for each parameter. This only affects layout: a name that is not listed here gets its section from its kind.
 */

import type { Parameter } from "./schema";

export type Section = "prompt" | "pictures" | "frame" | "sampling" | "fixed";

export const SECTIONS: readonly Section[] = ["prompt", "pictures", "frame", "sampling", "fixed"];

/** Parameters that describe the result, not how it is made. */
const FRAME = new Set(["width", "height", "num_frames", "fps", "output_format"]);

/** Strengths of pictures are shown beside the pictures. */
const isOfPictures = (name: string, parameter: Parameter): boolean =>
  parameter.type === "image" || parameter.type === "frames" || (name.endsWith("_strength") && parameter.visible_if !== undefined);

export function sectionOf(name: string, parameter: Parameter, fixed: boolean): Section {
  if (fixed) return "fixed";
  if (parameter.type === "string") return "prompt";
  if (isOfPictures(name, parameter)) return "pictures";
  return FRAME.has(name) ? "frame" : "sampling";
}
