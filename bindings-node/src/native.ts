/** The native part: loads the addon that the build put beside this file. */

import type * as Addon from "../native";

export type { NativeFailure, NativeImage } from "../native";
export type NativePlatform = Addon.NativePlatform;
export type NativeClock = Addon.NativeClock;

export const { NativePlatform, NativeClock } = require("./must.node") as typeof Addon;
