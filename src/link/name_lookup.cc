#include "link/name_lookup.h"

#include <netdb.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace gatehouse::link {

/// What the thread leaves behind; it may outlive the NameLookup.
struct NameLookup::Shared {
  std::mutex mutex;
  std::optional<Addresses> found;
};

NameLookup::NameLookup(std::string address, Resolve resolve) : address_(std::move(address)), resolve_(std::move(resolve)) {}

NameLookup::Addresses NameLookup::resolve(const std::string& address) {
  // It says what is wrong with an address, and finds one when there is one.
  const Result<net::Endpoint> one = net::Endpoint::resolve(address);
  if (!one) return tl::unexpected(one.error());
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) return std::vector{*one};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<net::Endpoint> all = {*one};
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
      if (each->ai_family != family) continue;
      sockaddr_storage storage{};
      std::memcpy(&storage, each->ai_addr, each->ai_addrlen);
      const std::string text = net::Address::from_sockaddr(storage).to_string();
      const auto endpoint = net::Endpoint::parse_numeric(text);
      const auto is_known = [&](const net::Endpoint& other) { return other.to_string() == text; };
      if (endpoint && std::none_of(all.begin(), all.end(), is_known)) all.push_back(*endpoint);
    }
  }
  return all;
}

Result<net::Endpoint> NameLookup::next() {
  if (!found_) {
    const Result<net::Endpoint> numeric = net::Endpoint::parse_numeric(address_);
    is_name_ = !numeric;
    if (is_name_) {
      found_ = resolve_(address_);
    } else {
      found_ = std::vector{*numeric};
    }
  } else if (is_name_ && at_ == 0) {
    take();
    look_up_again();
  }
  if (!*found_) return tl::unexpected(found_->error());
  return (**found_)[at_];
}

bool NameLookup::failed() {
  if (!found_ || !*found_) return false;
  at_ = (at_ + 1) % (*found_)->size();
  return at_ != 0;
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
    std::thread([shared = running_, address = address_, resolve = resolve_] {
      Addresses found = resolve(address);
      const std::lock_guard lock(shared->mutex);
      shared->found.emplace(std::move(found));
    }).detach();
  } catch (const std::system_error&) {
    running_.reset();  // no thread to be had: the old addresses serve, and the next round tries again
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace gatehouse::link
