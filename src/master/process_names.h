#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "master/supervised_process.h"

namespace gatehouse::master {

/// The place of the process that an operator means by `name`: "web:0" as `status` shows it, also cut as there when it is long,
/// "gateway web:0" as in the log, or its pid. Fails with a sentence that lists the processes there are, or those of which two
/// have that name.
Result<std::size_t> find_process(const std::vector<SupervisedProcess>& processes, std::string_view name);

}  // namespace gatehouse::master
