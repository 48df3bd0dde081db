export { errorCodes, type ErrorCode } from "./generated/codes";
export type { ArbitraryFrame, Mode, ModelId, Parameters } from "./generated/parameters";
export { MustError } from "./errors";
export { Platform, type CloseOptions, type GenerateOptions } from "./platform";
export type { Task, WaitOptions } from "./task";
export type * from "./types";
