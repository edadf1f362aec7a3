#pragma once

namespace gatehouse {

/// Opens /dev/null as standard input, output and error where the caller has closed one of them. Otherwise the next file or socket
/// that is opened gets that number, and whoever prints a line writes into it, or whoever redirects output closes it.
///
/// To be called before anything else is opened. Throws std::system_error when /dev/null cannot be opened.
void open_standard_descriptors();

}  // namespace gatehouse
