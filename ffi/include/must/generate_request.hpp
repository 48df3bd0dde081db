/// @file
/// The request for a generation: must::GenerateRequest.
/// Made from core/src/request.rs and core/catalog.json by `cargo xtask regen`; do not edit.
#ifndef MUST_GENERATE_REQUEST_HPP
#define MUST_GENERATE_REQUEST_HPP

#include "json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

/// A request to generate a picture or a clip: a model, its mode and its parameters. There is a member for each parameter of
/// the built-in catalog. Platform::models tells which model takes which of them, and their bounds.
class GenerateRequest {
 public:
  /// A request to a model, by its id or an alias.
  GenerateRequest(std::string_view model, std::string_view prompt) { json_.set("model", model).set("prompt", prompt); }

  /// Mode of the model. The default is the model's default mode.
  GenerateRequest &mode(std::string_view value) { return set("mode", value); }
  /// What to avoid.
  GenerateRequest &negative_prompt(std::string_view value) { return set("negative_prompt", value); }
  /// Pixels.
  GenerateRequest &width(std::int64_t value) { return set("width", value); }
  /// Pixels.
  GenerateRequest &height(std::int64_t value) { return set("height", value); }
  /// The same seed gives the same result; -1 draws one and reports it.
  GenerateRequest &seed(std::int64_t value) { return set("seed", value); }
  /// File format of the result. One of `png`, `jpeg`, `webp`, `mp4`, `webm`.
  GenerateRequest &output_format(std::string_view value) { return set("output_format", value); }
  /// Denoising steps: more is slower and finer.
  GenerateRequest &steps(std::int64_t value) { return set("steps", value); }
  /// How closely the prompt is followed.
  GenerateRequest &cfg_scale(double value) { return set("cfg_scale", value); }
  /// How closely the prompt is followed.
  GenerateRequest &guidance_scale(double value) { return set("guidance_scale", value); }
  /// How the noise is removed. One of `Euler a`, `DPM++ 2M Karras`, `DPM++ SDE Karras`, `Euler`, `flow-matching`.
  GenerateRequest &sampler(std::string_view value) { return set("sampler", value); }
  /// Which layer of the text encoders is read, counted from the end. 2, the one before the last, is what the model was
  /// trained on.
  GenerateRequest &clip_skip(std::int64_t value) { return set("clip_skip", value); }
  /// Frames in the clip, one more than a multiple of four.
  GenerateRequest &num_frames(std::int64_t value) { return set("num_frames", value); }
  /// Playback speed. One of `8`, `16`, `24`.
  GenerateRequest &fps(std::int64_t value) { return set("fps", value); }
  /// How much moves: written at the end of the prompt, as the model was trained. Up to 1.5 little, 2 to 3.5 moderate, from 4
  /// much.
  GenerateRequest &motion_score(double value) { return set("motion_score", value); }
  /// Which of two files of the model runs: the one with high_noise or the one with low_noise in its name. With one file, only
  /// low_noise. One of `high_noise`, `low_noise`.
  GenerateRequest &lighting_variant(std::string_view value) { return set("lighting_variant", value); }
  /// PNG, JPEG or WebP. The bytes of the file.
  GenerateRequest &reference_image(std::string_view bytes) { return image("reference_image", bytes); }
  /// How firmly the first frame is held to the reference image: 1 as the model was trained, less lets it fade.
  GenerateRequest &reference_strength(double value) { return set("reference_strength", value); }
  /// How far the result may move away from the given image or frames: 0 keeps them, standing still; 1 starts from noise
  /// alone. Fewer steps run below 1.
  GenerateRequest &denoising_strength(double value) { return set("denoising_strength", value); }
  /// PNG, JPEG or WebP. The bytes of the file.
  GenerateRequest &first_frame_image(std::string_view bytes) { return image("first_frame_image", bytes); }
  /// PNG, JPEG or WebP. The bytes of the file.
  GenerateRequest &last_frame_image(std::string_view bytes) { return image("last_frame_image", bytes); }
  /// How firmly the first frame is held: 1 as the model was trained, less lets it fade.
  GenerateRequest &first_strength(double value) { return set("first_strength", value); }
  /// How firmly the last frame is held: 1 as the model was trained, less lets it fade.
  GenerateRequest &last_strength(double value) { return set("last_strength", value); }
  /// Images at frames of the clip. A frame other than the first and the last moves to the nearest multiple of 8, where the
  /// model knows it. An array of objects, without the images: image() takes those, by names such as
  /// `arbitrary_frames[0].image`.
  GenerateRequest &arbitrary_frames(Json value) { return set("arbitrary_frames", std::move(value)); }

  /// Sets one parameter: a text, a number, true or false, or any other JSON value. Throws `validation_error` if a
  /// number is not finite.
  GenerateRequest &set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  /// Sets one parameter to a value that is given as JSON text. Throws `validation_error` if the text is not JSON.
  GenerateRequest &set_json(std::string_view name, std::string_view json) { return set(name, Json::parse(json)); }

  /// Adds the bytes of a PNG, JPEG or WebP file under the parameter's name, such as `reference_image`.
  GenerateRequest &image(std::string_view name, std::string_view bytes) {
    images_.emplace_back(name, bytes);
    return *this;
  }

  /// The request as the JSON object that the C interface takes, without the images.
  [[nodiscard]] std::string json() const { return json_.dump(); }
  /// The images, by parameter name.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>> &images() const noexcept { return images_; }

 private:
  Json json_;
  std::vector<std::pair<std::string, std::string>> images_;
};

}  // namespace must

#endif  // MUST_GENERATE_REQUEST_HPP
