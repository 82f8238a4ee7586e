/* One instruction set of `sets.h`: its vectors, SET once for float32 and once for bfloat16, and SET_TABLE, which lists
   what came of that. */

#include "vector.h"

#define ELEMENT_BF16 0
#include SET
#undef ELEMENT_BF16
#define ELEMENT_BF16 1
#include SET
#undef ELEMENT_BF16

SET_TABLE

#undef vf
#undef vi
#undef vh
#undef INLINE
#undef NAME
#undef TARGET
#undef LANES
#undef REGISTERS
#undef ISA
