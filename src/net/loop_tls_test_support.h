#pragma once

// For tests only: a loop whose connections are encrypted, with OpenSSL at the other end.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/tls_context.h"
#include "net/tls_test_support.h"

namespace gatehouse::net::testing {

/// A handler that encrypts everything, and notes what it hears of that.
class TlsRecorder : public Recorder {
 public:
  explicit TlsRecorder(TlsContext* context = nullptr) : context_(context) {
    when_open = [this](Connection& connection) {
      if (context_ != nullptr) connection.start_tls(*context_);
    };
  }
  void on_tls(Connection& connection, TlsEvent event) override {
    events.push_back(event);
    problems.emplace_back(connection.tls_problem());
  }
  void on_close(Connection& connection, CloseCause cause, int error) override {
    last_problem = connection.tls_problem();
    Recorder::on_close(connection, cause, error);
  }

  std::vector<TlsEvent> events;
  std::vector<std::string> problems;
  std::string last_problem;

 private:
  TlsContext* context_;
};

class LoopTlsTest : public ::testing::Test {
 protected:
  LoopTlsTest() : settings_{.certificates = {own_.write(directory_, "own")}} { make(); }

  void make() {
    context_ = std::move(*TlsContext::make(settings_));
    server_.emplace(context_.get());
  }
  void listen() { loop_.listen(std::move(listener_.socket), *server_); }
  bool until(const std::function<bool()>& condition) { return run_until(loop_, condition); }
  /// One that has shaken hands.
  std::unique_ptr<TlsPeer> peer(int version = TLS1_3_VERSION, int receive_buffer = 0) {
    const std::size_t before = server_->opened.size();
    auto peer = std::make_unique<TlsPeer>(listener_.endpoint, OpenSslEnd::Wish{.version = version}, receive_buffer);
    EXPECT_TRUE(until([&] { return peer->is_established() && server_->opened.size() > before; })) << peer->end.error;
    return peer;
  }
  Connection* connection(std::size_t which = 0) { return loop_.find(server_->opened.at(which)); }

  TestDirectory directory_;
  TestIdentity own_{TestIdentity::Wish{}};
  TlsContext::Settings settings_;
  std::unique_ptr<TlsContext> context_;
  LocalListener listener_;
  std::optional<TlsRecorder> server_;
  Loop loop_{Log("test")};
};

}  // namespace gatehouse::net::testing
