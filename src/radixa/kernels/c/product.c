/* Matrix products with weights that lie in blocks: see `../product.py` for what they do and how they are called.

   Weights [outputs, inputs] are cut into blocks of WIDTH outputs, and a block lies as [inputs, WIDTH] (bfloat16: as
   [inputs / 2, WIDTH, 2], the pairs that `vdpbf16ps` takes), so that a product reads them once, from front to back. A
   register tile is up to ROWS rows of x times one block; its sums stay in registers from the first input to the last.
   So a row's result depends on nothing but that row: not on how many others there are, nor on how many threads. */

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "parallel.h"
#include "processor.h"

typedef struct {
    const void *blocks, *x, *bias; /* x [rows, inputs]; bias [outputs], or NULL */
    void *out;                     /* [rows, outputs] */
    int64_t rows, inputs, outputs;
    int wide;  /* out is float32, whatever the inputs are */
    int64_t next; /* the counter of `next_item` */
} Product;

/* Rows of one thread's work at a time: whole tiles, enough that a block is worth fetching. */
enum { CHUNK_ROWS = 96 };

/* Multiplications below which waking the team costs more than it saves. */
enum { PARALLEL_FROM = 1 << 17 };

typedef struct {
    int64_t width;                                                /* outputs of a block */
    void (*block[2])(const Product *, int64_t, int64_t, int64_t); /* float32, bfloat16 or NULL */
} Products;

#define SET "product.h"
#define SET_TABLE                                                             \
    static const Products NAME(products) = {                                  \
        .width = 2 * LANES,                                                   \
        .block = {NAME(product_block_f32), PAIRED(NAME(product_block_bf16))}, \
    };
#include "sets.h"

static const Products *const sets[] = {EACH_SET(products)};

/* Outputs of a block; 0 where there is no kernel for the type. */
EXPORT int64_t radixa_product_width(int bf16) {
    const Products *best = sets[chosen_set];
    return best->block[bf16] ? best->width : 0;
}

static void product_work(const Product *p, int64_t *next, int bf16) {
    const Products *best = sets[chosen_set];
    int64_t chunks = (p->rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    int64_t items = (p->outputs + best->width - 1) / best->width * chunks;
    for (int64_t item = next_item(next, 1); item < items; item = next_item(next, 1)) {
        int64_t first = item % chunks * CHUNK_ROWS, last = first + CHUNK_ROWS;
        best->block[bf16](p, item / chunks, first, last < p->rows ? last : p->rows);
    }
}

static void product_work_f32(void *context) { product_work(context, &((Product *)context)->next, 0); }
static void product_work_bf16(void *context) { product_work(context, &((Product *)context)->next, 1); }

/* shape: bf16, wide, rows, inputs, outputs. */
EXPORT void radixa_product(const int64_t *shape, const void *blocks, const void *x, const void *bias, void *out,
                           int threads) {
    Product p = {blocks, x, bias, out, shape[2], shape[3], shape[4], (int)shape[1], 0};
    int alone = p.rows * p.inputs * p.outputs < PARALLEL_FROM;
    in_parallel(shape[0] ? product_work_bf16 : product_work_f32, &p, alone ? 1 : threads);
}
