// Made from core/src/request.rs and core/catalog.json by `cargo xtask regen`. Do not edit.

import type { ImageInput } from "../types";

/** Id or alias of a model of the built-in catalog. */
export type ModelId = "pony" | "flux" | "anisora" | "phr00t" | "wan-remix" | "tiny-image" | "tiny-video";

/** Mode of a model of the built-in catalog. */
export type Mode = "arbitrary_frame" | "first_last_frame" | "i2v" | "img2img" | "t2v" | "txt2img";

/** One item of `arbitrary_frames`. */
export interface ArbitraryFrame {
  /** Frame */
  frame_index: number;
  /** Image */
  image: ImageInput;
  /** Strength */
  strength?: number | undefined;
}

/** Parameters of the built-in catalog. `platform.models()` tells which model takes which of them, and their bounds. */
export interface Parameters {
  /** What to show. */
  prompt: string;
  /** What to avoid. */
  negative_prompt?: string | undefined;
  /** Pixels. */
  width?: number | undefined;
  /** Pixels. */
  height?: number | undefined;
  /** The same seed gives the same result; -1 draws one and reports it. */
  seed?: number | undefined;
  /** File format of the result. */
  output_format?: "png" | "jpeg" | "webp" | "mp4" | "webm" | undefined;
  /** Denoising steps: more is slower and finer. */
  steps?: number | undefined;
  /** How closely the prompt is followed. */
  cfg_scale?: number | undefined;
  /** How closely the prompt is followed. */
  guidance_scale?: number | undefined;
  /** How the noise is removed. */
  sampler?: "Euler a" | "DPM++ 2M Karras" | "DPM++ SDE Karras" | "Euler" | "flow-matching" | undefined;
  /**
   * Which layer of the text encoders is read, counted from the end. 2, the one before the last, is what the model was trained on.
   */
  clip_skip?: number | undefined;
  /** Frames in the clip, one more than a multiple of four. */
  num_frames?: number | undefined;
  /** Playback speed. */
  fps?: 8 | 16 | 24 | undefined;
  /**
   * How much moves: written at the end of the prompt, as the model was trained. Up to 1.5 little, 2 to 3.5 moderate, from 4 much.
   */
  motion_score?: number | undefined;
  /**
   * Which of two files of the model runs: the one with high_noise or the one with low_noise in its name. With one file, only
   * low_noise.
   */
  lighting_variant?: "high_noise" | "low_noise" | undefined;
  /** PNG, JPEG or WebP. */
  reference_image?: ImageInput | undefined;
  /** How firmly the first frame is held to the reference image: 1 as the model was trained, less lets it fade. */
  reference_strength?: number | undefined;
  /**
   * How far the result may move away from the given image or frames: 0 keeps them, standing still; 1 starts from noise alone. Fewer
   * steps run below 1.
   */
  denoising_strength?: number | undefined;
  /** PNG, JPEG or WebP. */
  first_frame_image?: ImageInput | undefined;
  /** PNG, JPEG or WebP. */
  last_frame_image?: ImageInput | undefined;
  /** How firmly the first frame is held: 1 as the model was trained, less lets it fade. */
  first_strength?: number | undefined;
  /** How firmly the last frame is held: 1 as the model was trained, less lets it fade. */
  last_strength?: number | undefined;
  /**
   * Images at frames of the clip. A frame other than the first and the last moves to the nearest multiple of 8, where the model knows
   * it.
   */
  arbitrary_frames?: ArbitraryFrame[] | undefined;
}

/** A request to generate a picture or a clip: a model, its mode and its parameters. */
export interface GenerateRequest extends Parameters {
  /** Catalog id or alias. */
  model: ModelId | (string & {});
  /** Mode of the model. The default is the model's default mode. */
  mode?: Mode | (string & {}) | undefined;
}
