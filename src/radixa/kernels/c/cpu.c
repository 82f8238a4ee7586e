/* Radixa's compiled operations for a CPU: see `../native.py` for what they do and how they are called.

   Plain C11 with the vector extension of GCC and Clang. The same sources are compiled once for each instruction set
   worth having, and the best one the processor knows is chosen when the library is loaded. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "attention.h"
#include "parallel.h"
#include "processor.h"
#include "rows.h"

typedef struct {
    const char *isa;
    int64_t tile_lanes;
    void (*norm_row[2])(const void *, int64_t);
    void (*rope_row[2])(const void *, int64_t);
    void (*silu_row[2])(const void *, int64_t);
    void (*flat_unit[2])(const Attention *, const Unit *);
    void (*tile_unit[2])(const Attention *, const Unit *);
    void (*merge_row[2])(const Attention *, const Merge *, int64_t);
} Kernels;

typedef uint16_t vh32 __attribute__((vector_size(64)));

#define SET "element.h"
#define SET_TABLE                                                     \
    static const Kernels NAME(kernels) = {                            \
        .isa = ISA,                                                   \
        .tile_lanes = TILE_VECTORS * LANES,                           \
        .flat_unit = {NAME(flat_unit_f32), NAME(flat_unit_bf16)},     \
        .tile_unit = {NAME(tile_unit_f32), NAME(tile_unit_bf16)},     \
        .norm_row = {NAME(norm_row_f32), NAME(norm_row_bf16)},        \
        .rope_row = {NAME(rope_row_f32), NAME(rope_row_bf16)},        \
        .silu_row = {NAME(silu_row_f32), NAME(silu_row_bf16)},        \
        .merge_row = {NAME(merge_row_f32), NAME(merge_row_bf16)},     \
    };
#include "sets.h"

static const Kernels *const sets[] = {EACH_SET(kernels)};
static const Kernels *best = &kernels_generic;

parallel_fn team;
int chosen_set;

/* Choose the instruction set, at most `limit` (0 generic, 1 AVX2, 2 AVX-512, 3 AVX-512 with bfloat16); its name. */
EXPORT const char *radixa_choose(int limit) {
    chosen_set = instruction_set(limit);
    best = sets[chosen_set];
    return best->isa;
}

/* The entry point of the process's OpenMP runtime, or NULL to run on the calling thread alone. */
EXPORT void radixa_use_team(void *gomp_parallel) { team = (parallel_fn)gomp_parallel; }

/* Rows of a unit: all that fit the lanes of a tile, or of a flat unit where a piece has no more than those. */
static int is_flat(const Attention *a, const Piece *p) { return !p->causal && p->rows * a->group <= FLAT_LANES; }

static int64_t unit_rows(const Attention *a, const Piece *p) {
    return is_flat(a, p) ? p->rows : least(p->rows, best->tile_lanes / a->group);
}

static void attend_work(void *context) {
    Attention *a = context;
    int64_t piece = 0, first = 0;  /* of the piece's units, among all */
    for (int64_t item = next_item(&a->next, 1);; item = next_item(&a->next, 1)) {
        for (; piece < a->piece_count; piece++) {
            const Piece *p = a->pieces + piece;
            int64_t rows = unit_rows(a, p), blocks = (p->rows + rows - 1) / rows, chunks = chunks_of(p->length);
            int64_t units = blocks * chunks * a->kv_heads;
            if (item >= first + units) {
                first += units;
                continue;
            }
            int64_t index = item - first;
            /* The last rows of a causal piece see most: they go first, so that threads end together. */
            int64_t block = blocks - 1 - index % blocks;
            Unit u = {p, index / blocks / chunks, block * rows, least(rows, p->rows - block * rows),
                      index / blocks % chunks};
            (is_flat(a, p) ? best->flat_unit : best->tile_unit)[a->bf16](a, &u);
            break;
        }
        if (piece == a->piece_count) return;
    }
}

static void merge_work(void *context) {
    Attention *a = context;
    for (int64_t i = next_item(&a->next_merge, 1); i < a->merge_count; i = next_item(&a->next_merge, 1))
        for (int64_t row = 0; row < a->merges[i].rows; row++)
            best->merge_row[a->bf16](a, a->merges + i, a->merges[i].row + row);
}

/* shape: bf16, heads, kv_heads, size, capacity. plan: counts of pieces, runs, merges, items and partial rows, then the
   structures of `attention.h` in that order. scratch: partial rows * heads * (size + 2) floats. */
EXPORT void radixa_attend(const void *q, const void *k, const void *v, void *out, const int64_t *shape, const int64_t *plan,
                   float *scratch, float scale, int threads) {
    const int64_t *at = plan + 5;
    Attention a = {.q = q, .k = k, .v = v, .out = out, .bf16 = (int)shape[0], .heads = shape[1], .kv_heads = shape[2],
                   .group = shape[1] / shape[2], .size = shape[3], .capacity = shape[4],
                   .scale = scale * 1.4426950408889634f, .piece_count = plan[0], .merge_count = plan[2]};
    a.pieces = (const Piece *)at;
    at += plan[0] * (int64_t)(sizeof(Piece) / 8);
    a.runs = (const Run *)at;
    at += plan[1] * (int64_t)(sizeof(Run) / 8);
    a.merges = (const Merge *)at;
    at += plan[2] * (int64_t)(sizeof(Merge) / 8);
    a.items = at;
    a.partial = scratch;
    a.mass = scratch + plan[4] * a.heads * a.size;
    in_parallel(attend_work, &a, threads);
    if (a.merge_count) in_parallel(merge_work, &a, a.merge_count > 1 ? threads : 1);
}

/* Rows of an operation, some at a time: enough elements that taking them is cheap beside computing them. */
typedef struct {
    void (*row)(const void *, int64_t);
    const void *work;
    int64_t rows, step;
    int64_t next __attribute__((aligned(128)));
} Rows;

enum { STEP_ELEMENTS = 8192, PARALLEL_FROM = 32768 };  /* below, waking the team costs what it saves */

static void rows_work(void *context) {
    Rows *r = context;
    for (int64_t first = next_item(&r->next, r->step); first < r->rows; first = next_item(&r->next, r->step))
        for (int64_t row = first; row < least(first + r->step, r->rows); row++) r->row(r->work, row);
}

static void each_row(void (*row)(const void *, int64_t), const void *work, int64_t rows, int64_t elements, int threads) {
    int64_t step = elements < STEP_ELEMENTS ? STEP_ELEMENTS / elements : 1;
    Rows r = {row, work, rows, step, .next = 0};
    in_parallel(rows_work, &r, rows * elements < PARALLEL_FROM ? 1 : threads);
}

EXPORT void radixa_rms_norm(int bf16, const void *x, void *residual, const void *weight, void *out, int64_t rows, int64_t size,
                     float eps, int threads) {
    Norm n = {x, weight, residual, out, rows, size, eps};
    each_row(best->norm_row[bf16], &n, rows, size, threads);
}

/* shape: bf16, rows, heads, kv_heads, size, capacity. */
EXPORT void radixa_rope_store(const int64_t *shape, const void *qkv, const float *cosine, const float *sine,
                       const int64_t *slots, void *k, void *v, void *q, const void *q_norm, const void *k_norm,
                       float eps, int threads) {
    Rope r = {qkv, cosine, sine, slots, k, v, q, q_norm, k_norm, shape[1], shape[2], shape[3], shape[4], shape[5], eps};
    each_row(best->rope_row[shape[0]], &r, shape[1], (shape[2] + 2 * shape[3]) * shape[4], threads);
}

EXPORT void radixa_silu_mul(int bf16, const void *gate_up, void *out, int64_t rows, int64_t size, int threads) {
    Silu s = {gate_up, out, rows, size};
    each_row(best->silu_row[bf16], &s, rows, 2 * size, threads);
}
