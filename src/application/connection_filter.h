#pragma once

#include "base/connection_row.h"
#include "base/result.h"

namespace gatehouse {

/// The filter of `connections` as somebody typed it, with client id and address written as the rows have them. Fails with one
/// sentence when one of the two cannot be meant: it would let nothing through, as if nobody were there.
Result<ConnectionFilter> tidy_filter(ConnectionFilter filter);

}  // namespace gatehouse
