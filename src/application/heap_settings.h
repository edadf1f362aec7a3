#pragma once

namespace gatehouse {

/// Lets this process keep up to 8 MB of freed memory, instead of giving it back to the kernel at once as glibc would: a big
/// message passes through several buffers that live as long as it does, and to fault their pages in anew for each message cost
/// more than all the rest of it. What is freed beyond goes back as before. Done by the processes of roles, for the whole process;
/// nothing where the C library is another one.
void keep_freed_memory();

}  // namespace gatehouse
