/// @file
/// A copy of the data folder that is made while the platform works: must::Backup, from Platform::backup.
#ifndef MUST_BACKUP_HPP
#define MUST_BACKUP_HPP

#include "call.hpp"
#include "facts.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// What a backup holds.
struct Backup {
  std::string folder;                  ///< Where it is: a folder that opens as a data folder.
  std::uint64_t database_bytes = 0;    ///< Bytes of the database.
  std::uint64_t tasks = 0;             ///< Tasks of every status.
  std::uint64_t files = 0;             ///< Files of results and previews.
  std::uint64_t file_bytes = 0;        ///< Bytes of these.
  std::uint64_t missing_files = 0;     ///< Files that finished tasks name and that the platform itself no longer has.
  std::uint64_t audit_events = 0;      ///< Events of the audit log.
  bool audit_ok = false;               ///< Whether the audit log in it is whole.
  std::vector<std::string> key_files;  ///< Key files that are needed to use it and are not in it.

  /// Reads the answer of `backup`.
  [[nodiscard]] static Backup from_json(const Json &json) {
    return {json["folder"].get<std::string>(),
            json["database_bytes"].get<std::uint64_t>(),
            json["tasks"].get<std::uint64_t>(),
            json["files"].get<std::uint64_t>(),
            json["file_bytes"].get<std::uint64_t>(),
            json["missing_files"].get<std::uint64_t>(),
            json["audit_events"].get<std::uint64_t>(),
            json["audit_ok"].get<bool>(),
            json["key_files"].get<std::vector<std::string>>()};
  }
};

namespace detail {

/// The call `backup`.
class Backups : private Service {
 public:
  using Service::Service;

  Backup make(std::string_view folder, const MaybeCaller &caller) const {
    return ask<Backup>("backup", Fields().set("folder", folder).set("caller", caller));
  }
};

}  // namespace detail
}  // namespace must

#endif  // MUST_BACKUP_HPP
