/* Everything for one element type: included by `set.h` with ELEMENT_BF16 as 0 and as 1. */

#if ELEMENT_BF16
#define element uint16_t
#define T(x) NAME(x##_bf16)
#ifndef DOT_BF16
static TARGET void T(widen)(float *to, const void *from, int count) {
    for (int i = 0; i < count; i += LANES) NAME(store)(to + i, NAME(load_bf16)((const uint16_t *)from + i));
}
#else
/* Rows of V two by two: word d of row j holds elements d of rows 2j and 2j + 1. */
static TARGET void T(interleave)(uint32_t *to, const void *from, int rows, int size) {
    const vh32 even = {0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39,
                       8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i low = (__m512i)even, high = (__m512i)(even + 16);
    for (int j = 0; j < rows; j += 2)
        for (int d = 0; d < size; d += 32) {
            const uint16_t *row = (const uint16_t *)from + j * size + d;
            __m512i a = _mm512_loadu_si512(row), b = _mm512_loadu_si512(row + size);
            uint32_t *at = to + j / 2 * size + d;
            _mm512_storeu_si512(at, _mm512_permutex2var_epi16(a, low, b));
            _mm512_storeu_si512(at + 16, _mm512_permutex2var_epi16(a, high, b));
        }
}
#endif
#else
#define element float
#define T(x) NAME(x##_f32)
INLINE vf T(load)(const float *p) { return NAME(load)(p); }
INLINE void T(store)(float *p, vf x) { NAME(store)(p, x); }
#endif

/* One query's sum over a unit: divided and written out where that is all, else kept for `merge`. */
static TARGET void T(finish)(const Attention *a, const Unit *u, int64_t lane, const float *sum, float top, float mass) {
    int64_t row = u->row + lane / a->group, head = u->head * a->group + lane % a->group;
    if (u->piece->partial < 0) {
        element *out = (element *)a->out + ((u->piece->row + row) * a->heads + head) * a->size;
        for (int d = 0; d < a->size; d += LANES) T(store)(out + d, NAME(load)(sum + d) / mass);
    } else {
        int64_t at = (u->piece->partial + u->chunk * u->piece->rows + row) * a->heads + head;
        memcpy(a->partial + at * a->size, sum, 4 * (size_t)a->size);
        a->mass[2 * at] = top * a->scale;
        a->mass[2 * at + 1] = mass;
    }
}

#include "ops.h"
#include "flat.h"
#include "tile.h"

/* The results of one row from its partial ones, added in the order of the plan. */
static TARGET void T(merge_row)(const Attention *a, const Merge *m, int64_t row) {
    for (int64_t head = 0; head < a->heads; head++) {
        float top = a->scale * LOWEST, sum[MAX_SIZE] = {0};
        vf mass = (vf){};
        for (int adding = 0; adding < 2; adding++)
            for (int64_t i = m->item; i < m->item + m->items; i++) {
                const Piece *piece = a->pieces + a->items[i];
                int64_t in_piece = row - piece->row, chunks = chunks_of(visible(piece, in_piece));
                for (int64_t chunk = 0; chunk < chunks; chunk++) {
                    int64_t at = (piece->partial + chunk * piece->rows + in_piece) * a->heads + head;
                    const float *part = a->partial + at * a->size, *part_mass = a->mass + 2 * at;
                    if (!adding) {
                        top = part_mass[0] > top ? part_mass[0] : top;
                        continue;
                    }
                    vf weight = NAME(exp2)(NAME(splat)(part_mass[0] - top));
                    mass += weight * part_mass[1];
                    for (int d = 0; d < a->size; d += LANES)
                        NAME(store)(sum + d, NAME(load)(sum + d) + NAME(load)(part + d) * weight);
                }
            }
        element *out = (element *)a->out + (row * a->heads + head) * a->size;
        for (int d = 0; d < a->size; d += LANES) T(store)(out + d, NAME(load)(sum + d) / mass);
    }
}

#undef element
#undef T
