#pragma once

#include <gatehouse/gatehouse.h>

/// Makes the call that a request names and gives its result, null for a command.
///
/// A request is {"call":"send_to_group","groups":["room"],"data":"hello","except":[],"raw":false}: the arguments under the names
/// client, clients, uid, uids, group, groups, data, last_words, value, except, raw, binary. The worker in tests/php takes the
/// same requests and gives the same results.
gatehouse::Task<gatehouse::Value> make_call(gatehouse::Cluster& cluster, const gatehouse::Value& request);
