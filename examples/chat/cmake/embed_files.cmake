# cmake -DOUTPUT=page_files.cc -DFILES="a;b" -P embed_files.cmake: writes the definition of page_files.h's function.
set(arrays "")
set(entries "")
set(index 0)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  # Lines of 16 bytes: some editors and compilers do not like one line of 100 KB.
  string(REPEAT "0x..," 16 line)
  string(REGEX REPLACE "${line}" "\\0\n" bytes "${bytes}")
  string(APPEND arrays "constexpr unsigned char kFile${index}[${size}] = {\n${bytes}};\n\n")
  string(APPEND entries "      {\"${name}\", {reinterpret_cast<const char*>(kFile${index}), ${size}}},\n")
  math(EXPR index "${index} + 1")
endforeach()

file(WRITE "${OUTPUT}" "// Made by embed_files.cmake.
#include \"page_files.h\"

namespace chat {
namespace {

${arrays}}  // namespace

std::span<const PageFile> page_files() {
  static const PageFile kFiles[] = {
${entries}  };
  return kFiles;
}

}  // namespace chat
")
