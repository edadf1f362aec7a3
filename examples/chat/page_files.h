#pragma once

#include <span>
#include <string_view>

namespace chat {

struct PageFile {
  std::string_view path;  // "style.css"
  std::string_view bytes;
};

/// The files of web/, as they were when the program was built, so that the program needs no others beside it. Made by
/// cmake/embed_files.cmake.
std::span<const PageFile> page_files();

}  // namespace chat
