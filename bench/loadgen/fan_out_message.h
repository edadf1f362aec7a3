#pragma once

#include <cstddef>

#include "hex.h"

namespace loadgen {

/// What the publisher sends and the subscribers get: 'M', the sequence number, when it was due, filler.
constexpr std::size_t kSequenceAt = 1;
constexpr std::size_t kDueTimeAt = kSequenceAt + kHexSize;
constexpr std::size_t kFanOutFillerAt = kDueTimeAt + kHexSize;

}  // namespace loadgen
