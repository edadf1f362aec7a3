#include "link/name_lookup.h"

#include <pthread.h>

#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace gatehouse::link {

/// What the thread leaves behind; it may outlive the NameLookup.
struct NameLookup::Shared {
  std::mutex mutex;
  std::optional<Result<net::Endpoint>> found;
};

NameLookup::NameLookup(std::string address) : address_(std::move(address)) {}

Result<net::Endpoint> NameLookup::next() {
  if (!found_) {
    found_ = net::Endpoint::parse_numeric(address_);
    is_name_ = !found_->has_value();
    if (is_name_) found_ = net::Endpoint::resolve(address_);
    return *found_;
  }
  if (!is_name_) return *found_;
  take();
  look_up_again();
  return *found_;
}

void NameLookup::take() {
  if (!running_) return;
  {
    const std::lock_guard lock(running_->mutex);
    if (!running_->found) return;
    // A resolver that fails is no reason to forget an address that has worked.
    if (running_->found->has_value() || !found_->has_value()) found_ = std::move(running_->found);
  }
  running_.reset();
}

void NameLookup::look_up_again() {
  if (running_) return;
  running_ = std::make_shared<Shared>();
  // The process's signals are for its loop.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([shared = running_, address = address_] {
      Result<net::Endpoint> found = net::Endpoint::resolve(address);
      const std::lock_guard lock(shared->mutex);
      shared->found.emplace(std::move(found));
    }).detach();
  } catch (const std::system_error&) {
    running_.reset();  // no thread to be had: the old address serves, and the next dial tries again
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace gatehouse::link
