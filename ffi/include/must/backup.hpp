/// @file
/// A copy of the data folder that is made while the platform is running.
/// Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
#ifndef MUST_BACKUP_HPP
#define MUST_BACKUP_HPP

#include "call.hpp"
#include "facts.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// A finished backup: where it is and what it contains.
struct Backup {
  /// The folder of the backup. It opens as a data folder.
  std::string folder;
  /// Size of the database in bytes.
  std::uint64_t database_bytes = 0;
  /// Number of tasks, of every status.
  std::uint64_t tasks = 0;
  /// Number of result and preview files.
  std::uint64_t files = 0;
  /// Total size of these files in bytes.
  std::uint64_t file_bytes = 0;
  /// Number of files that finished tasks refer to but that the platform no longer has.
  std::uint64_t missing_files = 0;
  /// Number of events in the audit log.
  std::uint64_t audit_events = 0;
  /// Whether the audit log in the backup is complete and unchanged.
  bool audit_ok = false;
  /// Key files that the backup needs but does not contain. Empty if no key is kept in a file.
  std::vector<std::string> key_files;

  /// Reads it from the JSON of an answer.
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

/// The calls of the platform itself.
class PlatformCalls : private Service {
 public:
  /// Makes the calls on the platform with this handle of must.h.
  using Service::Service;

  /// Copies the data folder into a new or empty folder while the platform is running, and checks the copy. To restore, open
  /// the copy as a data folder. The key files are not in the copy and are needed too. Throws `validation_error` if the folder
  /// is not empty or is inside the data folder; `storage_full`; `storage_corrupt` if the database is damaged;
  /// `dependency_unavailable` if the folder cannot be written.
  /// @param folder A folder outside the data folder that does not exist yet or is empty.
  Backup backup(std::string_view folder, const MaybeCaller &caller = std::nullopt) const {
    return ask<Backup>("backup", detail::Fields().set("folder", folder).set("caller", caller));
  }
};

}  // namespace detail

}  // namespace must

#endif  // MUST_BACKUP_HPP
