/**
 * English texts for names in the catalog. A parameter or model that is not listed here has the catalog's own English text, a mode or
 * category its name as words, and a choice its unchanged name.
 */

interface Words {
  label: string;
  help: string;
}

/** The seed's control has its own texts for choosing a random seed. */
const parameters: Record<string, Words> = { seed: { label: "Seed", help: "The same seed gives the same result." } };
const descriptions: Record<string, string> = {};

const modes: Record<string, string> = {
  txt2img: "From text",
  img2img: "From a picture",
  t2v: "From text",
  i2v: "From a picture",
  first_last_frame: "First & last frame",
  arbitrary_frame: "Given frames",
};

const categories: Record<string, string> = { anime: "Anime", realistic: "Realistic" };

const choices: Record<string, string> = {
  high_noise: "High noise",
  low_noise: "Low noise",
  png: "PNG",
  jpeg: "JPEG",
  webp: "WebP",
  mp4: "MP4",
  webm: "WebM",
};

export const catalog = { parameters, descriptions, modes, categories, choices };
