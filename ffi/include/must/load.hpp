/// @file
/// How busy a platform is: must::Load, must::Lane.
#ifndef MUST_LOAD_HPP
#define MUST_LOAD_HPP

#include "json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace must {

/// State of one lane.
struct Lane {
  std::optional<std::string> model;  ///< The model that the lane belongs to; none for the shared lane.
  std::vector<std::string> loaded;   ///< Ids of the models whose weights are loaded, in the order of their last use.
  std::uint64_t memory_bytes = 0;    ///< Bytes of memory that their weights use.
  std::uint64_t hits = 0;            ///< Tasks that found their pipeline loaded since the platform was opened.
  std::uint64_t misses = 0;          ///< Tasks that had to load their pipeline.
  std::uint64_t loads = 0;           ///< Pipelines that were loaded.
  std::uint64_t evictions = 0;       ///< Pipelines that were unloaded.

  /// Reads a lane from an answer.
  [[nodiscard]] static Lane from_json(const Json &json) {
    return {json["model"].get<std::optional<std::string>>(),
            json["loaded"].get<std::vector<std::string>>(),
            json["memory_bytes"].get<std::uint64_t>(),
            json["hits"].get<std::uint64_t>(),
            json["misses"].get<std::uint64_t>(),
            json["loads"].get<std::uint64_t>(),
            json["evictions"].get<std::uint64_t>()};
  }
};

/// State of the lanes.
struct Load {
  std::vector<Lane> lanes;    ///< Every lane; the shared one is the last.
  std::uint64_t waiting = 0;  ///< Tasks that wait for a lane.

  /// Reads the answer of `must_load`.
  [[nodiscard]] static Load from_json(const Json &json) {
    return {json["lanes"].get<std::vector<Lane>>(), json["waiting"].get<std::uint64_t>()};
  }
};

}  // namespace must

#endif  // MUST_LOAD_HPP
