#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/endpoint.h"

namespace gatehouse::link {

/// The addresses of "HOST:PORT" for whoever dials it again and again: one after the other, as long as they fail. The first
/// look-up blocks, as all at start do; from then on a name is looked up beside the loop, on a thread of its own, and what was
/// found serves the next round through all of them: a resolver that does not answer must not hold up a process that has clients.
///
/// Thread rule: one thread.
class NameLookup {
 public:
  using Addresses = Result<std::vector<net::Endpoint>>;
  /// Blocks. Called on other threads, too.
  using Resolve = std::function<Addresses(const std::string& address)>;

  explicit NameLookup(std::string address) : NameLookup(std::move(address), &resolve) {}
  NameLookup(std::string address, Resolve resolve);

  /// Where to dial now.
  Result<net::Endpoint> next();
  /// What next() gave could not be reached. True when there is another address that has not been tried in this round; otherwise
  /// the next round begins, after a pause of the caller's.
  bool failed();
  /// What next() gave was there, and is lost: the next round begins, and a name is looked up again.
  void begin_round() { at_ = 0; }
  /// Whether there is more than one.
  [[nodiscard]] bool has_several() const { return found_ && found_->has_value() && (*found_)->size() > 1; }

  /// All addresses that the system knows for it, those of IPv4 first: most machines reach those, and GatewayWorker's roles know
  /// no others.
  static Addresses resolve(const std::string& address);

 private:
  struct Shared;

  void look_up_again();
  void take();

  std::string address_;
  Resolve resolve_;
  std::optional<Addresses> found_;
  std::size_t at_ = 0;               // in found_
  std::shared_ptr<Shared> running_;  // with the thread, if there is one
  bool is_name_ = true;
};

}  // namespace gatehouse::link
