/* Everything for one instruction set: included by `cpu.c` with NAME, TARGET, LANES and perhaps DOT_BF16 defined. */

#include "vector.h"

#define ELEMENT_BF16 0
#include "element.h"
#undef ELEMENT_BF16
#define ELEMENT_BF16 1
#include "element.h"
#undef ELEMENT_BF16

static const Kernels NAME(kernels) = {
    .isa = ISA,
    .tile_lanes = TILE_VECTORS * LANES,
    .flat_unit = {NAME(flat_unit_f32), NAME(flat_unit_bf16)},
    .tile_unit = {NAME(tile_unit_f32), NAME(tile_unit_bf16)},
    .norm_row = {NAME(norm_row_f32), NAME(norm_row_bf16)},
    .rope_row = {NAME(rope_row_f32), NAME(rope_row_bf16)},
    .silu_row = {NAME(silu_row_f32), NAME(silu_row_bf16)},
    .merge_row = {NAME(merge_row_f32), NAME(merge_row_bf16)},
};

#undef vf
#undef vi
#undef vh
#undef INLINE
#undef NAME
#undef TARGET
#undef LANES
#undef REGISTERS
#undef ISA
