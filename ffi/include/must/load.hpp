/// @file
/// The load of a platform.
/// Made from types in core/src by `cargo xtask regen`; do not edit.
#ifndef MUST_LOAD_HPP
#define MUST_LOAD_HPP

#include "json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace must {

/// The pipelines that a lane has loaded, and counts of their use since the platform was opened.
struct LaneStatus {
  /// The model that the lane belongs to. Null for the shared lane.
  std::optional<std::string> model;
  /// Ids of the models whose weights are loaded. The most recently used one is the last.
  std::vector<std::string> loaded;
  /// Memory that the loaded pipelines use, in bytes.
  std::uint64_t memory_bytes = 0;
  /// Number of tasks that found their pipeline loaded.
  std::uint64_t hits = 0;
  /// Number of tasks that did not find their pipeline loaded.
  std::uint64_t misses = 0;
  /// Number of times that a pipeline was loaded.
  std::uint64_t loads = 0;
  /// Number of times that a pipeline was unloaded, because of memory, idleness or an error.
  std::uint64_t evictions = 0;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static LaneStatus from_json(const Json &json) {
    return {json["model"].get<std::optional<std::string>>(),
            json["loaded"].get<std::vector<std::string>>(),
            json["memory_bytes"].get<std::uint64_t>(),
            json["hits"].get<std::uint64_t>(),
            json["misses"].get<std::uint64_t>(),
            json["loads"].get<std::uint64_t>(),
            json["evictions"].get<std::uint64_t>()};
  }
};

/// The load of the lanes.
struct Load {
  /// Every lane. The shared lane is the last.
  std::vector<LaneStatus> lanes;
  /// Number of tasks that wait for a lane.
  std::uint64_t waiting = 0;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Load from_json(const Json &json) {
    return {json["lanes"].get<std::vector<LaneStatus>>(),
            json["waiting"].get<std::uint64_t>()};
  }
};

}  // namespace must

#endif  // MUST_LOAD_HPP
