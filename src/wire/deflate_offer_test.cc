#include "wire/deflate_offer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gatehouse::wire {
namespace {

DeflateAnswer answer(const std::vector<std::string>& fields, const DeflateRules& rules = {}) {
  HttpHead head;
  for (const std::string& field : fields) head.fields.emplace_back("sec-websocket-extensions", field);
  return answer_deflate_offers(head, rules);
}
std::string agreed(const std::string& offer, const DeflateRules& rules = {}) {
  const DeflateAnswer result = answer({offer}, rules);
  return result.extensions;
}

bool well_formed(const std::string& field) {
  HttpHead head;
  head.fields.emplace_back("Host", "h");
  head.fields.emplace_back("Sec-WebSocket-Extensions", field);
  return are_extensions_well_formed(head);
}

constexpr DeflateRules kKeeping{.context_takeover = true, .window_bits = 15};
const std::string kNone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

TEST(DeflateOffer, WithoutContexts) {
  EXPECT_EQ(agreed("permessage-deflate"), kNone);
  EXPECT_EQ(agreed("permessage-deflate; client_max_window_bits"), kNone);
  EXPECT_EQ(agreed("PERMESSAGE-DEFLATE ;Server_No_Context_Takeover"), kNone);
  EXPECT_EQ(answer({"permessage-deflate"}).server_window_bits, 15);
}

TEST(DeflateOffer, ContextsAreKeptWhenBothSidesWant) {
  EXPECT_EQ(agreed("permessage-deflate", kKeeping), "permessage-deflate");
  EXPECT_EQ(agreed("permessage-deflate; server_no_context_takeover", kKeeping), "permessage-deflate; server_no_context_takeover");
  EXPECT_EQ(agreed("permessage-deflate; client_no_context_takeover", kKeeping), "permessage-deflate; client_no_context_takeover");
  const DeflateAnswer result = answer({"permessage-deflate; client_no_context_takeover"}, kKeeping);
  EXPECT_TRUE(result.server_keeps_context);
  EXPECT_FALSE(result.client_keeps_context);
}

TEST(DeflateOffer, WindowBits) {
  EXPECT_EQ(agreed("permessage-deflate; server_max_window_bits=10", kKeeping), "permessage-deflate; server_max_window_bits=10");
  EXPECT_EQ(agreed("permessage-deflate; server_max_window_bits=\"10\"", kKeeping),
            "permessage-deflate; server_max_window_bits=10");
  EXPECT_EQ(agreed("permessage-deflate; client_max_window_bits=12", kKeeping), "permessage-deflate; client_max_window_bits=12");
  EXPECT_EQ(agreed("permessage-deflate; client_max_window_bits=8", kKeeping), "permessage-deflate; client_max_window_bits=8");
  const DeflateRules small{.context_takeover = true, .window_bits = 11};
  EXPECT_EQ(agreed("permessage-deflate", small), "permessage-deflate; server_max_window_bits=11");
  EXPECT_EQ(agreed("permessage-deflate; client_max_window_bits", small),
            "permessage-deflate; server_max_window_bits=11; client_max_window_bits=11");
  EXPECT_EQ(agreed("permessage-deflate; server_max_window_bits=13", small), "permessage-deflate; server_max_window_bits=11");
  const DeflateAnswer untold = answer({"permessage-deflate"}, small);
  EXPECT_EQ(untold.client_window_bits, 15) << "a client that does not say that it can be told may use all";
}

TEST(DeflateOffer, WhatCannotBeMetIsPassedOver) {
  for (const std::string parameter :
       {"server_max_window_bits=7", "server_max_window_bits=8", "server_max_window_bits=16", "server_max_window_bits=010",
        "server_max_window_bits=1x", "server_max_window_bits", "client_max_window_bits=7", "client_max_window_bits=16",
        "server_no_context_takeover=1", "client_no_context_takeover=true", "unknown", "unknown=1",
        "server_no_context_takeover; server_no_context_takeover", "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=10"}) {
    EXPECT_EQ(agreed("permessage-deflate; " + parameter), "") << parameter;
    EXPECT_EQ(agreed("permessage-deflate; " + parameter + ", permessage-deflate"), kNone) << parameter;
  }
  EXPECT_EQ(agreed("x-webkit-deflate-frame; no_context_takeover"), "");
  EXPECT_EQ(agreed(""), "");
  EXPECT_EQ(answer({}).kind, DeflateAnswer::Kind::declined);
  EXPECT_EQ(answer({"other", "permessage-deflate"}).extensions, kNone) << "two fields are one list";
}

TEST(DeflateOffer, WhatIsNoListOfExtensionsIsMalformed) {
  for (const std::string field : {"permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; server_max_window_bits=",
                                  "permessage deflate", "permessage-deflate; a=\"b", "permessage-deflate; a=\"b c\"", "a=b",
                                  "\"a\"", ";", "permessage-deflate; a=\"\"", "permessage-deflate\x01"}) {
    EXPECT_FALSE(well_formed(field)) << field;
    EXPECT_FALSE(well_formed("permessage-deflate, " + field)) << field;
    EXPECT_EQ(agreed(field), "") << field;
    EXPECT_EQ(agreed("permessage-deflate, " + field), "") << field;
  }
  for (const std::string field : {"", ", ,", "x-webkit-deflate-frame", "a; b=\"c\", d ;e = f", "permessage-deflate; what_is_this",
                                  "permessage-deflate; server_max_window_bits=7"}) {
    EXPECT_TRUE(well_formed(field)) << field;
  }
  std::string many = "permessage-deflate";
  for (int i = 0; i < 17; ++i) many += "; a" + std::to_string(i);
  EXPECT_FALSE(well_formed(many));
}

}  // namespace
}  // namespace gatehouse::wire
