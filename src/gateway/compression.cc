#include "gateway/compression.h"

#include <algorithm>

namespace gatehouse::gateway {

void Compression::change(Settings settings) {
  if (settings.level != settings_.level) deflaters_ = {};
  settings_ = settings;
}

wire::DeflateAnswer Compression::agree(ClientRecord& client, const wire::HttpHead& head) {
  if (!settings_.offered) return {};
  wire::DeflateRules rules = settings_.rules;
  const auto reserve = [](const wire::DeflateAnswer& answer) {
    return (answer.server_keeps_context ? wire::Deflater::memory(answer.server_window_bits) : 0) +
           (answer.client_keeps_context ? wire::Inflater::memory(answer.client_window_bits) : 0);
  };
  wire::DeflateAnswer answer = wire::answer_deflate_offers(head, rules);
  // It may be less than what is reserved, after a change.
  if (reserve(answer) > settings_.max_context_bytes - std::min(context_bytes_, settings_.max_context_bytes)) {
    ++counts_.without_context;
    rules.context_takeover = false;
    answer = wire::answer_deflate_offers(head, rules);
  }
  if (answer.kind != wire::DeflateAnswer::Kind::agreed) return answer;
  client.websocket.deflate = true;
  client.deflate_bits = static_cast<std::uint8_t>(answer.server_window_bits);
  client.keeps_context = answer.server_keeps_context || answer.client_keeps_context;
  if (client.keeps_context) {
    const std::size_t bytes = reserve(answer);
    contexts_.insert_or_assign(client.id, Context{answer.server_keeps_context, answer.client_keeps_context,
                                                  answer.client_window_bits, bytes, nullptr, nullptr});
    context_bytes_ += bytes;
  }
  return answer;
}

Compression::Context* Compression::context_of(const ClientRecord& client) {
  if (!client.keeps_context) return nullptr;
  const auto found = contexts_.find(client.id);
  return found == contexts_.end() ? nullptr : &found->second;
}

std::string_view Compression::count(std::string_view message, std::string_view deflated) {
  if (deflated.empty()) return deflated;
  ++counts_.deflated;
  counts_.bytes_before += message.size();
  counts_.bytes_after += deflated.size();
  return deflated;
}

std::string_view Compression::deflate(std::string_view message, std::uint8_t bits) {
  if (!is_worth_it(message.size())) return {};
  ++uses_;
  auto& deflater = deflaters_[bits - kLeastBits];
  if (deflater == nullptr) deflater = std::make_unique<wire::Deflater>(settings_.level, bits, deflated_);
  deflated_.trim();
  return count(message, deflater->deflate(message, false));
}

std::string_view Compression::deflate_for(const ClientRecord& client, std::string_view message) {
  Context* context = context_of(client);
  if (context == nullptr || !context->server_keeps) return deflate(message, client.deflate_bits);
  if (!is_worth_it(message.size())) return {};
  if (context->out == nullptr) context->out = std::make_unique<wire::Deflater>(settings_.level, client.deflate_bits, deflated_);
  ++uses_;
  deflated_.trim();
  return count(message, context->out->deflate(message, true));
}

void Compression::sent_shared(const ClientRecord& client) {
  Context* context = context_of(client);
  if (context != nullptr && context->out != nullptr) context->out->forget_context();
}

wire::Inflater::Result Compression::inflate(const ClientRecord& client, std::string_view compressed) {
  Context* context = context_of(client);
  const bool keeps = context != nullptr && context->client_keeps;
  std::unique_ptr<wire::Inflater>& inflater = keeps ? context->in : inflater_;
  if (inflater == nullptr) inflater = std::make_unique<wire::Inflater>(keeps ? context->client_bits : 15, inflated_);
  ++uses_;
  inflated_.trim();
  const wire::Inflater::Result result = inflater->inflate(compressed, settings_.max_message_bytes, keeps);
  if (result.status == wire::Inflater::Status::complete) ++counts_.inflated;
  if (result.status == wire::Inflater::Status::too_big) ++counts_.too_big;
  return result;
}

void Compression::forget(const ClientRecord& client) {
  if (!client.keeps_context) return;
  const auto found = contexts_.find(client.id);
  if (found == contexts_.end()) return;
  context_bytes_ -= found->second.bytes;
  contexts_.erase(found);
}

bool Compression::is_idle() const {
  return inflater_ == nullptr && buffer_bytes() == 0 &&
         std::all_of(deflaters_.begin(), deflaters_.end(), [](const auto& each) { return each == nullptr; });
}

void Compression::free_unused(std::uint64_t now_ms) {
  if (uses_ != uses_seen_) {
    uses_seen_ = uses_;
    idle_since_ms_ = now_ms;
    return;
  }
  if (now_ms - idle_since_ms_ < kIdleMs) return;
  for (auto& deflater : deflaters_) deflater.reset();
  inflater_.reset();
  deflated_.release();
  inflated_.release();
}

}  // namespace gatehouse::gateway
