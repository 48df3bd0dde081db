/** Where parameters stand in the panel. A hint of layout alone: a name that is not here has its place by its kind. */

import type { Parameter } from "./schema";

export type Section = "prompt" | "pictures" | "frame" | "sampling" | "fixed";

export const SECTIONS: readonly Section[] = ["prompt", "pictures", "frame", "sampling", "fixed"];

/** What the result is, as opposed to how it is made. */
const FRAME = new Set(["width", "height", "num_frames", "fps", "output_format"]);

/** How firmly a picture is held stands with the pictures. */
const isOfPictures = (name: string, parameter: Parameter): boolean =>
  parameter.type === "image" || parameter.type === "frames" || (name.endsWith("_strength") && parameter.visible_if !== undefined);

export function sectionOf(name: string, parameter: Parameter, fixed: boolean): Section {
  if (fixed) return "fixed";
  if (parameter.type === "string") return "prompt";
  if (isOfPictures(name, parameter)) return "pictures";
  return FRAME.has(name) ? "frame" : "sampling";
}
