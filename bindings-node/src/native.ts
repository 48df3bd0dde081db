/** Loads the addon: the one that a build put beside this file, or the one from the npm package for this system. */

import type * as Addon from "../native";

export type { NativeFailure, NativeImage } from "../native";
export type NativePlatform = Addon.NativePlatform;
export type NativeClock = Addon.NativeClock;

function load(): typeof Addon {
  try {
    return require("./must.node") as typeof Addon;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  const libc = process.platform === "linux" ? "-gnu" : "";
  return require(`must-${process.platform}-${process.arch}${libc}`) as typeof Addon;
}

export const { NativePlatform, NativeClock } = load();
