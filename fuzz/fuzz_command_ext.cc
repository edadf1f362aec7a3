// Every reader of ext_data sees every input; what it accepts, its writer writes so that it is read as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/command_ext.h"

using namespace gatehouse::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view ext(reinterpret_cast<const char*>(data), size);

  Recipients recipients;
  if (parse_recipients(ext, recipients)) {
    Recipients again;
    if (!parse_recipients(recipients_ext(recipients), again) || !(again.kind == recipients.kind)) std::abort();
    if (again.ids.size() > recipients.ids.size()) std::abort();  // an id that came twice in a list comes once
  }

  GroupTarget target;
  if (parse_group_target(ext, target)) {
    GroupTarget again;
    if (!parse_group_target(group_target_ext(target.groups, target.exclude), again) || again.groups != target.groups)
      std::abort();
  }

  UidTarget uids;
  if (parse_uid_target(ext, uids)) {
    UidTarget again;
    if (!parse_uid_target(uid_target_ext(uids.uids, uids.exclude), again) || again.uids != uids.uids) std::abort();
  }

  std::vector<std::string> names;
  if (parse_names(ext, names)) {
    std::vector<std::string> again;
    if (!parse_names(names_ext(names), again) || again != names) std::abort();
  }

  SelectQuery query;
  if (parse_select(ext, query)) {
    SelectQuery again;
    if (!parse_select(select_ext(query), again)) std::abort();
    if (again.session != query.session || again.uid != query.uid || again.groups != query.groups ||
        again.extension != query.extension)
      std::abort();
    const bool conditional = query.where_groups || query.where_uids || query.where_connections;
    if (conditional != (again.where_groups || again.where_uids || again.where_connections)) std::abort();
    if (again.where_groups != query.where_groups || again.where_uids != query.where_uids) std::abort();
  }
  return 0;
}
