#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gatehouse {

/// Raises this process's limit of open descriptors to the hard limit, which children inherit: a client is a descriptor, and the
/// usual limit is 1024. Returns the limit that holds now.
std::uint64_t raise_descriptor_limit();

/// Clients that fit into one gateway process under that limit: some descriptors are for the loop, the inner connections and the
/// log.
std::uint64_t clients_that_fit(std::uint64_t descriptor_limit);

/// What to say when that is less than people expect of such a server; nothing otherwise.
std::optional<std::string> describe_low_limit(std::uint64_t descriptor_limit);

}  // namespace gatehouse
