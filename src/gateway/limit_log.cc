#include "gateway/limit_log.h"

namespace gatehouse::gateway {
namespace {

struct Words {
  const char* name;      // in the status
  const char* sentence;  // in the log
};

Words words_for(Limit limit) {
  switch (limit) {
    case Limit::connections: return {"connections", "there are max_connections clients; a new one was refused"};
    case Limit::connections_per_address:
      return {"connections_per_address", "there are max_connections_per_address clients of this address; a new one was refused"};
    case Limit::new_connections: return {"new_connections", "over max_new_connections_per_second; a new client was refused"};
    case Limit::memory: return {"memory", "over max_memory; a new client was refused"};
    case Limit::denied: return {"denied", "an address that is denied (\"deny\"); the client was refused"};
    case Limit::origin: return {"origin", "an Origin that is not in allowed_origins; the client was refused"};
    case Limit::header: return {"header", "a handshake over max_header_size or max_header_fields; the client was refused"};
    case Limit::proxy_header:
      return {"proxy_header", "a trusted proxy sent no right PROXY header (proxy_protocol); the connection was closed"};
    case Limit::handshake_time: return {"handshake_time", "no handshake within handshake_timeout; the client was closed"};
    case Limit::first_bind: return {"first_bind", "neither uid nor group within first_bind_timeout; the client was closed"};
    case Limit::protocol: return {"protocol", "bytes that are not of the port's protocol; the client was closed"};
    case Limit::message_size: return {"message_size", "a message over max_package_size; the client was closed"};
    case Limit::inflated_size: return {"inflated_size", "a message over max_package_size when inflated; the client was closed"};
    case Limit::fragments: return {"fragments", "a message of more than max_fragments frames; the client was closed"};
    case Limit::unfinished_messages:
      return {"unfinished_messages",
              "unfinished messages over unfinished_messages_size in all; the client that held much of them for long was closed"};
    case Limit::message_time: return {"message_time", "a message not whole within message_timeout; the client was closed"};
    case Limit::message_rate: return {"message_rate", "over max_messages_per_second; the client was delayed or closed"};
    case Limit::byte_rate: return {"byte_rate", "over max_bytes_per_second; the client was delayed or closed"};
    case Limit::send_buffer:
      return {"send_buffer", "over send_to_client_buffer_size; the client was closed, or a message to it dropped"};
    case Limit::worker_buffer:
      return {"worker_buffer",
              "over send_to_worker_buffer_size or unfinished_buffer_size of a worker; a client was not read from until it had "
              "drained"};
    case Limit::worker_frame:
      return {"worker_frame", "a message and its session are more than a worker accepts at once; the client was closed"};
    case Limit::groups: return {"groups", "a client is in 65,536 groups, the most that one may be in; it did not join another"};
    case Limit::no_worker_buffer:
      return {"no_worker_buffer", "over no_worker_buffer_size, and there is no worker; the client was closed"};
    case Limit::no_worker_time: return {"no_worker_time", "no worker within no_worker_timeout; the client was closed"};
    case Limit::deflate_contexts:
      return {"deflate_contexts", "over deflate_context_memory; a client was let in without a context of its own"};
    case Limit::inner_connect: return {"inner_connect", "no secret_key on the inner port in time; the peer was closed"};
    case Limit::inner_strangers:
      return {"inner_strangers", "1024 peers of the inner port have not shown who they are; the one that came first was closed"};
    case Limit::command_size: return {"command_size", "a command of a worker or GatewayClient over 32 MiB; it was passed over"};
    case Limit::inner_refused: return {"inner_refused", "a peer of the inner port was refused"};
    case Limit::tls_handshakes: return {"tls_handshakes", "over max_tls_handshakes_per_second; a new client waits for its turn"};
    case Limit::open_tls_handshakes:
      return {"open_tls_handshakes", "max_tls_handshakes are going on; a new one waits, or the oldest was ended to make room"};
    case Limit::tls: return {"tls", "no TLS, or a handshake that failed; the client was closed"};
    case Limit::inner_tls:
      return {"inner_tls", "a peer of the inner port without a certificate of inner_tls_ca, or without TLS; it was closed"};
    case Limit::count_: break;
  }
  return {"", ""};
}

}  // namespace

void LimitLog::hit(Limit limit, const net::Address& who, std::string_view detail) {
  Entry& entry = entries_[static_cast<std::size_t>(limit)];
  ++entry.count;
  if (entry.logged != 0 && loop_.now_ms() - entry.logged_at_ms < kQuietMs) return;
  const Words words = words_for(limit);
  loop_.log().warning("limit {}: {}{}{} ({}; {} times since the last such line, {} in all)", words.name, words.sentence,
                      detail.empty() ? "" : ": ", detail, who.to_string(), entry.count - entry.logged, entry.count);
  entry.logged = entry.count;
  entry.logged_at_ms = loop_.now_ms();
}

std::map<std::string, std::uint64_t> LimitLog::counts() const {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].count != 0) out.emplace(words_for(static_cast<Limit>(i)).name, entries_[i].count);
  }
  return out;
}

}  // namespace gatehouse::gateway
