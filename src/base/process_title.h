#pragma once

#include <string>

namespace gatehouse {

/// What `ps` and `top -c` show of this process instead of its arguments (/proc/PID/cmdline). The arguments themselves stay as and
/// where they are: whoever has kept a pointer to one still finds it there. False where the kernel does not offer it
/// (PR_SET_MM_MAP of prctl(2)), or more than one thread runs; then all is as it was. To be called once or a few times: the text
/// is never freed.
bool set_process_title(const std::string& title);

/// What `top`, `pgrep` and `ps -o comm` call this process; of more than 15 bytes the first 15. REQUIRES: the main thread.
void set_process_name(const std::string& name);

}  // namespace gatehouse
