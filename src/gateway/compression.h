#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "gateway/client_record.h"
#include "wire/deflate.h"
#include "wire/deflate_offer.h"
#include "wire/http_head.h"

namespace gatehouse::gateway {

/// permessage-deflate of a gateway's clients. Without context takeover all of them share one inflater and one deflater for each
/// size of window, which exist only while they are used; an idle client costs nothing. With it, a client has its own from its
/// first compressed message on; what they give out stands in buffers of all.
class Compression {
 public:
  struct Settings {
    bool offered = true;  // to clients that come; those that have agreed keep what they have
    int level = 1;
    std::size_t threshold_bytes = 256;  // messages below it are sent plain
    wire::DeflateRules rules;
    std::size_t max_message_bytes = 1024 * 1024;       // inflated
    std::size_t max_context_bytes = 64 * 1024 * 1024;  // of all clients that keep a context; beyond it none is agreed on
  };
  static constexpr std::uint64_t kIdleMs = 10'000;  // until what is shared is given back

  explicit Compression(Settings settings) : settings_(settings) {}

  /// For clients that come and messages that are sent from now on.
  void change(Settings settings);

  /// Answers a client's offers, and notes in its record what was agreed on.
  wire::DeflateAnswer agree(ClientRecord& client, const wire::HttpHead& head);

  [[nodiscard]] bool is_worth_it(std::size_t message_size) const { return message_size >= settings_.threshold_bytes; }
  /// A message for any number of clients whose records have these deflate_bits; empty when it is better sent plain. Valid until
  /// the next call.
  std::string_view deflate(std::string_view message, std::uint8_t bits);
  /// A message for one client, within its context if it keeps one.
  std::string_view deflate_for(const ClientRecord& client, std::string_view message);
  /// The client was sent a message that others were sent too: what follows must not refer to what it had before.
  void sent_shared(const ClientRecord& client);
  /// A compressed message of a client. Valid until the next call.
  wire::Inflater::Result inflate(const ClientRecord& client, std::string_view compressed);

  void forget(const ClientRecord& client);
  /// Gives back what has not been used for a while. Called about once a second.
  void free_unused(std::uint64_t now_ms);

  struct Counts {
    std::uint64_t deflated = 0;  // messages; one to many clients counts once
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
    std::uint64_t inflated = 0;
    std::uint64_t too_big = 0;          // stopped at the limit while inflating
    std::uint64_t without_context = 0;  // clients, for want of max_context_bytes
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Bytes that contexts may take, by agreement.
  [[nodiscard]] std::size_t context_bytes() const { return context_bytes_; }
  /// Bytes of the buffers that hold what the last messages became.
  [[nodiscard]] std::size_t buffer_bytes() const { return deflated_.capacity() + inflated_.capacity(); }
  /// Whether anything shared exists at the moment.
  [[nodiscard]] bool is_idle() const;

 private:
  struct Context {
    bool server_keeps;
    bool client_keeps;
    int client_bits;
    std::size_t bytes;  // reserved
    std::unique_ptr<wire::Deflater> out;
    std::unique_ptr<wire::Inflater> in;
  };
  static constexpr std::uint8_t kLeastBits = 9;

  Context* context_of(const ClientRecord& client);
  std::string_view count(std::string_view message, std::string_view deflated);

  Settings settings_;
  wire::DeflateBuffer deflated_;
  wire::DeflateBuffer inflated_;
  std::array<std::unique_ptr<wire::Deflater>, 16 - kLeastBits> deflaters_;  // by window bits
  std::unique_ptr<wire::Inflater> inflater_;
  std::unordered_map<std::uint32_t, Context> contexts_;  // by connection id
  std::size_t context_bytes_ = 0;
  std::uint64_t uses_ = 0;
  std::uint64_t uses_seen_ = 0;
  std::uint64_t idle_since_ms_ = 0;
  Counts counts_;
};

}  // namespace gatehouse::gateway
