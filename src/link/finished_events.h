#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "wire/event_ranges.h"

namespace gatehouse::link {

/// Names one event of a link, for saying that it has been finished. Another event connection to the same gateway is another link.
struct EventTicket {
  std::uint32_t link = 0;  // 0: nobody wants to know
  std::uint64_t number = 0;
};

/// The events that have been finished since the gateway was last told, as ranges: one when they were finished in their order, as
/// nearly always.
class FinishedEvents {
 public:
  void add(std::uint64_t number) {
    if (last_.count > 0 && number == last_.first + last_.count && last_.count < 0xffffffffU) {
      ++last_.count;
      return;
    }
    if (last_.count > 0) wire::append_event_range(ranges_, last_);
    last_ = {number, 1};
  }
  [[nodiscard]] bool empty() const { return last_.count == 0; }
  /// The body of a `finished` frame; valid until the next call.
  std::string_view body() {
    if (last_.count > 0) wire::append_event_range(ranges_, std::exchange(last_, {}));
    return ranges_;
  }
  void clear() {
    last_ = {};
    ranges_.clear();
  }

 private:
  std::string ranges_;
  wire::EventRange last_;
};

}  // namespace gatehouse::link
