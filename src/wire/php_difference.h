#pragma once

#include "wire/php_value.h"

namespace gatehouse::wire {

/// What one array has become: what others have done to it meanwhile stays when only this is done again.
struct PhpDifference {
  PhpArray removed;  // key => true for what is gone; key => array for an array in which something is gone
  PhpArray update;   // for replace_recursive
};

PhpDifference difference(const PhpArray& before, const PhpArray& after);

/// `base` without what `removed` says, in the form above. What is not there, or is no array (any more) where one was, is passed
/// over.
PhpArray remove_recursive(const PhpArray& base, const PhpArray& removed);

}  // namespace gatehouse::wire
