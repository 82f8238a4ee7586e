/* Everything for one instruction set: included by `product.c` with NAME, TARGET, LANES and perhaps DOT_BF16 defined. */

#include "vector.h"

#define ELEMENT_BF16 0
#include "product.h"
#undef ELEMENT_BF16
#ifdef DOT_BF16
#define ELEMENT_BF16 1
#include "product.h"
#undef ELEMENT_BF16
#endif

static const Products NAME(products) = {
    .width = 2 * LANES,
#ifdef DOT_BF16
    .block = {NAME(product_block_f32), NAME(product_block_bf16)},
#else
    .block = {NAME(product_block_f32), 0},
#endif
};

#undef vf
#undef vi
#undef vh
#undef INLINE
#undef NAME
#undef TARGET
#undef LANES
#undef REGISTERS
