#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "net/endpoint.h"

namespace gatehouse::link {

/// The address of "HOST:PORT" for whoever dials it again and again. The first look-up blocks, as all at start do; from then on a
/// name is looked up beside the loop, on a thread of its own, and what was found serves the dial after the next: a resolver
/// that does not answer must not hold up a process that has clients.
///
/// Thread rule: one thread.
class NameLookup {
 public:
  explicit NameLookup(std::string address);

  /// Where to dial now.
  Result<net::Endpoint> next();

 private:
  struct Shared;

  void look_up_again();
  void take();

  std::string address_;
  std::optional<Result<net::Endpoint>> found_;
  std::shared_ptr<Shared> running_;  // with the thread, if there is one
  bool is_name_ = true;
};

}  // namespace gatehouse::link
